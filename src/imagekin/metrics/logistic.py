"""Logistic regression of a few features, by Newton's method."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_TURNS: Final = 100
_BOLD: Final = 2.0
_RIDGE: Final = 1e-6
"""A penalty by which cases that are told apart without an error give no infinite weights."""


def fitted(
    rows: Numbers, wanted: Numbers, weights: Numbers, *, prior: Numbers | None = None, trust: float = _RIDGE
) -> Numbers:
    """The weights of the features under which what is wanted is most likely, ``(d,)``.

    Args:
        rows: features, of about unit size, ``(n, d)``.
        wanted: probabilities that are to come out, 0 … 1, ``(n,)``.
        weights: what each row counts, ``(n,)``; only their ratios matter.
        prior: weights that are likely beforehand, ``(d,)``, around which they are normally distributed; None for 0.
        trust: what that counts, in shares of all rows.
    """
    usual = np.zeros(rows.shape[1]) if prior is None else prior
    found, shares = usual.copy(), weights / weights.sum()
    for _ in range(_TURNS):
        likely = probability(rows @ found)
        pull = rows.T @ (shares * (likely - wanted)) + trust * (found - usual)
        curve = (rows * (shares * likely * (1 - likely))[:, None]).T @ rows + trust * np.eye(len(found))
        step = np.linalg.solve(curve, pull)
        found -= step * min(1.0, _BOLD / max(1e-12, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-9:
            break
    return found


def probability(odds: Numbers) -> Numbers:
    """The probabilities of log-odds."""
    likely: Numbers = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return likely
