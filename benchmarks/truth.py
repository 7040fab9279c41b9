"""The exact answer, found by the harness itself, and recall against it by distance, so that ties do not matter."""

from __future__ import annotations

import numpy as np

from imagekin.distance import normalized, rowwise
from imagekin.types import Distances, Ids, Vectors

TOLERANCE = 1e-5
"""Distances this close are the same: float32 sums of a thousand products in another order differ by less."""


class Truth:
    """The k smallest cosine distances of each query to all rows that were shown, in memory for one block only."""

    def __init__(self, queries: Vectors, k: int) -> None:
        self.queries = normalized(queries)
        self.best: Distances = np.full((len(queries), k), np.inf, np.float32)

    def show(self, vectors: Vectors) -> None:
        """Take in rows as they are stored, rounded to float16."""
        stored = normalized(vectors.astype(np.float16).astype(np.float32))
        distances = 1 - self.queries @ stored.T
        k = self.best.shape[1]
        both = np.hstack([self.best, distances])
        self.best = np.sort(np.partition(both, k - 1, axis=1)[:, :k], axis=1)


def recall(queries: Vectors, found: Ids, vectors: Vectors, *, best: Distances) -> float:
    """Share of the k nearest that were found: hits no farther than the true k-th nearest, over k; distances made anew.

    Args:
        queries: ``(q, dim)``.
        found: ``(q, k)`` ids that an engine answered, −1 where it had none; an id counts once.
        vectors: ``(q, k, dim)`` the stored vectors of *found*, anything where the id is −1.
        best: ``(q, k)`` true distances, ascending.
    """
    distances = rowwise(queries, vectors)
    near = (distances <= best[:, -1:] + TOLERANCE) & (found >= 0)
    hits = [len(set(row[flags].tolist())) for row, flags in zip(found, near, strict=True)]
    return float(np.mean(hits) / best.shape[1])
