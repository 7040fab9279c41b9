"""A map of a collection into a file: a page, a plot, a mosaic or bare coordinates, as the suffix says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagekin import figures
from imagekin.errors import InputError
from imagekin.evaluation.records import Progress
from imagekin.maps import fields, mosaic, saved, scatter, webpage
from imagekin.maps.fields import Field
from imagekin.maps.records import Map
from imagekin.replacement import place

if TYPE_CHECKING:
    from imagekin.collection import Collection

PAGES: Final = (".html", ".htm")
BARE: Final = ".npz"


@dataclass(frozen=True, slots=True)
class Style:
    """How a map is drawn.

    Attributes:
        colour: field that it is coloured by; by default the label, if there is one.
        pictures: a plot with pictures in place of points.
        grid: these on a grid.
        thumbnails: pixels of a picture's side, in a page and in a plot with pictures; 0 for a page without pictures;
            None for what suits so many.
        neighbours: nearest pictures that a click shows in a page.
    """

    colour: str | None = None
    pictures: bool = False
    grid: bool = False
    thumbnails: int | None = None
    neighbours: int = webpage.NEIGHBOURS

    def check(self, photos: Collection, targets: Iterable[Path]) -> None:
        """See that a collection can be drawn so: to be asked before long work.

        Raises:
            InputError: no such field, or a number out of range.
        """
        for target in targets:
            if target.suffix.lower() in PAGES:
                webpage.check(self.thumbnails, self.neighbours)
            elif self.thumbnails is not None:
                mosaic.check(self.thumbnails)
        if self.colour is not None:
            fields.chosen(fields.of_items(list(photos.items())), self.colour)


def writable(path: str | os.PathLike[str]) -> Path:
    """The file to draw into, once its suffix and folder are known to be good: to be asked before long work.

    Raises:
        InputError: another suffix, or no such folder.
        MissingPackageError: it is a plot and matplotlib is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix in figures.SUFFIXES:
        return figures.writable(path)
    if suffix not in (*PAGES, BARE):
        known = ", ".join((PAGES[0], *figures.SUFFIXES))
        raise InputError(f"cannot write {os.fspath(path)!r}: a map is drawn as {known}, and its coordinates as {BARE}.")
    return place(path)


def draw(
    photos: Collection,
    made: Map,
    path: str | os.PathLike[str],
    style: Style | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Draw a map of a collection into a file, in place of one that may be there.

    Args:
        photos: the collection that was laid out.
        made: its map.
        path: ``.html`` for a page, ``.png`` and the like for a plot, ``.npz`` for what ``maps.open`` reads.
        style: how.
        progress: called now and then.

    Raises:
        InputError: another suffix, no such field, a picture that has left the collection, or it cannot be written.
        MissingPackageError: it is a plot and matplotlib is not installed.
    """
    target, style = writable(path), style or Style()
    if target.suffix.lower() == BARE:
        return saved.save(made, target)
    if target.suffix.lower() in PAGES:
        content = webpage.of_collection(
            photos,
            made,
            neighbours=style.neighbours,
            side=style.thumbnails,
            colour=style.colour,
            progress=progress,
        )
        return webpage.save(content, target)
    items = photos.get(made.ids)
    field = _field(fields.of_items(items), style.colour)
    if not (style.pictures or style.grid):
        return figures.save(scatter.figure(made, field), target)
    paths = [item.path for item in items]
    drawn = mosaic.figure(made, paths, field, snap=style.grid, tile=style.thumbnails, progress=progress)
    return figures.save(drawn, target)


def _field(found: list[Field], name: str | None) -> Field | None:
    if name is not None:
        return fields.chosen(found, name)
    return next((field for field in found if field.name == "label"), None)
