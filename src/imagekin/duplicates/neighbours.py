"""Pairs of near vectors among very many: every pair within a radius, in fixed memory, never all distances at once.

Vectors are projected onto the 64 directions in which a sample of them varies most.  A projection never lengthens a
difference, so whatever lies within the radius lies within it there too (Faloutsos, Ranganathan and Manolopoulos, 1994):
the short vectors propose, and only what they propose is read in full and measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.store.base import Store
from imagekin.types import Distances, Ids, Vectors

DIRECTIONS: Final = 64
"""Elements of a short vector: 256 bytes, so that a million of them take 256 MB."""

_SAMPLE: Final = 8_192
_PAGE: Final = 4_096
_PROPOSED: Final = 4
"""Times as many neighbours as are wanted that the short vectors propose."""

_SLACK: Final = 1e-4
"""Squared length by which short vectors may be wrong: float16 as stored, float32 as multiplied."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of items within the radius, each once, ``first < second``.

    Attributes:
        first: ``(p,)`` ids.
        second: ``(p,)`` ids.
        distances: ``(p,)`` cosine distances.
        crowded: items that have more neighbours within the radius than were looked at.
    """

    first: Ids
    second: Ids
    distances: Distances
    crowded: int = 0

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
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    short = _short(store, ids)
    parts, crowded = [], 0
    for start in range(0, len(ids), _PAGE):
        stop = min(start + _PAGE, len(ids))
        here, there, full = _proposed(short, (start, stop), radius, k)
        crowded += full
        parts.append(_measured(store, ids, (here, there), radius=radius, k=k))
        if progress is not None:
            progress(stop)
    first, second, distances = (np.concatenate([part[at] for part in parts]) for at in range(3))
    return Pairs(ids[first], ids[second], distances.astype(np.float32), crowded)


def _short(store: Store, ids: Ids) -> Vectors:
    """Every vector, projected; ``(n, d)``."""
    from imagekin.reduce.pca import PCA

    sample = ids if len(ids) <= _SAMPLE else np.sort(np.random.default_rng(0).choice(ids, _SAMPLE, replace=False))
    vectors = normalized(store.vectors(sample.tolist())[1])
    if min(vectors.shape) <= 2 * DIRECTIONS:
        return normalized(store.vectors(ids.tolist())[1])
    projection = PCA(DIRECTIONS).fit(vectors)
    short = np.empty((len(ids), DIRECTIONS), np.float32)
    for start in range(0, len(ids), _PAGE):
        page = store.vectors(ids[start : start + _PAGE].tolist())[1]
        short[start : start + len(page)] = projection.transform(normalized(page))
    return short


def _proposed(
    short: Vectors, rows: tuple[int, int], radius: float, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Row numbers of the pairs that the short vectors propose, and how many rows had still more to propose."""
    import faiss

    start, stop = rows
    wanted = min(_PROPOSED * k + 1, len(short) - start)
    squares, found = faiss.knn(short[start:stop], short[start:], wanted)
    inside = squares <= 2 * radius + _SLACK  # ‖x − y‖² is twice the cosine distance of vectors of length 1
    here = np.repeat(np.arange(start, stop), inside.sum(axis=1))
    there = found[inside] + start
    others = there != here
    crowded = int(np.count_nonzero(inside.all(axis=1))) if wanted < len(short) - start else 0
    return here[others], there[others], crowded


def _measured(
    store: Store, ids: Ids, rows: tuple[NDArray[np.int64], NDArray[np.int64]], *, radius: float, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Distances]:
    """Those of the proposed pairs that lie within the radius by their whole vectors, of each row the k nearest."""
    here, there = rows
    distances = np.empty(len(here), np.float32)
    for start in range(0, len(here), _PAGE):
        some = slice(start, start + _PAGE)
        needed, places = np.unique(np.concatenate([here[some], there[some]]), return_inverse=True)
        vectors = normalized(store.vectors(ids[needed].tolist())[1])
        mine, theirs = places.reshape(2, -1)
        distances[some] = 1 - np.einsum("ij,ij->i", vectors[mine], vectors[theirs])
    near = np.flatnonzero(distances <= radius)
    near = near[np.lexsort((there[near], distances[near], here[near]))]
    first = np.flatnonzero(np.append(True, np.diff(here[near]) > 0)) if len(near) else near
    rank = np.arange(len(near)) - np.repeat(first, np.diff(np.append(first, len(near))))
    kept = near[rank < k]
    one, other = np.minimum(here[kept], there[kept]), np.maximum(here[kept], there[kept])
    once = np.unique(one * len(ids) + other, return_index=True)[1]
    return one[once], other[once], np.maximum(distances[kept][once], 0)
