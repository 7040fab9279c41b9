"""How far a figure can be trusted: 95 % intervals."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError

RESAMPLES: Final = 2000
"""Draws of a bootstrap; the ends of its interval then move by a few per cent of its width from seed to seed."""

_Z95: Final = 1.959963984540054
_CELLS: Final = 1 << 22


def class_bootstrap(
    sums: ArrayLike, counts: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % intervals of means over queries, resampled by whole classes.

    The queries of a class succeed and fail together, so a bootstrap over queries gives intervals that are far too
    narrow.  Here classes are drawn with replacement, each with all its queries, and the mean over the drawn queries is
    taken (percentile bootstrap over clusters: Davison, Hinkley: Bootstrap Methods, 1997, 3.8; Field, Welsh 2007).

    Args:
        sums: ``(c, m)`` sums of m figures over the queries of each class, or ``(c,)`` of one.
        counts: ``(c,)`` queries of each class; classes without queries are passed over.
        resamples: draws.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        Lower and upper ends, ``(m,)`` each (``()`` for sums ``(c,)``).

    Raises:
        InputError: shapes that do not fit, or no class with a query.
    """
    totals, sizes = np.asarray(sums, np.float64), np.asarray(counts, np.float64)
    if sizes.ndim != 1 or totals.ndim not in (1, 2) or len(totals) != len(sizes) or not (sizes > 0).any():
        raise InputError(
            "sums and counts must have shapes (c, m) and (c,) with at least one query in all, "
            f"not {totals.shape} and {sizes.shape}."
        )
    shape = totals.shape[1:]
    totals, sizes = totals.reshape(len(sizes), -1)[sizes > 0], sizes[sizes > 0]
    random = np.random.default_rng(seed)
    means = np.empty((resamples, totals.shape[1]))
    step = max(1, _CELLS // len(sizes))
    for at in range(0, resamples, step):
        draws = _draws(random, len(sizes), min(step, resamples - at))
        means[at : at + len(draws)] = (draws @ totals) / (draws @ sizes)[:, None]
    low, high = np.percentile(means, (2.5, 97.5), axis=0)
    return low.reshape(shape), high.reshape(shape)


def wilson(hits: float, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927): sound near 0 and 1, where the usual ± is not.

    Args:
        hits: 0 … trials.
        trials: independent ones, ≥ 1.

    Raises:
        InputError: no trial, or more hits than trials.
    """
    if not 0 <= hits <= trials or trials < 1:
        raise InputError(f"hits must lie within 0 … trials, and trials be 1 or more, not {hits} of {trials}.")
    share, square = hits / trials, _Z95 * _Z95 / trials
    middle = (share + square / 2) / (1 + square)
    half = _Z95 * float(np.sqrt(share * (1 - share) / trials + square / (4 * trials))) / (1 + square)
    low, high = middle - half, middle + half  # at 0 and 1 they end there, but for rounding
    return 0.0 if hits == 0 else low, 1.0 if hits == trials else high


def _draws(random: np.random.Generator, classes: int, number: int) -> NDArray[np.float64]:
    """How often each class is drawn in each resample, ``(number, classes)``; every row sums to *classes*."""
    picked = random.integers(0, classes, (number, classes))
    flat = (picked + np.arange(number)[:, None] * classes).ravel()
    return np.bincount(flat, minlength=number * classes).reshape(number, classes).astype(np.float64)
