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

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError, UnknownNameError
from imagekin.types import Distances, Vectors

METRICS: Final = ("cosine", "euclidean", "inner")

_SMALL: Final = 1e-16
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
    expected = f"(n, {dim})" if dim is not None else "(n, dim)"
    try:
        array = np.asarray(data)
    except ValueError:
        raise InputError(f"{what} must have shape {expected}, not rows of unequal length.") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"{what} must be real numbers, not {array.dtype}.")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
        array = np.ascontiguousarray(array, dtype=np.float32)
    if np.ndim(data) == 1:
        array = array[None, :]
    if array.ndim != 2 or (dim is not None and array.shape[1] != dim):
        raise InputError(f"{what} must have shape {expected}, not {np.shape(data)}.")
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise InputError(f"{what} must be finite; row {int(np.argmin(finite))} holds NaN or infinity.")
    return array


def normalized(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1; a zero row stays zero.  Shape ``(n, dim)`` in and out."""
    norms: Vectors = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    if len(norms) and not (norms.min() > _SMALL and norms.max() < np.inf):
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
    if metric == "cosine":
        shape = vectors.shape
        vectors = normalized(vectors.reshape(-1, shape[-1])).reshape(shape)
        queries = normalized(queries)
    products: Distances = np.einsum("qd,qkd->qk", queries, vectors)
    if metric == "inner":
        return -products
    result: Distances = np.float32(1) - products
    return np.clip(result, 0, 2, out=result)


def similarity(distance: float, metric: str = "cosine") -> float:
    """The figure a person is shown for *distance* (see the table above)."""
    check_metric(metric)
    if metric == "cosine":
        return min(max(1.0 - distance, 0.0), 1.0)
    return -distance if metric == "inner" else 1.0 / (1.0 + distance)
