"""Many small pictures on one sheet, a name under each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from imagekin import ellipsis, images, plots
from imagekin.errors import ImagekinError

_PAPER: Final = (255, 255, 255)
_INK: Final = (60, 60, 64)
_GREY: Final = (226, 226, 222)
_GAP: Final = 8
_NAME: Final = 20
_SIZE: Final = 12


def montage(tiles: Sequence[tuple[str, str | os.PathLike[str]]], *, columns: int = 11, tile: int = 96) -> Image.Image:
    """Draw pictures side by side, cropped to squares.

    A file that cannot be read is a grey square; nothing is raised for it.

    Args:
        tiles: name and path of each.
        columns: pictures in a row.
        tile: side of a picture in pixels.

    Returns:
        An RGB image.
    """
    across = max(1, min(columns, len(tiles)))
    rows = -(-len(tiles) // across)
    wide, high = tile + _GAP, tile + _NAME + _GAP
    paper = Image.new("RGB", (across * wide + _GAP, rows * high + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(size=_SIZE)
    for number, (name, path) in enumerate(tiles):
        left, top = _GAP + number % across * wide, _GAP + number // across * high
        paper.paste(_square(path, tile), (left, top))
        shown = ellipsis.middle(plots.drawable(name, _SIZE), lambda text: font.getlength(text) <= tile)
        draw.text((left, top + tile + 3), shown, fill=_INK, font=font)
    return paper


def _square(path: str | os.PathLike[str], tile: int) -> Image.Image:
    try:
        picture = images.load(path, target=2 * tile).image
    except ImagekinError:
        return Image.new("RGB", (tile, tile), _GREY)
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.resize((tile, tile), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
