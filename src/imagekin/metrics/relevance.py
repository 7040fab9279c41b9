"""What every measure starts from: which of the ranked neighbours are relevant, and how many could be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError

Scores: TypeAlias = NDArray[np.float64]
"""One figure for each query, shape ``(q,)``."""

Relevance: TypeAlias = NDArray[np.bool_]
"""Whether each ranked neighbour is relevant, nearest first, shape ``(q, n)``."""

Counts: TypeAlias = NDArray[np.int64]
"""R: how many items are relevant to each query in all that is searched, itself not counted, shape ``(q,)``, ≥ 1."""

Labels: TypeAlias = "NDArray[Any] | Sequence[Any]"
"""Class names or numbers, as an array or as (lists of) Python values."""


def relevance(neighbours_labels: Labels, query_labels: Labels) -> Relevance:
    """Which neighbours have their query's label, ``(q, n)``.

    Args:
        neighbours_labels: ``(q, n)`` labels of the ranked neighbours, nearest first, the query itself not among them;
            None stands for "no neighbour" or "no label" and is never relevant.
        query_labels: ``(q,)`` labels of the queries.

    Raises:
        InputError: shapes that do not fit, or a query without a label.
    """
    found, asked = _labels(neighbours_labels), _labels(query_labels)
    if asked.ndim != 1 or found.ndim != 2 or len(found) != len(asked):
        raise InputError(
            f"labels must have shapes (q, n) for neighbours and (q,) for queries, not {found.shape} and {asked.shape}."
        )
    if any(label is None for label in asked):
        raise InputError("a query has no label (None); leave out queries that nothing can be relevant to.")
    return np.asarray(found == asked[:, None], np.bool_)


def as_relevance(relevant: ArrayLike, k: int | None = None) -> Relevance:
    """Check and convert to ``(q, n)`` flags; a *k* must lie within 1 … n.

    Raises:
        InputError: another shape, other values than true and false (1 and 0), or such a k.
    """
    array = np.asarray(relevant)
    if array.ndim != 2 or not (array.dtype == np.bool_ or np.isin(array, (0, 1)).all()):
        raise InputError(
            "relevance must be true or false for each query and neighbour, shape (q, n), "
            f"not {array.dtype} of shape {array.shape}."
        )
    if k is not None and not 1 <= k <= array.shape[1]:
        raise InputError(f"k is {k}; give a number from 1 to the {array.shape[1]} neighbours of each query.")
    return array.astype(np.bool_, copy=False)


def as_counts(counts: ArrayLike, flags: Relevance) -> Counts:
    """Check and convert R, ``(q,)``, against the neighbours that are relevant.

    Raises:
        InputError: another shape, no whole numbers, a query with R = 0, or fewer than were found.
    """
    array = np.asarray(counts)
    if array.shape != flags.shape[:1] or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"counts must be one whole number a query, shape {flags.shape[:1]}, not {array.dtype} of {array.shape}."
        )
    if (array < 1).any():
        raise InputError("a query has no relevant item (R = 0), so its figures are undefined; leave it out.")
    if (found := flags.sum(axis=1)).size and (found > array).any():
        row = int(np.argmax(found > array))
        raise InputError(f"query {row} found {found[row]} relevant items, but its count says {array[row]}.")
    return array.astype(np.int64)


def _labels(labels: Labels) -> NDArray[Any]:
    """Labels compared as Python compares them: NumPy would turn mixed ones into text, where 1 equals "1"."""
    if isinstance(labels, np.ndarray):
        return labels if labels.dtype == object else labels.astype(object)
    return np.array(labels, dtype=object)
