"""The nearest neighbours of every row among the others, by an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import index
from imagekin.types import Distances, Ids, Vectors

if TYPE_CHECKING:
    from imagekin.store.base import Store

_BATCH: Final = 2_048


def among(vectors: Vectors, k: int, metric: str = "euclidean") -> tuple[NDArray[np.int64], Distances]:
    """Rows ``(n, k)`` and distances of the k nearest others of each row, nearest first; k < n.

    Exact while that takes seconds, then by the engine that suits so many rows.
    """
    n, dim = vectors.shape
    spec = "exact" if n <= 50_000 else index.default(n, dim)[0]
    engine = index.create(spec, dim, metric)
    engine.build(np.arange(n), vectors, checked=True)
    rows, distances = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for at in range(0, n, _BATCH):
        some = np.arange(at, min(at + _BATCH, n))
        found, gaps = engine.search(vectors[some], k + 1)
        rows[some], distances[some] = _others(found, gaps, some)
    return rows, distances


def in_store(store: Store, ids: Ids, k: int) -> tuple[NDArray[np.int64], Distances]:
    """Positions in *ids* ``(n, k)`` of the nearest others of each, by the store's own engine; -1 for none.

    What the store finds beyond *ids* is left out, so that a part of a collection may have fewer than k.
    """
    positions, distances = np.full((len(ids), k), -1, np.int64), np.full((len(ids), k), np.inf, np.float32)
    order = np.argsort(ids, kind="stable")
    whole = len(ids) == store.count()
    wanted = k + 1 if whole else 4 * k + 1
    for at in range(0, len(ids), _BATCH):
        some = np.arange(at, min(at + _BATCH, len(ids)))
        _, vectors = store.vectors(ids[some].tolist())
        found, gaps = store.search(vectors, wanted)
        places = _positions(found, ids, order)
        gaps = np.where(places < 0, np.float32(np.inf), gaps)
        first = np.argsort(places < 0, axis=1, kind="stable")[:, : k + 1]
        found, gaps = np.take_along_axis(places, first, axis=1), np.take_along_axis(gaps, first, axis=1)
        near, lengths = _others(found, gaps, some)
        positions[some, : near.shape[1]], distances[some, : near.shape[1]] = near, lengths
    return positions, distances


def _positions(found: Ids, ids: Ids, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each id stands in *ids*; -1 where it does not."""
    at = np.searchsorted(ids, found, sorter=order)
    place = order[np.minimum(at, len(order) - 1)]
    return np.where(ids[place] == found, place, -1)


def _others(found: NDArray[np.int64], gaps: Distances, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Distances]:
    """Each line without its own row, or without its last where that is not in it (equal vectors before it)."""
    own = found == rows[:, None]
    own[~own.any(axis=1), -1] = True
    shape = len(found), found.shape[1] - 1
    return found[~own].reshape(shape), gaps[~own].reshape(shape)
