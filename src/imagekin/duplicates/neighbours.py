"""Pairs of near vectors among very many: every pair within a radius, in fixed memory, never all distances at once.

Where there is room, vectors are compared as they are.  Of very many, each is projected onto the directions in which a
sample of them varies most, as many as there is room for.  A projection never lengthens a difference, so whatever lies
within the radius lies within it there too (Faloutsos, Ranganathan and Manolopoulos, 1994): the short vectors propose,
and only what they propose is read in full and measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.store.base import Store
from imagekin.types import Distances, Ids, Vectors

Rows: TypeAlias = NDArray[np.int64]
"""Numbers of items, in the order of their ids."""

ROOM: Final = 1 << 27
"""Elements that are held in memory, 512 MB: 100,000 whole vectors of 1,280, or a million of 134 directions."""

_LEAST: Final = 64
"""Directions, however many vectors there are."""

_SAMPLE: Final = 8_192
_PAGE: Final = 4_096
_PROPOSED: Final = 4
"""Times as many neighbours as are wanted that short vectors propose."""

_SLACK: Final = 1e-4
"""Squared length by which vectors may be wrong: float16 as stored, float32 as multiplied."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of items within the radius, each once, ``first < second``.

    Attributes:
        first: ``(p,)`` ids.
        second: ``(p,)`` ids.
        distances: ``(p,)`` cosine distances.
        sure: distance up to which nothing was passed over, for 99 % of the items; the radius, or less where so many lie
            so close together that short vectors could not tell them apart.
    """

    first: Ids
    second: Ids
    distances: Distances
    sure: float = 0.0

    def __len__(self) -> int:
        return len(self.first)


def within(store: Store, ids: Ids, *, radius: float, k: int, progress: Callable[[int], None] | None = None) -> Pairs:
    """Of each of the items, the *k* nearest within *radius*, among the 4,096 about it and all later ones.

    Args:
        store: has the vectors.
        ids: ``(n,)`` ascending.
        radius: a cosine distance.
        k: others that one item asks for at the most; it may be asked for by more.
        progress: called with how many items have been looked at.
    """
    if len(ids) < 2:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), radius)
    search = _Search(store, ids, radius, k)
    parts = []
    for start in range(0, len(ids), _PAGE):
        stop = min(start + _PAGE, len(ids))
        parts.append(search.block(start, stop))
        if progress is not None:
            progress(stop)
    first, second, distances = (np.concatenate([part[at] for part in parts]) for at in range(3))
    sure = float(np.quantile(np.concatenate(search.sure), 0.01))
    return Pairs(ids[first], ids[second], distances.astype(np.float32), sure)


class _Search:
    """The vectors of all items, whole or short, and up to where nothing was passed over, item by item."""

    def __init__(self, store: Store, ids: Ids, radius: float, k: int) -> None:
        self.store, self.ids, self.radius, self.k = store, ids, radius, k
        self.whole = len(ids) * store.dim <= ROOM
        self.rows = _whole(store, ids) if self.whole else _short(store, ids)
        self.sure: list[Distances] = []

    def block(self, start: int, stop: int) -> tuple[Rows, Rows, Distances]:
        """Row numbers and distances of the pairs that the items of a block have with each other and with later ones."""
        here, there, distances, bounds = self._proposed(start, stop)
        if not self.whole:
            distances = self._measured(here, there)
        near = np.flatnonzero(distances <= self.radius)
        near = near[np.lexsort((there[near], distances[near], here[near]))]
        first = np.flatnonzero(np.append(True, np.diff(here[near]) > 0)) if len(near) else near
        rank = np.arange(len(near)) - np.repeat(first, np.diff(np.append(first, len(near))))
        farthest = np.full(stop - start, self.radius, np.float32)
        last = near[rank == self.k - 1]
        farthest[here[last] - start] = distances[last]
        self.sure.append(np.where(bounds + _SLACK < farthest, bounds, np.float32(self.radius)))
        kept = near[rank < self.k]
        one, other = np.minimum(here[kept], there[kept]), np.maximum(here[kept], there[kept])
        once = np.unique(one * len(self.ids) + other, return_index=True)[1]
        return one[once], other[once], np.maximum(distances[kept][once], np.float32(0))

    def _proposed(self, start: int, stop: int) -> tuple[Rows, Rows, Distances, Distances]:
        """Pairs and their distances by the vectors that there are; how far what is not proposed is at the least."""
        import faiss

        asked = self.k if self.whole else _PROPOSED * self.k
        wanted = min(asked + 1, len(self.rows) - start)
        squares, found = faiss.knn(self.rows[start:stop], self.rows[start:], wanted)
        inside = squares <= 2 * self.radius + _SLACK  # ‖x − y‖² is twice the cosine distance of vectors of length 1
        here = np.repeat(np.arange(start, stop), inside.sum(axis=1))
        there = found[inside] + start
        others = there != here
        some = wanted < len(self.rows) - start
        bounds = np.asarray(squares[:, -1] / 2 if some else np.full(stop - start, np.inf), np.float32)
        return here[others], there[others], squares[inside][others] / 2, bounds

    def _measured(self, here: Rows, there: Rows) -> Distances:
        """Distances of pairs by their whole vectors."""
        distances = np.empty(len(here), np.float32)
        for start in range(0, len(here), _PAGE):
            some = slice(start, start + _PAGE)
            needed, places = np.unique(np.concatenate([here[some], there[some]]), return_inverse=True)
            vectors = normalized(self.store.vectors(self.ids[needed].tolist())[1])
            mine, theirs = places.reshape(2, -1)
            distances[some] = 1 - np.einsum("ij,ij->i", vectors[mine], vectors[theirs])
        return distances


def _whole(store: Store, ids: Ids) -> Vectors:
    """Every vector, ``(n, dim)``, of length 1."""
    rows = np.empty((len(ids), store.dim), np.float32)
    for start in range(0, len(ids), _PAGE):
        rows[start : start + _PAGE] = normalized(store.vectors(ids[start : start + _PAGE].tolist())[1])
    return rows


def _short(store: Store, ids: Ids) -> Vectors:
    """Every vector of length 1, projected; ``(n, d)``."""
    from imagekin.reduce.pca import PCA

    sample = np.sort(np.random.default_rng(0).choice(ids, min(_SAMPLE, len(ids)), replace=False))
    directions = min(max(_LEAST, ROOM // len(ids)), store.dim, len(sample) - 1)
    projection = PCA(directions).fit(normalized(store.vectors(sample.tolist())[1]))
    short = np.empty((len(ids), directions), np.float32)
    for start in range(0, len(ids), _PAGE):
        page = store.vectors(ids[start : start + _PAGE].tolist())[1]
        short[start : start + len(page)] = projection.transform(normalized(page))
    return short
