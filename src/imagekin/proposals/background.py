"""What the vectors of a collection are like at large, so that what a few pictures have in common stands out from it.

By linear discriminant analysis, what tells a class from the rest is the difference of their means seen through the
inverse of the covariance that all share; learned once, without labels, it serves every class (Hariharan, Malik,
Ramanan, "Discriminative decorrelation for clustering and classification", ECCV 2012).  Vectors that are whitened with
it can be compared by their angle.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.store.base import Store
from imagekin.types import Ids, Item, Vectors

SAMPLE: Final = 2_000
"""Pictures that stand for all."""

RIDGE: Final = 10.0
"""Added to every direction's variance, in units of their mean: what a sample says of faint directions is noise."""

_TRIES: Final = 5
_NEIGHBOURS: Final = 4
"""Pictures that are drawn together, one after the other by their ids."""


@dataclass(frozen=True, slots=True)
class Background:
    """A sample of a collection.

    Attributes:
        items: the sample.
        mean: of its vectors, ``(dim,)``.
        turn: whitens: ``(dim, dim)``, lower triangular.
        rows: the sample's whitened vectors, of length 1, ``(n, dim)``.
    """

    items: list[Item]
    mean: Vectors
    turn: Vectors
    rows: Vectors

    def whitened(self, vectors: Vectors) -> Vectors:
        """Vectors ``(n, dim)`` with what is common taken out, of length 1."""
        return normalized(np.ascontiguousarray((vectors - self.mean) @ self.turn.T))

    def direction(self, whitened: Vectors) -> Vectors:
        """The vector ``(dim,)`` of length 1 whose product with a vector orders as *whitened* does after whitening."""
        found: Vectors = normalized((whitened @ self.turn)[None])[0]
        return found

    def deviations(self, direction: Vectors, whitened: Vectors) -> Vectors:
        """How far vectors ``(n, dim)`` lie out along *direction*, in standard deviations of the sample, ``(n,)``."""
        sample = self.rows @ direction
        spread = max(float(sample.std()), 1e-6)
        deviations: Vectors = (whitened @ direction - sample.mean()) / np.float32(spread)
        return deviations


def learned(store: Store, seed: int = 0) -> Background:
    """The background of a collection, from at most 2,000 of its pictures, drawn at random."""
    there, ids, vectors = present(store, _sample(store, seed))
    mean = vectors.mean(axis=0) if len(ids) else np.zeros(store.dim, np.float32)
    centred = vectors - mean
    covariance = centred.T @ centred / max(1, len(ids) - 1)
    level = float(np.trace(covariance)) / max(1, store.dim)
    covariance[np.diag_indices(store.dim)] += RIDGE * level if level > 0 else 1.0
    turn = np.linalg.inv(np.linalg.cholesky(covariance.astype(np.float64))).astype(np.float32)
    rows = normalized(np.ascontiguousarray(centred @ turn.T))
    return Background(list(there.values()), mean, turn, rows)


def present(store: Store, ids: Sequence[int]) -> tuple[dict[int, Item], Ids, Vectors]:
    """Those of the items that are there, their ids ``(n,)`` and vectors ``(n, dim)``, all as of one moment."""
    for _ in range(_TRIES):
        there = store.found(ids) if len(ids) else {}
        with contextlib.suppress(InputError):  # one of them was removed this instant
            return there, *store.vectors(list(there))
    return {}, np.empty(0, np.int64), np.empty((0, store.dim), np.float32)


def newest(store: Store) -> int:
    """The highest id of a present item; 0 where there is none."""
    low, step = 0, 1
    while low + step < 2**62 and store.items(after=low + step, limit=1):
        low, step = low + step, 2 * step
    high = low + step
    while low < high:  # the answer is above low, or it is low; and not above high
        middle = (low + high) // 2
        low, high = (middle + 1, high) if store.items(after=middle, limit=1) else (low, middle)
    return low


def _sample(store: Store, seed: int) -> list[int]:
    last = newest(store)
    if last <= SAMPLE:
        return [item.id for item in store.items(limit=SAMPLE)]
    random = np.random.default_rng(seed)
    starts = random.integers(0, last, 4 * SAMPLE // _NEIGHBOURS)
    found: dict[int, None] = {}
    for start in starts.tolist():
        found.update(dict.fromkeys(item.id for item in store.items(after=start, limit=_NEIGHBOURS)))
        if len(found) >= SAMPLE:
            break
    return sorted(found)
