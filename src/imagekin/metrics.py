"""Figures that say how good a ranking is, from the labels of what was found.

Every function answers one number a query, so that the caller can average over queries, over classes, or resample.
Whoever ranks leaves a query's own item out by its id; dropping the first hit instead is wrong where copies tie with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError

Scores = NDArray[np.float64]
"""One figure for each query, shape ``(q,)``."""

Labels: TypeAlias = "NDArray[Any] | Sequence[Any]"
"""Class names or numbers, as an array or as (lists of) Python values."""


def precision_at_k(neighbours_labels: Labels, query_labels: Labels, k: int) -> Scores:
    """Share of each query's k nearest that have its label: the sum of rel_i over i ≤ k, divided by k.

    The divisor is k even where fewer than k images are relevant (dividing by min(k, R) is another measure), so a query
    whose class has fewer than k other members cannot reach 1.

    Args:
        neighbours_labels: ``(q, n)`` labels of the ranked neighbours, nearest first, n ≥ k, the query itself not among
            them; None stands for "no neighbour" or "no label" and is never relevant.
        query_labels: ``(q,)`` labels of the queries.
        k: ≥ 1.

    Returns:
        ``(q,)`` figures within 0 … 1, in the order of the queries.

    Raises:
        InputError: k below 1 or above n, shapes that do not fit, or a query without a label.
    """
    found, asked = _labels(neighbours_labels), _labels(query_labels)
    if asked.ndim != 1 or found.ndim != 2 or len(found) != len(asked):
        raise InputError(
            f"labels must have shapes (q, n) for neighbours and (q,) for queries, not {found.shape} and {asked.shape}."
        )
    if not 1 <= k <= found.shape[1]:
        raise InputError(f"k is {k}; give a number from 1 to the {found.shape[1]} neighbours of each query.")
    if any(label is None for label in asked):
        raise InputError("a query has no label (None); leave out queries that nothing can be relevant to.")
    relevant = found[:, :k] == asked[:, None]
    shares: Scores = relevant.astype(np.float64).mean(axis=1)
    return shares


def _labels(labels: Labels) -> NDArray[Any]:
    """Labels compared as Python compares them: NumPy would turn mixed ones into text, where 1 equals "1"."""
    if isinstance(labels, np.ndarray):
        return labels if labels.dtype == object else labels.astype(object)
    return np.array(labels, dtype=object)
