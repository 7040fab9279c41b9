"""Contestants in turns: what disturbs the machine disturbs them all, and ratios are taken within a round."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Samples = dict[str, list[float]]
"""One figure a round for each contestant."""


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """*work* as a contestant whose figure is its seconds."""

    def contestant() -> float:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    return contestant


def interleaved(contestants: Mapping[str, Callable[[], float]], rounds: int, *, warm: int = 1) -> Samples:
    """Run every contestant once a round; the order turns by one each round, so that nobody has a fixed predecessor.

    Args:
        contestants: by name; each returns its figure for one turn.
        rounds: that count.
        warm: rounds before them that do not.
    """
    names, samples = list(contestants), Samples()
    for number in range(-warm, rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            figure = contestants[name]()
            if number >= 0:
                samples.setdefault(name, []).append(figure)
    return samples


def spread(figures: Sequence[float], scale: float = 1.0) -> dict[str, Any]:
    """Median and quartiles of *figures* times *scale*, and how many there are."""
    low, middle, high = np.percentile(np.asarray(figures, np.float64) * scale, [25, 50, 75])
    return {"median": significant(middle), "p25": significant(low), "p75": significant(high), "rounds": len(figures)}


def percentiles(figures: Sequence[float], scale: float = 1.0) -> dict[str, Any]:
    """p50 and p99 of latencies."""
    middle, high = np.percentile(np.asarray(figures, np.float64) * scale, [50, 99])
    return {"p50": significant(middle), "p99": significant(high), "queries": len(figures)}


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, Any]:
    """Spread of the ratios within each round."""
    return spread([a / b for a, b in zip(above, below, strict=True)])


def significant(value: float, digits: int = 4) -> float:
    """*value* to so many significant digits: records need no more."""
    return float(f"{value:.{digits}g}")
