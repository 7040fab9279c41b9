"""A map as pictures in place of points: as many as have room, or all of them on a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from imagekin import figures
from imagekin.errors import InputError
from imagekin.evaluation.records import Progress
from imagekin.maps import colours, grid, naming, scatter, thumbnails
from imagekin.maps.fields import Field
from imagekin.maps.records import Map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE: Final = 3_000
"""Pixels of a mosaic's longer side."""

_PAPER: Final = (250, 250, 249)
_GREY: Final = (188, 188, 190)
_LARGEST: Final = 160
_SMALLEST: Final = 12
_WIDEST: Final = 1_024
_LONGEST: Final = 16_000
_WIDTH: Final = 14.0
_HEAD: Final = 0.75
_EDGE: Final = 0.45


def figure(made: Map, paths: Sequence[str], field: Field | None = None, **how: Any) -> Figure:
    """``picture`` with a heading, as a matplotlib figure; arguments and errors as there.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    figures.need()
    drawn_on = picture(made, paths, field, **how)
    high = _WIDTH - 2 * _EDGE
    high *= drawn_on.height / drawn_on.width
    whole = _HEAD + high + _EDGE
    drawn = figures.new(_WIDTH, whole, dpi=max(60, round(drawn_on.width / (_WIDTH - 2 * _EDGE))))
    drawn.set_layout_engine("none")
    axes = drawn.add_axes((_EDGE / _WIDTH, _EDGE / whole, 1 - 2 * _EDGE / _WIDTH, high / whole))
    axes.imshow(np.asarray(drawn_on), interpolation="antialiased", aspect="auto")
    axes.axis("off")
    scatter.heading(drawn, made, field if field is not None and field.kind == "class" else None)
    return drawn


def picture(
    made: Map,
    paths: Sequence[str],
    field: Field | None = None,
    *,
    snap: bool = False,
    tile: int | None = None,
    side: int = SIDE,
    progress: Callable[[Progress], None] | None = None,
) -> Image.Image:
    """Draw a map with pictures in place of points, none of which hides another.

    Where pictures lie too close together, some are drawn and the others are dots, chosen at random by the map's seed,
    so that what is drawn is a fair sample of each region.  Snapped to a grid, the middle squares of all are drawn and
    distances are lost.

    Args:
        made: the map.
        paths: of its pictures, in its order.
        field: of classes; a picture's frame and a dot have the colour of their class.
        snap: whether to give each picture a cell of a grid.
        tile: pixels of a picture's longer side; by default what suits so many.
        side: pixels of the whole's longer side.
        progress: called now and then.

    Raises:
        InputError: the paths or the field are of other pictures, or the tile is out of range.
    """
    scatter.check(made, field)
    if len(paths) != len(made):
        raise InputError(f"{len(paths):,} paths were given for a map of {len(made):,} pictures.")
    if tile is not None:
        check(tile)
    job = _Job(made, paths, _looks(made, field), tile, side, progress)
    return job.on_grid() if snap else job.freely()


def check(tile: int) -> None:
    """See that a tile may have so many pixels.

    Raises:
        InputError: it may not.
    """
    if not _SMALLEST <= tile <= _WIDEST:
        raise InputError(f"a picture of a plot has {_SMALLEST} to {_WIDEST} pixels a side, not {tile!r}.")


def _looks(made: Map, field: Field | None) -> list[str] | None:
    """The colour of each picture's class; None where there are no classes."""
    if field is None or field.kind != "class":
        return None
    numbers = colours.assigned(naming.peaks(made.xy, field.codes, len(field.names)), field.sizes)
    return [colours.NONE if code < 0 else colours.colour(int(numbers[code])) for code in field.codes.tolist()]


@dataclass(frozen=True)
class _Job:
    """One mosaic to be drawn: a map, its pictures, and the colour of each one's class."""

    made: Map
    paths: Sequence[str]
    looks: Sequence[str] | None
    tile: int | None
    side: int
    progress: Callable[[Progress], None] | None

    def on_grid(self) -> Image.Image:
        """Every picture in a cell of its own."""
        cells, (columns, rows) = grid.snapped(self.made.xy)
        size = min(self.side // max(columns, rows), _LARGEST) if self.tile is None else self.tile
        if size < _SMALLEST or size * max(columns, rows) > _LONGEST:
            raise InputError(
                f"{len(self.made):,} pictures on a grid of {columns} x {rows} are too small to be seen, or need more "
                f"than the {_LONGEST:,} pixels a side that a plot may have; draw fewer with limit, or without the grid."
            )
        paper = Image.new("RGB", (columns * size, rows * size), _PAPER)
        shown = thumbnails.cut(self.paths, size - (2 if self.looks is None else 4), self.progress)
        _paste(paper, shown, cells * size + size // 2, self.looks, size)
        return paper

    def freely(self) -> Image.Image:
        """Pictures where they lie, as many as have room, and dots."""
        size = self.tile or int(np.clip(2.0 * self.side / np.sqrt(max(len(self.made), 1)), 32, _LARGEST))
        extent = np.maximum(np.abs(self.made.xy).max(axis=0, initial=0), 0.3)
        scale = (self.side - size) / 2 / extent.max()
        width, height = (int(2 * scale * each + size) for each in extent)
        middles = ((width / 2, height / 2) + scale * self.made.xy * (1, -1)).round().astype(np.int64)
        rows = fitting(middles, size, self.made.seed)
        paper = Image.new("RGB", (width, height), _PAPER)
        draw, radius = ImageDraw.Draw(paper), max(2, size // 18)
        for row, (x, y) in enumerate(middles.tolist()):
            colour = self.looks[row] if self.looks is not None else colours.NONE
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
        shown = thumbnails.fitted([self.paths[row] for row in rows.tolist()], size - 4, self.progress)
        looks = None if self.looks is None else [self.looks[row] for row in rows.tolist()]
        _paste(paper, shown, middles[rows], looks, size)
        return paper


def fitting(middles: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """Rows of places, chosen at random, that can all have a square of *size* without touching another; ascending."""
    taken: dict[tuple[int, int], tuple[int, int]] = {}
    kept = []
    for row in np.random.default_rng(seed).permutation(len(middles)).tolist():
        x, y = int(middles[row, 0]), int(middles[row, 1])
        across, down = x // size, y // size
        near = (taken.get((across + dx, down + dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1))
        if all(other is None or abs(other[0] - x) >= size or abs(other[1] - y) >= size for other in near):
            taken[across, down] = x, y
            kept.append(row)
    return np.array(sorted(kept), np.int64)


def _paste(
    paper: Image.Image,
    pictures: Iterable[Image.Image | None],
    middles: NDArray[np.int64],
    looks: Sequence[str] | None,
    size: int,
) -> None:
    """Pictures around their middles, each with a frame in its colour where there is room for one."""
    frame = max(1, size // 32) if looks is not None and size >= 24 else 0
    draw = ImageDraw.Draw(paper)
    for row, shown in enumerate(pictures):
        small = shown if shown is not None else Image.new("RGB", (size // 2, size // 2), _GREY)
        left, top = (int(middles[row, axis]) - small.size[axis] // 2 for axis in (0, 1))
        if frame and looks is not None:
            box = (left - frame, top - frame, left + small.width + frame - 1, top + small.height + frame - 1)
            draw.rectangle(box, looks[row])
        paper.paste(small, (left, top))
