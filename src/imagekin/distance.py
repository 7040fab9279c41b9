"""Distances between vectors: smaller is closer, everywhere inside imagekin.

========= ======================= ============================================
name      distance                similarity shown to people
========= ======================= ============================================
cosine    1 − cos(q, x), 0 … 2    cos(q, x), clipped to 0 … 1
euclidean ‖q − x‖₂, not squared   1 / (1 + distance)
inner     −⟨q, x⟩                 ⟨q, x⟩
========= ======================= ============================================
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError, UnknownNameError
from imagekin.types import Distances, Vectors

METRICS: Final = ("cosine", "euclidean", "inner")

_FLOAT: Final = np.dtype(np.float32)
_VECDOT: Final[Any] = getattr(np, "vecdot", None)  # NumPy 2; three times as fast as einsum

LARGEST: Final = 1e15
"""The largest element that can be compared: squares of a million such add up to a float32."""

SMALL: Final = 1e-16
"""Lengths whose squares are still exact to float32's own precision."""


def check_metric(metric: str) -> str:
    """Return *metric* if it is known.

    Raises:
        UnknownNameError: it is not; the message lists the known ones.
    """
    if metric not in METRICS:
        raise UnknownNameError(f"no metric is called {metric!r}; known: {', '.join(METRICS)}.")
    return metric


def as_vectors(data: ArrayLike, dim: int | None = None, *, what: str = "vectors") -> Vectors:
    """Check and convert to finite, C-contiguous float32 of shape ``(n, dim)``; one vector becomes a batch of one.

    Args:
        data: any real array of shape ``(n, dim)`` or ``(dim,)``.
        dim: the expected length, or None for any.
        what: the noun used in messages.

    Raises:
        InputError: wrong shape or length, not numbers, NaN or infinity.
    """
    if type(data) is np.ndarray and data.dtype is _FLOAT and data.ndim == 2 and data.flags.c_contiguous:
        array: Vectors = data
    else:
        array = _converted(data, what=what, expected=_shape(dim))
    if array.ndim != 2 or (dim is not None and array.shape[1] != dim):
        raise InputError(f"{what} must have shape {_shape(dim)}, not {np.shape(data)}.")
    # one vector is finite if its sum of squares is; where that overflows, and for many, every element is looked at
    if len(array) != 1 or not math.isfinite(np.vdot(array, array)):
        finite = np.isfinite(array)
        if not finite.all():
            row = int(np.argmin(finite.all(axis=1)))
            raise InputError(f"{what} must be finite; row {row} holds NaN or infinity.")
    return array


def check_size(vectors: NDArray[Any], what: str, start: int = 0) -> None:
    """Refuse elements whose squares float32 cannot add up, and which therefore nothing could be near to.

    Raises:
        InputError: one lies beyond ``LARGEST``; rows are counted from *start*.
    """
    if vectors.dtype == np.float16 or not vectors.size or max(vectors.max(), -vectors.min()) <= LARGEST:
        return
    row = start + int(np.argmax((np.abs(vectors) > LARGEST).any(axis=1)))
    raise InputError(f"{what} must lie within ±{LARGEST:g}, for their squares to be compared; scale row {row}.")


def _shape(dim: int | None) -> str:
    return f"(n, {dim})" if dim is not None else "(n, dim)"


def _converted(data: ArrayLike, *, what: str, expected: str) -> Vectors:
    """*data* as C-contiguous float32, one vector as a batch of one."""
    try:
        array = np.asarray(data)
    except ValueError:
        raise InputError(f"{what} must have shape {expected}, not rows of unequal length.") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"{what} must be real numbers, not {array.dtype}.")
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused as such
            array = np.ascontiguousarray(array, dtype=np.float32)
    return array[None, :] if np.ndim(data) == 1 else array


def normalized(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1; a zero row stays zero.  Shape ``(n, dim)`` in and out."""
    if len(vectors) == 1:
        length = math.sqrt(np.vdot(vectors, vectors))
        if SMALL < length < math.inf:
            return vectors / length
    with np.errstate(over="ignore"):
        norms: Vectors = np.sqrt(_products(vectors, vectors))[:, None]
    if len(norms) and not (norms.min() > SMALL and norms.max() < np.inf):
        # squares of these do not fit into float32
        exact = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        exact[exact == 0] = 1
        scaled: Vectors = (vectors / exact).astype(np.float32)
        return scaled
    return vectors / norms


def pairwise(queries: Vectors, vectors: Vectors, metric: str = "cosine") -> Distances:
    """Distances between every query and every vector, shape ``(q, n)``, float32.

    A zero vector has cosine 0 with everything (distance 1), itself included.
    """
    check_metric(metric)
    if metric == "inner":
        return -(queries @ vectors.T)
    if metric == "cosine":
        result: Distances = np.float32(1) - normalized(queries) @ normalized(vectors).T
        return np.clip(result, 0, 2, out=result)
    gaps = [np.linalg.norm(vectors - query, axis=1) for query in queries]
    return np.asarray(gaps, dtype=np.float32).reshape(len(queries), len(vectors))


def rowwise(queries: Vectors, vectors: NDArray[np.float32], metric: str = "cosine") -> Distances:
    """Distances between each query and its own candidates: ``(q, dim)`` and ``(q, k, dim)`` to ``(q, k)``."""
    check_metric(metric)
    if metric == "euclidean":
        gaps: Distances = np.linalg.norm(vectors - queries[:, None, :], axis=2)
        return gaps
    if metric == "inner":
        return -_products(queries, vectors)
    with np.errstate(over="ignore"):
        lengths: Distances = np.sqrt(_products(vectors, vectors))
    if lengths.size and not (lengths.min() > SMALL and lengths.max() < np.inf):
        vectors = normalized(vectors.reshape(-1, vectors.shape[-1])).reshape(vectors.shape)
        lengths[:] = 1
    result: Distances = np.subtract(1, _products(normalized(queries), vectors) / lengths, dtype=np.float32)
    np.maximum(result, 0, out=result)  # clip does the same, but takes as long as all the rest of one query
    return np.minimum(result, 2, out=result)


def _products(left: NDArray[np.float32], right: NDArray[np.float32]) -> Distances:
    """Inner products of vectors at the same place, or of one of *left*, ``(q, dim)``, with each of a line."""
    if left.ndim < right.ndim:
        left = left[:, None, :]
    if _VECDOT is not None:
        products: Distances = _VECDOT(left, right)
        return products
    products = np.einsum("...d,...d->...", left, right)
    return products


def similarity(distance: float, metric: str = "cosine") -> float:
    """The figure a person is shown for *distance* (see the table above)."""
    check_metric(metric)
    if metric == "cosine":
        return min(max(1.0 - distance, 0.0), 1.0)
    return -distance if metric == "inner" else 1.0 / (1.0 + distance)
