"""Picture sheets of confused pairs: pictures of one class beside the neighbours that voted for another."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from imagekin import ellipsis, plots
from imagekin.distance import similarity
from imagekin.errors import InputError
from imagekin.evaluation.records import Confusion, Evaluation, Example
from imagekin.store.base import as_hit

if TYPE_CHECKING:
    from imagekin.collection import Collection

_PAPER: Final = (246, 246, 244)
_INK: Final = (28, 28, 30)
_HEAD: Final = 52
_TILE: Final = 150
_NAME: Final = 40


def pair(photos: Collection, confusion: Confusion, *, metric: str = "cosine", tile: int = _TILE) -> Image.Image:
    """Draw a confused pair: each example with its nearest pictures, one below the other.

    Args:
        photos: the collection that was evaluated.
        confusion: with examples.
        metric: of the evaluation.
        tile: side of a thumbnail in pixels, at least 100.

    Raises:
        InputError: the pair has no examples, or a picture of it has left the collection.
    """
    if not confusion.examples:
        raise InputError(
            f"the pair {confusion.label!r} / {confusion.taken_for!r} has no examples; only the most confused have."
        )
    rows = [_row(photos, example, metric, tile) for example in confusion.examples]
    return headed(
        f"{confusion.label}, taken for {confusion.taken_for}: "
        f"{confusion.count:,} of {round(confusion.count / confusion.share):,} ({confusion.share:.0%})",
        rows,
    )


def headed(heading: str, rows: Sequence[Image.Image]) -> Image.Image:
    """Sheets one below the other, under a line of text, which is shortened to fit."""
    paper = Image.new("RGB", (max(row.width for row in rows), _HEAD + sum(row.height for row in rows)), _PAPER)
    font = ImageFont.load_default(size=22)
    shown = ellipsis.middle(plots.drawable(heading, 22), lambda text: font.getlength(text) <= paper.width - 32)
    ImageDraw.Draw(paper).text((16, 18), shown, fill=_INK, font=font)
    top = _HEAD
    for row in rows:
        paper.paste(row, (0, top))
        top += row.height
    return paper


def save(photos: Collection, found: Evaluation, folder: str | os.PathLike[str], *, pairs: int = 12) -> list[Path]:
    """Write a sheet for each of the most confused pairs into *folder*, which is made if need be.

    Args:
        photos: the collection that was evaluated.
        found: its evaluation.
        folder: files of the same names in it are replaced.
        pairs: how many sheets at most.

    Returns:
        The files, ``01 cat - dog.jpg`` …, the most confused pair first.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    place = writable(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {os.fspath(folder)!r}: {error.strerror or error}.") from error
    drawn = [confusion for confusion in found.confusions if confusion.examples][:pairs]
    return [
        plots.save(pair(photos, confusion, metric=found.metric), place / _file_name(number, confusion))
        for number, confusion in enumerate(drawn, 1)
    ]


def writable(folder: str | os.PathLike[str]) -> Path:
    """The folder for sheets, once it is known that it can be made and written to: to be asked before long work.

    Raises:
        InputError: it, or what it would lie in, is a file or may not be written to.
    """
    place = Path(folder).expanduser()
    there = next(path for path in (place, *place.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        why = "may not be written to" if there.is_dir() else "is not a folder"
        raise InputError(f"cannot write sheets into {os.fspath(folder)!r}: {str(there)!r} {why}.")
    return place


def _row(photos: Collection, example: Example, metric: str, tile: int) -> Image.Image:
    query, *near = photos.get([example.id, *example.neighbours])
    hits = [
        as_hit(item, distance, similarity(distance, metric))
        for item, distance in zip(near, example.distances, strict=True)
    ]
    caption = f"{query.label}: {Path(query.path).name}"
    return plots.sheet(query.path, hits, caption=caption, columns=max(1, len(hits)), tile=tile)


def _file_name(number: int, confusion: Confusion) -> str:
    names = (
        re.sub(r"[^\w.-]+", "_", label).strip("._")[:_NAME] or "class"
        for label in (confusion.label, confusion.taken_for)
    )
    return f"{number:02} {' - '.join(names)}.jpg"
