"""Two pictures side by side, each under the heat of its places: where they agree, drawn with Pillow alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imagekin import ellipsis, images, plots
from imagekin.errors import InputError

if TYPE_CHECKING:
    from imagekin.comparing import Comparison, Heat
    from imagekin.images import Source

_PAPER: Final = (246, 246, 244)
_INK: Final = (28, 28, 30)
_SOFT: Final = (112, 112, 118)
_GAP: Final = 16
_LINE: Final = 20
_LARGEST: Final = 2_048
_LEGEND: Final = 200

_STOPS: Final = np.array(
    [(0, 0, 0, 130), (40, 11, 84, 120), (142, 37, 105, 105), (229, 92, 48, 110), (251, 180, 26, 125),
     (252, 255, 164, 140)], np.float32,
)  # fmt: skip
"""Colour and cover from nothing to the most: dark and greyish to light, so that it reads without colours too."""


def sheet(
    comparison: Comparison,
    query: Source,
    hit: Source,
    *,
    captions: tuple[str, str] | None = None,
    side: int = 420,
) -> Image.Image:
    """Draw both pictures, and below each the same under its heat.

    The colours of a picture run from nothing to what its strongest place adds, which the legend says; what the network
    did not see of a picture is paled.

    Args:
        comparison: of the two.
        query: anything that ``images.load`` takes.
        hit: likewise.
        captions: names to write; by default their paths, if they have some.
        side: of the square that each picture is fitted into, in pixels, 64 to 2,048.

    Returns:
        An RGB image.

    Raises:
        ImageError: a picture cannot be read.
        InputError: *side* is out of range.
    """
    if not 64 <= side <= _LARGEST:
        raise InputError(f"side is {side}; give 64 to {_LARGEST:,} pixels.")
    pictures = [_fitted(each, side) for each in (query, hit)]
    high = max(each.height for each in pictures)
    paper = Image.new("RGB", (3 * _GAP + 2 * side, 4 * _GAP + 2 * high + 4 * _LINE), _PAPER)
    draw = ImageDraw.Draw(paper)
    draw.text((_GAP, _GAP // 2), f"{comparison.similarity:.1%} alike", fill=_INK, font=ImageFont.load_default(size=20))
    names = captions or tuple(os.fspath(each) if isinstance(each, str | os.PathLike) else "" for each in (query, hit))
    for number, heat in enumerate((comparison.query, comparison.hit)):
        left, top = _GAP + number * (side + _GAP), _GAP + _LINE + _GAP // 2
        _write(draw, names[number], (left, top), side)
        shown = pictures[number]
        corner = left + (side - shown.width) // 2, top + _LINE + 4
        paper.paste(shown, corner)
        paper.paste(heated(shown, heat), (corner[0], corner[1] + high + _GAP))
        _legend(paper, heat, (left, corner[1] + 2 * high + _GAP + 8))
    return paper


def heated(picture: Image.Image, heat: Heat) -> Image.Image:
    """A picture, shown whole at any size, under its heat."""
    shares, seen = _spread(heat, picture.size)
    colours = _colours(shares)
    grey = np.asarray(picture.convert("L"), np.float32)[..., None]
    base = 0.35 * np.asarray(picture, np.float32) + 0.65 * grey
    cover = colours[..., 3:] / 255
    mixed = base * (1 - cover) + colours[..., :3] * cover
    pale = 0.35 * base + 0.65 * np.array(_PAPER, np.float32)
    result = np.where(seen[..., None], mixed, pale)
    return Image.fromarray(np.clip(np.rint(result), 0, 255).astype(np.uint8), "RGB")


def _spread(heat: Heat, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """For each pixel of a picture its place's share of the strongest, 0…1, and whether the network saw it."""
    most = float(heat.values.max())
    shares = np.clip(heat.values / most, 0, 1) if most > 0 else np.zeros_like(heat.values)
    x, y, width, height = heat.box
    left, top = round(x * size[0]), round(y * size[1])
    extent = max(1, round((x + width) * size[0]) - left), max(1, round((y + height) * size[1]) - top)
    smooth = Image.fromarray(shares.astype(np.float32)).resize(extent, Image.Resampling.BICUBIC)
    spread, seen = Image.new("F", size), Image.new("1", size)
    spread.paste(smooth, (left, top))
    seen.paste(1, (left, top, left + extent[0], top + extent[1]))
    return np.clip(np.asarray(spread, np.float32), 0, 1), np.asarray(seen)


def _colours(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Red, green, blue and cover, 0…255, of shares 0…1: ``(…, 4)``."""
    at = shares * (len(_STOPS) - 1)
    low = np.minimum(at.astype(np.intp), len(_STOPS) - 2)
    part = (at - low)[..., None]
    colours: NDArray[np.float32] = _STOPS[low] * (1 - part) + _STOPS[low + 1] * part
    return colours


def _fitted(source: Source, side: int) -> Image.Image:
    photo = images.load(source, target=side)
    scale = min(side / photo.width, side / photo.height)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    return photo.image.resize(size, Image.Resampling.LANCZOS)


def _write(draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], width: int) -> None:
    font = ImageFont.load_default(size=14)
    shown = ellipsis.middle(plots.drawable(text), lambda row: font.getlength(row) <= width)
    draw.text(corner, shown, fill=_SOFT, font=font)


def _legend(paper: Image.Image, heat: Heat, corner: tuple[int, int]) -> None:
    """What the colours mean: from nothing to the most that a place adds."""
    left, top = corner
    shares = np.linspace(0, 1, _LEGEND, dtype=np.float32)[None].repeat(10, axis=0)
    bar = _colours(shares)[..., :3]
    paper.paste(Image.fromarray(bar.astype(np.uint8), "RGB"), (left, top + 4))
    text = f"0 … {max(0.0, float(heat.values.max())):.1%} from one of {heat.values.size} places"
    draw = ImageDraw.Draw(paper)
    draw.text((left + _LEGEND + 8, top), plots.drawable(text), fill=_SOFT, font=ImageFont.load_default(size=14))
