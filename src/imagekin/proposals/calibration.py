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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.proposals.background import Background
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
    1: (-6.0, 1.5, 0.0),
    2: (-6.0, 1.5, 0.0),
    3: (-6.0, 1.5, 0.0),
    5: (-6.0, 1.5, 0.0),
    10: (-6.0, 1.5, 0.0),
    30: (-6.0, 1.5, 0.0),
}
"""Weights by number of examples, measured on Caltech-101."""

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
    rows = np.concatenate([features for features, _ in tried])
    right = np.concatenate([found for _, found in tried])
    one, two, three = fitted(rows, right, prior).tolist()
    return Calibration((one, two, three), len(tried))


def fitted(rows: Figures, right: Figures, prior: Figures) -> Figures:
    """The most likely weights of a logistic regression with a normal prior around *prior*, by Newton's method."""
    weights = prior.copy()
    for _ in range(50):
        likely = probability(rows @ weights)
        slope = rows.T @ (likely - right) + _TRUST * (weights - prior)
        curve = (rows * (likely * (1 - likely))[:, None]).T @ rows + _TRUST * np.eye(len(prior))
        step = np.linalg.solve(curve, slope)
        weights -= step * min(1.0, 5.0 / max(1e-12, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-6:
            break
    return weights


def probability(scores: Figures) -> Figures:
    """Probabilities of log-odds."""
    likely: Figures = 1 / (1 + np.exp(-np.clip(scores, -50, 50)))
    return likely


def _features(places: Vectors, own: float) -> Figures:
    """``(n, 3)``."""
    return np.column_stack([np.ones(len(places)), places, np.full(len(places), own)]).astype(np.float64)


def _tried(
    store: Store, background: Background, number: int, random: np.random.Generator
) -> Iterator[tuple[Figures, Figures]]:
    """Of each class the features of proposals, and whether they are right."""
    for group in _groups(background.items, random):
        members = [item.id for item in store.items(Compare(group[0], "==", group[1]), limit=_MEMBERS)]
        if len(members) < number + 5:
            continue
        chosen = random.choice(members, number, replace=False).tolist()
        whitened = background.whitened(store.vectors(chosen)[1])
        direction = whitened.mean(axis=0)
        ids, _ = store.search(background.direction(direction)[None], TRIED + number)
        others = store.found([each for each in ids[0].tolist() if each >= 0 and each not in chosen])
        if others:
            vectors = background.whitened(store.vectors(list(others))[1])
            places = background.deviations(direction, vectors)
            right = np.array([_is_in(item, group) for item in others.values()], np.float64)
            yield _features(places, float(own_places(background, whitened).mean())), right


def _groups(items: Sequence[Item], random: np.random.Generator) -> list[Group]:
    """Classes of the sample, in any order, at most ``GROUPS``; larger ones are there more often than not."""
    counts = Counter([("label", item.label) for item in items if item.label is not None])
    counts.update(("tag", tag) for item in items for tag in item.tags)
    known = [(kind, str(name)) for kind, name in sorted(counts) if counts[kind, name] < len(items)]
    return [known[place] for place in random.permutation(len(known))[:GROUPS].tolist()]


def _is_in(item: Item, group: Group) -> bool:
    return group[1] in item.tags if group[0] == "tag" else item.label == group[1]
