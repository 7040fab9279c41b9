"""What judgements say: which pictures show the same, which do not, and what that means for their labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from imagekin.distance import normalized
from imagekin.evaluation.gallery import Positions
from imagekin.store.base import Store
from imagekin.types import Judgement, Vectors
from imagekin.verification.pairs import joined

MOST: Final = 20_000
"""Judgements that are learned from, the newest ones: more people do not give, but a file of a stranger may hold."""


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
        alike = (place[_alike(each)] for each in questions)
        return joined(len(rows), [link for each in alike for link in _chained(each[each >= 0])])


def drawn(store: Store) -> Judged:
    """What was judged of the pictures that are there now; where a pair is judged in two ways, neither counts."""
    said, contradicted = _settled(store.judgements())
    there = present(store, _items(said))
    able = [each for each in said if _items([each]) <= there]
    kept = able[-MOST:]
    ids = np.array(sorted(_items(kept)), np.int64)
    vectors = store.vectors(ids.tolist())[1] if len(ids) else np.empty((0, store.dim), np.float32)
    notes = []
    if contradicted:
        notes.append(f"{contradicted:,} judgements contradict each other and were left out.")
    if absent := len(said) - len(able):
        notes.append(f"{absent:,} judgements are of pictures that are missing or have no vector, and were left out.")
    if len(able) > len(kept):
        notes.append(f"Of {len(able):,} judgements the newest {MOST:,} were learned from.")
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
    said = [each for each in _settled(judgements)[0] if _items([each]) <= labels.keys()]
    ids = sorted(_items(said))
    questions = list(_questions(said, np.array(ids, np.int64)))
    own = [labels[number] for number in ids]
    kinds = joined(len(ids), [link for each in questions for link in _chained(_alike(each))]).tolist() if ids else []
    names: dict[int, set[str]] = {}
    for kind, label in zip(kinds, own, strict=True):
        if label is not None:
            names.setdefault(kind, set()).add(label)
    lent = {
        number: next(iter(found)) for number, kind, label in zip(ids, kinds, own, strict=True)
        if label is None and len(found := names.get(kind, set())) == 1
    }  # fmt: skip
    return lent, {ids[row] for each in questions for row in _otherwise(each, own)}


def present(store: Store, ids: Set[int]) -> set[int]:
    """Those of some items that are there and have a vector, which of a further model not all have."""
    return {known.id for known in store.known(None) if known.id in ids and not known.missing}


def _settled(judgements: Iterable[Judgement]) -> tuple[list[Judgement], int]:
    """Those that agree on what a pair is, and how many do not: A finds B and B finds A may have been judged apart."""
    every = list({(each.asked, each.item): each for each in judgements if each.asked != each.item}.values())
    fits: dict[frozenset[int | str], set[bool]] = {}
    for each in every:
        fits.setdefault(frozenset((each.asked, each.item)), set()).add(each.fits)
    kept = [each for each in every if len(fits[frozenset((each.asked, each.item))]) == 1]
    return kept, len(every) - len(kept)


def _items(judgements: Iterable[Judgement]) -> set[int]:
    return {number for each in judgements for number in (each.asked, each.item) if not isinstance(number, str)}


def _questions(judgements: Sequence[Judgement], ids: Positions) -> Iterator[Question]:
    found: dict[int | str, list[Judgement]] = {}
    for each in judgements:
        found.setdefault(each.asked, []).append(each)
    for asked, own in found.items():
        right, wrong = (
            np.searchsorted(ids, np.array([each.item for each in own if each.fits is fit], np.int64))
            for fit in (True, False)
        )
        yield Question(None if isinstance(asked, str) else int(np.searchsorted(ids, asked)), right, wrong)


def _alike(question: Question) -> Positions:
    """Rows that show the same."""
    own = [] if question.asked is None else [question.asked]
    return np.concatenate([np.array(own, np.int64), question.right])


def _chained(rows: Positions) -> Iterator[tuple[int, int]]:
    """Pairs by which all of the rows hang together."""
    yield from pairwise(rows.tolist())


def _otherwise(question: Question, labels: Sequence[str | None]) -> set[int]:
    """Rows of which something else was said than their labels say."""
    right = {row for row in question.right.tolist() if labels[row] is not None}
    if question.asked is None or (own := labels[question.asked]) is None:
        return right if len({labels[row] for row in right}) > 1 else set()
    off = {row for row in right if labels[row] != own} | {row for row in question.wrong.tolist() if labels[row] == own}
    return off | {question.asked} if off else set()
