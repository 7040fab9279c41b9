"""Places of a map snapped to a grid, one picture a cell."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.maps.records import Places

EXACT: Final = 1_600
"""Pictures up to which the cells are given out so that all together move least, in about a second."""


def snapped(xy: Places, *, ratio: float | None = None) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Give every place a cell of its own so that the order of the map stays.

    Few places get the cells that make the sum of their squared moves least (linear assignment; Jonker and Volgenant,
    1987), where SciPy is there.  Many are halved again and again, left and right, below and above, with the cells
    (Hilasaca and others, "A grid-based method for removing overlaps of dimensionality reduction scatterplot layouts",
    2019): n log² n, and neighbours stay near.

    Args:
        xy: ``(n, 2)``.
        ratio: width of the grid over its height; by default the map's own, within 1:2 and 2:1.

    Returns:
        Column and row ``(n, 2)`` of each, row 0 being the top; and how many columns and rows there are.

    Raises:
        InputError: the ratio is not positive.
    """
    n = len(xy)
    if ratio is not None and not (math.isfinite(ratio) and ratio > 0):
        raise InputError(f"a grid's ratio of width to height is positive, not {ratio!r}.")
    if not n:
        return np.empty((0, 2), np.int64), (0, 0)
    low, high = xy.min(axis=0).astype(np.float64), xy.max(axis=0).astype(np.float64)
    extent = np.maximum(high - low, 1e-9)
    shape = float(np.clip(extent[0] / extent[1], 0.5, 2)) if ratio is None else ratio
    columns = max(1, min(n, round(math.sqrt(n * shape))))
    rows = -(-n // columns)
    columns = -(-n // rows)
    flat = (xy - low) / extent * (columns, -rows) + (0, rows)  # in cells, downwards
    cells = _least(flat, columns, rows) if n <= EXACT else None
    return (_halved(flat, columns, rows) if cells is None else cells), (columns, rows)


def _least(flat: NDArray[np.float64], columns: int, rows: int) -> NDArray[np.int64] | None:
    """The assignment of least squared moves; None without SciPy."""
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        return None
    across, down = np.meshgrid(np.arange(columns), np.arange(rows))
    cells = np.column_stack([across.ravel(), down.ravel()])
    middles = cells + 0.5
    costs = (flat[:, :1] - middles[None, :, 0]) ** 2 + (flat[:, 1:] - middles[None, :, 1]) ** 2
    _, taken = linear_sum_assignment(costs)
    return np.asarray(cells[taken], np.int64)


def _halved(flat: NDArray[np.float64], columns: int, rows: int) -> NDArray[np.int64]:
    """Split places and cells together until each place has one cell."""
    cells = np.zeros((len(flat), 2), np.int64)
    waiting = [(np.arange(len(flat)), 0, 0, columns, rows)]
    while waiting:
        some, left, top, wide, high = waiting.pop()
        if len(some) == 1:
            cells[some[0]] = left + wide // 2, top + high // 2
            continue
        axis = 0 if wide >= high else 1
        length, other = (wide, high) if axis == 0 else (high, wide)
        half = length // 2
        count = min(half * other, len(some))  # cells that are left over end up together, in the last corner
        ordered = some[np.argsort(flat[some, axis], kind="stable")]
        for part, start, size in ((ordered[:count], 0, half), (ordered[count:], half, length - half)):
            if len(part):
                place = (left + start, top, size, high) if axis == 0 else (left, top + start, wide, size)
                waiting.append((part, *place))
    return cells
