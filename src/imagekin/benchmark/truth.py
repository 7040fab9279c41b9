"""The true neighbours, and how much of them an engine found; distances are recomputed from ids in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.index.exact import Exact
from imagekin.types import Ids, Vectors

Doubles = NDArray[np.float64]
"""Distances in double precision, shape ``(q, k)``."""

SLACK: Final = 1e-6
"""How much further than the true k-th neighbour a hit may be, relative to 1 or to that distance: float32's rounding."""

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Score:
    """How good answers are.

    Attributes:
        recall: share of the k hits that are as near as the true k-th neighbour, so that ties count
            (ann-benchmarks; Aumüller, Bernhardsson, Faithfull 2018).
        first: share of the queries whose first hit is as near as the true nearest (FAISS's 1-R@1).
        error: standard error of ``recall``.
        distance_error: the largest difference between a distance as told and as recomputed, relative to 1 or to it.
    """

    recall: float
    first: float
    error: float
    distance_error: float


def nearest(
    train: NDArray[Any], queries: Vectors, k: int, *, metric: str, step: Callable[[int], None] | None = None
) -> Doubles:
    """Distances of the k true neighbours of each query, ascending, ``(q, k)``.

    Args:
        train: ``(n, dim)`` float16 or float32, n ≥ k.
        queries: ``(q, dim)``.
        k: ≥ 1.
        metric: of ``distance.py``.
        step: called with the number of queries done, now and then.
    """
    exact = Exact(train.shape[1], metric)
    exact.build(np.arange(len(train)), train, checked=True)
    result = np.empty((len(queries), k))
    for at in range(0, len(queries), _BATCH):
        some = queries[at : at + _BATCH]
        result[at : at + _BATCH] = np.sort(distances(train, some, exact.search(some, k)[0], metric=metric), axis=1)
        if step is not None:
            step(at + len(some))
    return result


def score(true: Doubles, found: Doubles, told: NDArray[np.float32]) -> Score:
    """How good answers are.

    Args:
        true: of the true neighbours, ``(q, k)``, ascending.
        found: of the answers, recomputed, ``(q, k)``; ``inf`` where there is none.
        told: of the answers, as the engine told them.
    """
    limit, nearest_ = true[:, -1:], true[:, 0]
    shares = (found <= limit + SLACK * np.maximum(1, np.abs(limit))).mean(axis=1)
    first = found.min(axis=1) <= nearest_ + SLACK * np.maximum(1, np.abs(nearest_))
    there = np.isfinite(found) & np.isfinite(told)
    gaps = np.abs(found[there] - told[there]) / np.maximum(1, np.abs(found[there]))
    return Score(
        recall=float(shares.mean()),
        first=float(first.mean()),
        error=float(shares.std() / np.sqrt(len(shares))),
        distance_error=float(gaps.max()) if gaps.size else 0.0,
    )


def distances(train: NDArray[Any], queries: Vectors, ids: Ids, *, metric: str) -> Doubles:
    """Distances of rows to their queries, ``(q, k)``, in float64; ``inf`` where the id is −1 or comes twice."""
    result = np.empty(ids.shape)
    for at in range(0, len(ids), _BATCH):
        rows = train[np.maximum(ids[at : at + _BATCH], 0)].astype(np.float64)
        result[at : at + _BATCH] = _rowwise(rows, queries[at : at + _BATCH].astype(np.float64), metric)
    result[(ids < 0) | _repeated(ids)] = np.inf
    return result


def _rowwise(rows: NDArray[np.float64], queries: NDArray[np.float64], metric: str) -> Doubles:
    if metric == "euclidean":
        gaps: Doubles = np.linalg.norm(rows - queries[:, None, :], axis=2)
        return gaps
    products: Doubles = np.einsum("qd,qkd->qk", queries, rows)
    if metric == "inner":
        return -products
    lengths = np.sqrt(np.einsum("qkd,qkd->qk", rows, rows)) * np.linalg.norm(queries, axis=1)[:, None]
    return np.clip(1 - products / np.where(lengths == 0, 1, lengths), 0, 2)


def _repeated(ids: Ids) -> NDArray[np.bool_]:
    """Flags of ids that stand further left in the same line already: an answer counts once."""
    order = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, axis=1)
    again = np.zeros(ids.shape, np.bool_)
    np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    return again
