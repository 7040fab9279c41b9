"""Settings between those that were tried: a ladder has rungs, the best setting often lies between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

Settings = Mapping[str, Any]

_MORE: Final = 5


def between(tried: Sequence[Settings], best: Settings) -> list[Settings]:
    """Up to five settings between *best* and the next lower one that was tried, in each of its numbers; *best* last.

    Args:
        tried: all settings of the ladder.
        best: one of them.
    """
    found: list[Settings] = []
    for name, value in best.items():
        below = [
            each[name]
            for each in tried
            if each.keys() == best.keys() and each[name] < value and _elsewhere_equal(each, best, name)
        ]
        if below:
            found += [{**best, name: number} for number in _numbers(max(below), value)]
    return [*found, best]


def above(tried: Sequence[Settings], best: Settings) -> list[Settings]:
    """*best* and the next two above it on the ladder, in each of its numbers."""
    found: list[Settings] = [best]
    for name, value in best.items():
        more = [each for each in tried if each.keys() == best.keys() and _elsewhere_equal(each, best, name)]
        found += sorted((each for each in more if each[name] > value), key=itemgetter(name))[:2]
    return found


def _elsewhere_equal(one: Settings, other: Settings, name: str) -> bool:
    return all(one[key] == other[key] for key in one if key != name)


def _numbers(low: Any, high: Any) -> list[Any]:
    """Numbers strictly between, evenly; whole ones between whole ones."""
    if isinstance(low, int) and isinstance(high, int):
        step = max(1, -(-(high - low) // (_MORE + 1)))
        return list(range(low + step, high, step))
    return [round(low + (high - low) * share / (_MORE + 1), 6) for share in range(1, _MORE + 1)]
