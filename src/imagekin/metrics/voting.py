"""Classification by the nearest neighbours: each votes for its class."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError

WEIGHTS: Final = ("uniform", "distance")
"""What a neighbour's vote weighs: 1, or 1 / its distance."""

_CELLS: Final = 1 << 22


def vote(codes: ArrayLike, distances: ArrayLike | None = None) -> NDArray[np.int64]:
    """The class that most of each query's neighbours have, ``(q,)``.

    With distances a vote weighs 1 / distance, and where neighbours lie at distance 0 only those vote, as scikit-learn's
    ``KNeighborsClassifier(weights="distance")`` does.  Of classes with equally many votes the one whose nearest
    neighbour comes first wins.

    Args:
        codes: ``(q, k)`` numbers of the neighbours' classes, ≥ 0, nearest first; −1 stands for "no neighbour".
        distances: ``(q, k)``, ≥ 0, or None for votes of equal weight.

    Returns:
        Class numbers; −1 for a query without neighbours.

    Raises:
        InputError: shapes that do not fit, k below 1, or a negative distance or NaN.
    """
    classes = np.asarray(codes)
    if classes.ndim != 2 or classes.shape[1] < 1 or classes.dtype.kind not in "iu":
        raise InputError(f"codes must be whole numbers of shape (q, k), not {classes.dtype} of shape {classes.shape}.")
    weights = (classes >= 0).astype(np.float64) if distances is None else _weights(classes, np.asarray(distances))
    winners = np.empty(len(classes), np.int64)
    step = max(1, _CELLS // classes.shape[1] ** 2)
    for at in range(0, len(classes), step):
        some, weighed = classes[at : at + step], weights[at : at + step]
        votes = np.einsum("qij,qj->qi", some[:, :, None] == some[:, None, :], weighed)
        votes[some < 0] = -1
        winners[at : at + step] = np.take_along_axis(some, np.argmax(votes, axis=1)[:, None], axis=1)[:, 0]
    return winners


def support(codes: ArrayLike, distances: ArrayLike, wanted: ArrayLike) -> NDArray[np.float64]:
    """The share of each query's votes, weighed by 1 / distance as ``vote`` does, that a class has, ``(q,)``.

    Args:
        codes: ``(q, k)`` as for ``vote``.
        distances: ``(q, k)`` likewise.
        wanted: ``(q,)`` the class that is asked about.
    """
    classes = np.asarray(codes)
    weights = _weights(classes, np.asarray(distances)).astype(np.float64)
    total = weights.sum(axis=1)
    own = np.where(classes == np.asarray(wanted)[:, None], weights, 0).sum(axis=1)
    shares: NDArray[np.float64] = own / np.where(total > 0, total, 1)
    return shares


def confusion_matrix(true: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """How many queries of class i (row) were taken for class j (column), ``(classes, classes)``.

    Args:
        true: ``(q,)`` class numbers within 0 … classes − 1.
        predicted: ``(q,)`` likewise.
        classes: how many there are.

    Raises:
        InputError: shapes that differ, or a number out of range.
    """
    asked, answered = np.asarray(true, np.int64), np.asarray(predicted, np.int64)
    if asked.ndim != 1 or asked.shape != answered.shape:
        raise InputError(f"true and predicted must have one shape (q,), not {asked.shape} and {answered.shape}.")
    both = np.concatenate([asked, answered])
    if both.size and not (both.min() >= 0 and both.max() < classes):
        raise InputError(f"class numbers must lie within 0 … {classes - 1}, not {both.min()} … {both.max()}.")
    return np.bincount(asked * classes + answered, minlength=classes * classes).reshape(classes, classes)


def _weights(classes: NDArray[np.int64], distances: NDArray[np.float64]) -> NDArray[np.float64]:
    if distances.shape != classes.shape or not (distances >= 0).all():
        raise InputError(f"distances must be 0 or more, one a neighbour, shape {classes.shape}.")
    there = classes >= 0
    same = (distances == 0) & there
    with np.errstate(divide="ignore"):
        weights = 1 / distances.astype(np.float64)
    return np.where(same.any(axis=1, keepdims=True), same, np.where(there, weights, 0.0))
