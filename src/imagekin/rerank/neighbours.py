"""Better queries and orders from the vectors of a query's own nearest neighbours.

Vectors are unit rows and nearness is their cosine; every function takes one query ``(dim,)`` and the vectors of what
was found for it ``(n, dim)``, nearest first.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.types import Vectors

Order = NDArray[np.int64]
"""Rows of what was found, in their new order ``(n,)``."""

NEAR: Final = 5
"""Neighbours that a query, or a picture, is averaged with."""

POWER: Final = 3.0
"""Of the cosine, in weights: what is less like counts much less."""

_K1: Final = 20
_K2: Final = 6
_SHARE: Final = 0.3
_OVERLAP: Final = 2 / 3


def expanded(query: Vectors, found: Vectors, *, power: float = 0.0) -> Vectors:
    """The direction between a query and its first neighbours, ``(dim,)``, weighed by their cosines to a *power*.

    0 is average query expansion (Chum et al., "Total Recall", ICCV 2007), above it alpha-weighted (Radenović, Tolias
    and Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019).
    """
    weights = np.maximum(found @ query, 0) ** np.float32(power)
    direction: Vectors = normalized((query + weights @ found)[None])[0]
    return direction


def augmented(found: Vectors, *, near: int = NEAR, power: float = POWER) -> Vectors:
    """What was found ``(n, dim)``, each vector averaged with its own neighbours among the others.

    Database-side augmentation (Turcot and Lowe, "Better matching with fewer features", ICCV workshops 2009;
    Arandjelović and Zisserman, CVPR 2012), limited to what was found, with the weights of `expanded`.
    """
    products = found @ found.T
    near = min(near + 1, len(found))
    beside = np.argpartition(-products, near - 1, axis=1)[:, :near]
    weights = np.zeros_like(products)
    np.put_along_axis(weights, beside, np.maximum(np.take_along_axis(products, beside, axis=1), 0) ** power, axis=1)
    return normalized(np.ascontiguousarray(weights @ found))


def nearest(query: Vectors, found: Vectors) -> Order:
    """What was found by its cosine to the query."""
    return np.argsort(-(found @ query), kind="stable")


def reciprocal(query: Vectors, found: Vectors, *, k1: int = _K1, k2: int = _K2, share: float = _SHARE) -> Order:
    """What was found ordered by how far its neighbours are the query's neighbours too, and both each other's.

    k-reciprocal encoding (Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017),
    limited to what was found.

    Args:
        query: ``(dim,)``.
        found: ``(n, dim)``.
        k1: neighbours that count as near.
        k2: neighbours whose sets are averaged.
        share: of the plain distance in the final one; the rest is Jaccard's between sets of neighbours.
    """
    everything = np.concatenate([query[None], found])
    gaps = 1 - everything @ everything.T
    ranks = _ranks(gaps)
    sets = np.where(_encoded(ranks, k1), np.exp(-gaps), 0)
    sets /= sets.sum(axis=1, keepdims=True)
    averaged: NDArray[np.float32] = sets[ranks[:, :k2]].mean(axis=1)
    common = np.minimum(averaged[0], averaged[1:]).sum(axis=1)
    jaccard = 1 - common / (2 - common)
    return np.argsort((1 - share) * jaccard + share * gaps[0, 1:], kind="stable")


def _ranks(gaps: NDArray[np.float32]) -> Order:
    """The others of each row, nearest first and itself before them: its own copies are as near, and may be many."""
    first = gaps.copy()
    np.fill_diagonal(first, -np.inf)
    return np.argsort(first, axis=1, kind="stable")


def _encoded(ranks: Order, k1: int) -> NDArray[np.bool_]:
    """For each row the rows that are its reciprocal neighbours, and those of such of them as are much like it."""
    wide, half = (_mutual(ranks, k) for k in (k1, k1 // 2))
    common = wide.astype(np.float32) @ half.T.astype(np.float32)
    joining = wide & (common > _OVERLAP * half.sum(axis=1))
    joined: NDArray[np.bool_] = wide | (joining.astype(np.float32) @ half.astype(np.float32) > 0)
    return joined


def _mutual(ranks: Order, k: int) -> NDArray[np.bool_]:
    near = np.zeros(ranks.shape, np.bool_)
    np.put_along_axis(near, ranks[:, : k + 1], True, axis=1)
    return near & near.T
