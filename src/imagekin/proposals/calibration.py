"""How sure to be of a proposal: tried out on labels and tags that the collection has already.

Some pictures of a known class are taken as examples, and of what they would propose it is known whether it is right.
From that, how far out a proposal lies, and how far out the examples lie when each is left out in turn, becomes a
probability by logistic regression (Platt, "Probabilistic outputs for support vector machines", 1999).  A collection
without such classes, or with few, leans on what was measured elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.metrics import logistic
from imagekin.proposals.background import Background, present
from imagekin.store.base import Store
from imagekin.store.filters import Compare
from imagekin.types import Item, Vectors

SIZES: Final = (1, 2, 3, 5, 10, 30)
"""Numbers of examples that are tried; another number is taken for the next smaller one."""

GROUPS: Final = 40
"""Classes that are tried."""

ENOUGH: Final = 8
"""Classes from which on a collection speaks for itself."""

TRIED: Final = 50
"""Proposals of each that are looked at."""

PRIOR: Final = {
    1: (-3.57, 0.69, 0.0),
    2: (-3.74, 0.85, -0.1),
    3: (-2.6, 0.72, -0.16),
    5: (-2.56, 0.85, -0.29),
    10: (-1.7, 0.96, -0.52),
    30: (-0.81, 0.99, -0.72),
}
"""Weights by number of examples, measured on Caltech-101."""

LEAST: Final = 5
"""Pictures that a class must have besides its examples."""

_AGAIN: Final = 4
_MEMBERS: Final = 200
_TRUST: Final = 4.0
"""Proposals looked at that what was measured elsewhere counts for."""

Figures = NDArray[np.float64]
Group = tuple[str, str]
"""``label`` or ``tag``, and its name."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How to turn places, which are deviations from what is common, into probabilities.

    Attributes:
        weights: of 1, of a proposal's place, and of the examples' own (0 for a single example), ``(3,)``.
        groups: classes of the collection that it was learned from.
    """

    weights: tuple[float, float, float]
    groups: int = 0

    def scores(self, places: Vectors, own: float) -> Figures:
        """Log-odds ``(n,)`` of proposals at these *places*, where examples have *own* on average."""
        scores: Figures = _features(places, own) @ np.array(self.weights)
        return scores


def size(examples: int) -> int:
    """The number of examples that is tried for so many."""
    return max(each for each in SIZES if each <= max(1, examples))


def own_places(background: Background, whitened: Vectors) -> Vectors:
    """Where each example ``(n, dim)`` lies by the direction of the others, ``(n,)``; 0 for a single one."""
    count = len(whitened)
    if count < 2:
        return np.zeros(count, np.float32)
    others = (whitened.sum(axis=0) - whitened) / (count - 1)
    return np.concatenate(
        [background.deviations(other, each[None]) for other, each in zip(others, whitened, strict=True)]
    )


def learned(store: Store, background: Background, examples: int, seed: int = 0) -> Calibration:
    """What the labels and tags of a collection say of proposals from so many examples."""
    number = size(examples)
    random = np.random.default_rng(seed)
    tried = list(_tried(store, background, number, random))
    prior = np.array(PRIOR[number])
    if not tried:
        return Calibration(PRIOR[number])
    rows = np.concatenate([features for _, features, _ in tried])
    right = np.concatenate([found for _, _, found in tried])
    one, two, three = fitted(rows, right, prior).tolist()
    return Calibration((one, two, three), len({group for group, _, _ in tried}))


def fitted(rows: Figures, right: Figures, prior: Figures) -> Figures:
    """The most likely weights where those around *prior* are normally distributed beforehand."""
    return logistic.fitted(rows, right, np.ones(len(rows)), prior=prior, trust=_TRUST / max(1, len(rows)))


def _features(places: Vectors, own: float) -> Figures:
    """``(n, 3)``."""
    return np.column_stack([np.ones(len(places)), places, np.full(len(places), own)]).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A class of which some members were taken as examples: what they have in common, and where they lie."""

    group: Group
    examples: frozenset[int]
    direction: Vectors
    own: float


def _tried(
    store: Store, background: Background, number: int, random: np.random.Generator
) -> Iterator[tuple[Group, Figures, Figures]]:
    """Of each class the features of proposals, and whether they are right."""
    groups = _groups(background.items, random)
    times = min(_AGAIN, max(1, GROUPS // max(1, len(groups))))  # few classes are tried with several examples each
    drawn = (_trial(store, background, group, number=number, random=random) for group in groups * times)
    trials = list(chain.from_iterable(drawn))
    if not trials:
        return
    asked = np.stack([background.direction(trial.direction) for trial in trials])
    ids = store.search(asked, TRIED + number)[0].tolist()
    there, numbers, vectors = present(store, sorted({each for row in ids for each in row if each >= 0}))
    place_of = {each: place for place, each in enumerate(numbers.tolist())}
    whitened = background.whitened(vectors)
    for trial, row in zip(trials, ids, strict=True):
        others = [each for each in row if each in there and each not in trial.examples]
        places = background.deviations(trial.direction, whitened[[place_of[each] for each in others]])
        right = np.array([_is_in(there[each], trial.group) for each in others], np.float64)
        yield trial.group, _features(places, trial.own), right


def _trial(
    store: Store, background: Background, group: Group, *, number: int, random: np.random.Generator
) -> Iterator[_Trial]:
    """A class tried with *number* examples, if it has enough of them."""
    members = [item.id for item in store.items(Compare(group[0], "==", group[1]), limit=_MEMBERS)]
    if len(members) >= number + LEAST:
        chosen = random.choice(members, number, replace=False).tolist()
        whitened = background.whitened(present(store, chosen)[2])
        if len(whitened):
            own = float(own_places(background, whitened).mean())
            yield _Trial(group, frozenset(chosen), whitened.mean(axis=0), own)


def _groups(items: Sequence[Item], random: np.random.Generator) -> list[Group]:
    """Classes of the sample, in any order, at most ``GROUPS``; larger ones are there more often than not."""
    counts = Counter([("label", item.label) for item in items if item.label is not None])
    counts.update(("tag", tag) for item in items for tag in item.tags)
    known = [(kind, str(name)) for kind, name in sorted(counts) if counts[kind, name] < len(items)]
    return [known[place] for place in random.permutation(len(known))[:GROUPS].tolist()]


def _is_in(item: Item, group: Group) -> bool:
    return group[1] in item.tags if group[0] == "tag" else item.label == group[1]
