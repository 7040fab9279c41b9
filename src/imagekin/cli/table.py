"""Plain text tables that fit a terminal: every cell is escaped, one column gives way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import click

from imagekin import ellipsis, escape

_SAMPLE = 500
_GAP = 2
_LEAST = 16


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: its heading.
        right: whether its cells stand to the right, as numbers do.
        most: cells wider than this have their middle cut out; None for no limit.
    """

    title: str
    right: bool = False
    most: int | None = None


def render(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None) -> Iterator[str]:
    """The lines of a table, heading first, as they come: a million rows take no memory.

    The last column takes what room is left of *width* (None: all it wants); its cells have their middle cut out to fit.
    Widths come from the first 500 rows.
    """
    safe = ([escape.terminal(cell) for cell in row] for row in rows)
    first = list(islice(safe, _SAMPLE))
    widths = [_column_width(column, at, first) for at, column in enumerate(columns[:-1])]
    room = None if width is None else max(_LEAST, width - sum(widths) - _GAP * len(widths))
    yield click.style(_line(columns, [column.title for column in columns], widths, room), bold=True)
    for row in chain(first, safe):
        yield _line(columns, row, widths, room)


def _column_width(column: Column, at: int, rows: Sequence[Sequence[str]]) -> int:
    widest = max([ellipsis.cells(column.title), *(ellipsis.cells(row[at]) for row in rows)])
    return widest if column.most is None else min(widest, max(column.most, len(column.title)))


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], room: int | None) -> str:
    parts = [_padded(cell, width, column.right) for column, cell, width in zip(columns, row, widths, strict=False)]
    last = row[-1] if room is None else ellipsis.to_cells(row[-1], room)
    return (" " * _GAP).join([*parts, last]).rstrip()


def _padded(cell: str, width: int, right: bool) -> str:
    if right:  # a number is never cut, even where it is wider than the first 500
        return " " * (width - ellipsis.cells(cell)) + cell
    cut = ellipsis.to_cells(cell, width)
    return cut + " " * (width - ellipsis.cells(cut))
