"""Pictures without a tag that look like those with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np

from imagekin import distance, tagging
from imagekin import query as queries
from imagekin.errors import InputError
from imagekin.metrics.logistic import probability
from imagekin.proposals import calibration, knowledge
from imagekin.proposals.background import present
from imagekin.proposals.calibration import Calibration
from imagekin.store.base import MAX_K, Store, check_k
from imagekin.store.filters import And, Filter, In, Not, Or
from imagekin.tagging import Chosen
from imagekin.types import Hit, Item, Vectors

EXAMPLES: Final = 500
"""Examples that are looked at; of more, so many, drawn at random."""

LEFT_OUT: Final = 50
"""Examples that are left out in turn to see where they lie."""

AWAY: Final = 0.5
"""How much what was refused counts beside the examples."""

SINGLE: Final = 8
"""Examples by which candidates are searched for, besides the direction that all have in common."""

_FEW: Final = 1_000
"""So many known pictures are left out after a search; for more, a filter does it inside."""

COPY: Final = 7.0
"""Log-odds, at the least, of what has the bytes of an example; nothing is trusted more."""

_DOUBT: Final = 2.0
"""By how many log-odds what was refused may well shift the confidence."""


@dataclass(frozen=True, slots=True)
class Proposal(Hit):
    """A picture that may deserve a tag; *distance* and *similarity* are those to its nearest example.

    Attributes:
        confidence: the probability that it deserves the tag, 0…1.
    """

    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposals:
    """Pictures that may deserve a tag, the most certain first.

    Attributes:
        proposals: they.
        examples: how many pictures are examples.
        calibrated: whether the confidence was calibrated on labels and tags of this collection, and not elsewhere.
    """

    proposals: list[Proposal]
    examples: int
    calibrated: bool


@dataclass(frozen=True, slots=True)
class _Examples:
    """Who is an example, and who is not to be proposed.

    Attributes:
        count: how many examples there are.
        ids: of those that are looked at.
        refused: ids of pictures that do not deserve the tag.
        known: ids that are left out after a search.
        others: the filter that leaves out further ones.
    """

    count: int
    ids: list[int]
    refused: list[int]
    known: frozenset[int]
    others: Filter | None


def propose(
    store: Store,
    tag: str | None = None,
    /,
    *,
    ids: Chosen = None,
    refused: Chosen = None,
    k: int = 50,
    **conditions: Any,
) -> Proposals:
    """Pictures that look as if they deserve a tag.

    Args:
        store: of the collection.
        tag: pictures that have it are examples, and are not proposed.
        ids: further examples.
        refused: pictures that do not deserve it; what looks like them is trusted less.
        k: proposals wanted.
        conditions: the filters of ``Collection.items``; only what fits is proposed.

    Raises:
        InputError: there is no example, an id is not there, or k or a filter makes no sense.
    """
    wanted = check_k(k)
    condition = queries.condition(store, **conditions)
    given = _examples(store, tag, ids, refused)
    known, calibrated = knowledge.of(store, given.count)
    (liked, _, rows), (bad, _, unlike) = present(store, given.ids), present(store, given.refused)
    examples, away = known.whitened(rows), known.whitened(unlike)
    direction = examples.mean(axis=0) - (AWAY * away.mean(axis=0) if len(away) else np.float32(0))
    asked = np.concatenate([known.direction(direction)[None], rows[:: -(-len(rows) // SINGLE)]])
    items, numbers, vectors = present(store, _candidates(store, asked, (wanted, condition), given))
    own = calibration.own_places(known, examples[:LEFT_OUT])
    scores = calibrated.scores(known.deviations(direction, known.whitened(vectors)), float(own.mean()))
    scores += _shift(calibrated, own, known.deviations(examples.mean(axis=0), away))
    same = {each.hash for each in liked.values()} - {each.hash for each in bad.values()}
    copies = [items[number].hash in same for number in numbers.tolist()]
    scores[copies] = max(COPY, float(scores.max(initial=COPY)))
    best = np.argsort(-scores, kind="stable")[:wanted]
    gaps = distance.pairwise(vectors[best], rows, store.metric).min(axis=1, initial=np.inf)
    sure = probability(scores[best])
    found = list(_shown(store, numbers[best].tolist(), gaps.tolist(), sure.tolist()))
    return Proposals(found, given.count, calibrated.groups >= calibration.ENOUGH)


def _examples(store: Store, tag: str | None, ids: Chosen, refused: Chosen) -> _Examples:
    """Who is an example and who is not to be proposed.

    Raises:
        InputError: nobody is, or an id is not there.
    """
    named, unlike = (
        [] if each is None else list(dict.fromkeys(queries.ids_of(each).tolist())) for each in (ids, refused)
    )
    store.get([*named, *unlike])  # an id that is not there is an error
    has = None if tag is None else tagging.of(tag)
    tagged = [] if has is None else [known.id for known in islice(store.known(has), _FEW)]
    bad = frozenset(unlike)
    examples = [number for number in dict.fromkeys([*named, *tagged]) if number not in bad]
    if not examples:
        what = "" if tag is None else f"no picture has the tag {tag!r}; "
        raise InputError(f"{what}proposals need an example: tag a picture, or give ids.")
    chosen = np.random.default_rng(0).permutation(examples)[:EXAMPLES].tolist()
    if has is None or len(tagged) < _FEW:
        return _Examples(len(examples), chosen, unlike, bad | {*named, *tagged}, None)
    count = store.count(Or((has, In("id", tuple(named)))), missing=None)
    return _Examples(count, chosen, unlike, bad | {*named}, has)


def _candidates(store: Store, asked: Vectors, wanted: tuple[int, Filter | None], given: _Examples) -> list[int]:
    """Ids that any of the queries finds, without those that are not to be proposed."""
    k, condition = wanted
    parts = [] if condition is None else [condition]
    surplus = len(given.known)
    if surplus > _FEW:
        parts.append(Not(In("id", tuple(given.known))))
        surplus = 0
    if given.others is not None:
        parts.append(Not(given.others))
    fit = And(tuple(parts)) if parts else None
    ids, _ = store.search(asked, min(MAX_K, 2 * k + surplus + 20), fit)
    return [number for number in np.unique(ids).tolist() if number >= 0 and number not in given.known]


def _shift(calibrated: Calibration, own: Vectors, away: Vectors) -> float:
    """By how many log-odds what was refused, at the places *away*, makes proposals less sure, or examples more so."""
    if not len(away):
        return 0.0
    mean = float(own.mean())
    good, bad = calibrated.scores(own, mean), calibrated.scores(away, mean)
    shift = 0.0
    for _ in range(50):  # Newton's method, one unknown
        yes, no = probability(good + shift), probability(bad + shift)
        slope = float((1 - yes).sum() - no.sum() - shift / _DOUBT**2)
        shift += slope / float((yes * (1 - yes)).sum() + (no * (1 - no)).sum() + 1 / _DOUBT**2)
    return min(0.0, shift)


def _shown(store: Store, ids: list[int], gaps: list[float], sure: list[float]) -> Iterator[Proposal]:
    """The proposals, without what was removed this instant."""
    items = store.found(ids)
    for number, gap, confidence in zip(ids, gaps, sure, strict=True):
        if number in items:
            values = {name: getattr(items[number], name) for name in Item.__slots__}
            alike = distance.similarity(gap, store.metric)
            yield Proposal(**values, distance=gap, similarity=alike, confidence=confidence)
