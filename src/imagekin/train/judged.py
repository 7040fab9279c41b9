"""What judgements say: which pictures show the same, which do not, and what that means for their labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from imagekin.distance import normalized
from imagekin.evaluation.gallery import Positions
from imagekin.store.base import Store
from imagekin.types import Judgement, Vectors
from imagekin.verification.pairs import joined


@dataclass(frozen=True)
class Question:
    """What was searched by once, and what was said of the pictures that were found.

    Attributes:
        asked: the row of the item that was searched by, or None.
        right: rows that are right, ``(r,)``.
        wrong: rows that are wrong, ``(w,)``.
    """

    asked: int | None
    right: Positions
    wrong: Positions

    @property
    def orders(self) -> bool:
        """Whether it says what is to come before what: something right, something wrong, and from where to look."""
        return len(self.wrong) > 0 and len(self.right) > (1 if self.asked is None else 0)

    @property
    def rows(self) -> Positions:
        """All pictures that it is about."""
        own = [] if self.asked is None else [self.asked]
        return np.concatenate([np.array(own, np.int64), self.right, self.wrong])


@dataclass(frozen=True)
class Judged:
    """The pictures that were judged, or searched by.

    Attributes:
        ids: ``(n,)``, ascending.
        vectors: ``(n, dim)`` of length 1.
        questions: what was said.
        judgements: how many there are.
        notes: sentences on what was left out.
    """

    ids: Positions
    vectors: Vectors
    questions: tuple[Question, ...]
    judgements: int
    notes: tuple[str, ...]

    def kinds(self, questions: Sequence[Question], rows: Positions) -> Positions:
        """Of *rows* the number of what each shows, ``(n,)``: one for all that *questions* say are the same."""
        place = np.full(len(self.ids), -1, np.int64)
        place[rows] = np.arange(len(rows))
        links = [(place[one], place[other]) for each in questions for one, other in _same(each)]
        return joined(len(rows), [(one, other) for one, other in links if one >= 0 and other >= 0])


def drawn(store: Store) -> Judged:
    """What was judged of the pictures that are there now; where a pair is judged in two ways, neither counts."""
    said, contradicted = _settled(store.judgements())
    there = {number for number, item in store.found(sorted(_items(said))).items() if not item.missing}
    kept = [each for each in said if _items([each]) <= there]
    ids = np.array(sorted(_items(kept)), np.int64)
    vectors = store.vectors(ids.tolist())[1] if len(ids) else np.empty((0, store.dim), np.float32)
    notes = []
    if contradicted:
        notes.append(f"{contradicted:,} judgements contradict each other and were left out.")
    if absent := len(said) - len(kept):
        notes.append(f"{absent:,} judgements are of pictures that are missing, and were left out.")
    return Judged(ids, normalized(vectors.astype(np.float32)), tuple(_questions(kept, ids)), len(kept), tuple(notes))


def of_labels(judgements: Iterable[Judgement], labels: Mapping[int, str | None]) -> tuple[dict[int, str], set[int]]:
    """What judgements say of labels.

    Args:
        judgements: what was said.
        labels: of each item that there is, or None.

    Returns:
        The label of each item without one that was judged to show the same as others, which have one between them; and
        the items of which it was said otherwise than their labels say.
    """
    same, different = _pairs(_settled(judgements)[0])
    known = {number for pair in (*same, *different) for number in pair if number in labels}
    places = {number: place for place, number in enumerate(sorted(known))}
    links = [(places[one], places[other]) for one, other in same if {one, other} <= known]
    kinds = joined(len(places), links).tolist() if places else []
    names: dict[int, set[str]] = {}
    for number, place in places.items():
        if (label := labels[number]) is not None:
            names.setdefault(kinds[place], set()).add(label)
    lent = {
        number: next(iter(found)) for number, place in places.items()
        if labels[number] is None and len(found := names.get(kinds[place], set())) == 1
    }  # fmt: skip
    wrong = set[int]()
    for pairs, alike in ((same, True), (different, False)):
        for pair in pairs:
            one, other = (labels.get(number) for number in pair)
            if one is not None and other is not None and (one == other) != alike:
                wrong.update(pair)
    return lent, wrong


def _settled(judgements: Iterable[Judgement]) -> tuple[list[Judgement], int]:
    """Those that agree on what a pair is, and how many do not: A finds B and B finds A may have been judged apart."""
    every = list(judgements)
    fits: dict[frozenset[int | str], set[bool]] = {}
    for each in every:
        fits.setdefault(frozenset((each.asked, each.item)), set()).add(each.fits)
    kept = [each for each in every if len(fits[frozenset((each.asked, each.item))]) == 1]
    return kept, len(every) - len(kept)


def _items(judgements: Iterable[Judgement]) -> set[int]:
    return {number for each in judgements for number in (each.asked, each.item) if not isinstance(number, str)}


def _questions(judgements: Sequence[Judgement], ids: Positions) -> Iterator[Question]:
    for asked in dict.fromkeys(each.asked for each in judgements):
        own = [each for each in judgements if each.asked == asked]
        right, wrong = (
            np.searchsorted(ids, np.array([each.item for each in own if each.fits is fit], np.int64))
            for fit in (True, False)
        )
        yield Question(None if isinstance(asked, str) else int(np.searchsorted(ids, asked)), right, wrong)


def _same(question: Question) -> Iterator[tuple[int, int]]:
    """Pairs of rows that show the same, by which all that is right hangs together."""
    right = question.right.tolist() if question.asked is None else [question.asked, *question.right.tolist()]
    yield from zip(right, right[1:], strict=False)


def _pairs(judgements: Sequence[Judgement]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs of items that were judged to show the same, and such that were judged not to."""
    ids = np.array(sorted(_items(judgements)), np.int64)
    same, different = [], []
    for each in _questions(judgements, ids):
        same += [(int(ids[one]), int(ids[other])) for one, other in _same(each)]
        if each.asked is not None:
            different += [(int(ids[each.asked]), int(ids[row])) for row in each.wrong]
    return same, different
