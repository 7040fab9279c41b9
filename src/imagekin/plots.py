"""Pictures of results: a query and its hits side by side, drawn with Pillow alone."""

from __future__ import annotations

import functools
import io
import os
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from PIL import Image, ImageDraw, ImageFont

from imagekin import ellipsis, escape, images
from imagekin.errors import ImagekinError, InputError
from imagekin.mixture import Text
from imagekin.replacement import failures, place, replace

if TYPE_CHECKING:
    from imagekin.images import Source
    from imagekin.types import Hit

Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"
Size: TypeAlias = tuple[int, int]

_PAPER: Final = (246, 246, 244)
_CARD: Final = (255, 255, 255)
_MAT: Final = (236, 236, 233)
_EDGE: Final = (222, 222, 218)
_INK: Final = (28, 28, 30)
_SOFT: Final = (112, 112, 118)
_ACCENT: Final = (32, 98, 214)

_GAP: Final = 16
_NOTE: Final = 40
_TILE: Final = 2_048
_PAD: Final = 10
_LINE: Final = 19
_SIDE: Final = 16_383
"""Pixels that a sheet is wide and high at the most, which is what WebP holds."""

_AREA: Final = 64_000_000
"""Pixels that a sheet has at the most: 192 MB while it is drawn."""

_QUICK: Final = 8_000_000
_LONGEST: Final = {"WEBP": 16_383, "JPEG": 65_500}
_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class Card:
    """One picture with its lines of text.

    Attributes:
        source: what ``images.load`` takes, or words.
        title: the large line.
        lines: the small lines below it, the label and the path.
        share: length of the bar under the title, 0…1; None for no bar.
        crop: the region that was searched by, ``(x, y, width, height)`` in pixels of the picture.
    """

    source: Source | Text
    title: str
    lines: tuple[str, ...] = ()
    share: float | None = None
    crop: tuple[int, int, int, int] | None = None


def sheet(
    query: Source | Text,
    hits: Sequence[Hit],
    *,
    crop: tuple[int, int, int, int] | None = None,
    caption: str | None = None,
    columns: int = 5,
    tile: int = 200,
) -> Image.Image:
    """Draw a query and its hits side by side, each hit with similarity, label and path.

    A file that cannot be read any more is drawn as a grey card that says why; nothing is raised for it.  Of very many
    hits the first are drawn, as far as 16,383 pixels a side and 64 megapixels go, and a line says how many are left.

    Args:
        query: anything that ``images.load`` takes, or words.
        hits: nearest first.
        crop: the searched region of the query, ``(x, y, width, height)`` in its pixels; it is outlined.
        caption: text under the query; by default its path, if it has one.
        columns: hits in a row; more where the sheet would be too high.
        tile: side of a thumbnail in pixels, 64 to 2,048.

    Returns:
        An RGB image.

    Raises:
        InputError: *columns* is too small, or *tile* out of range.
    """
    if columns < 1 or not 64 <= tile <= _TILE:
        raise InputError(
            f"a sheet needs columns >= 1 and tile >= 64 and <= {_TILE}, not columns={columns} and tile={tile}."
        )
    across, shown = _grid(len(hits), columns, tile)
    rows = -(-shown // across) if shown else 1
    lead, left = _card_size(tile * 3 // 2), _GAP
    small = _card_size(tile)
    width = left + lead[0] + 2 * _GAP + across * (small[0] + _GAP)
    height = _GAP + max(lead[1] + _GAP, rows * (small[1] + _GAP)) + (_NOTE if shown < len(hits) else 0)
    paper = Image.new("RGB", (width, height), _PAPER)
    _draw_card(paper, _query_card(query, crop, caption), (left, _GAP), tile * 3 // 2)
    start = left + lead[0] + 2 * _GAP
    for number, hit in enumerate(hits[:shown]):
        corner = start + number % across * (small[0] + _GAP), _GAP + number // across * (small[1] + _GAP)
        _draw_card(paper, _hit_card(hit), corner, tile)
    if not hits:
        ImageDraw.Draw(paper).text((start, _GAP + _PAD), "No hits", fill=_SOFT, font=_font(20))
    if shown < len(hits):
        left_out = f"and {len(hits) - shown:,} more"
        ImageDraw.Draw(paper).text((start, height - _NOTE), left_out, fill=_SOFT, font=_font(20))
    return paper


def _grid(number: int, columns: int, tile: int) -> tuple[int, int]:
    """How many columns a sheet of *number* hits has, and how many of them it has room for."""
    lead = _card_size(tile * 3 // 2)[0]
    wide, high = (side + _GAP for side in _card_size(tile))
    rows = (_SIDE - _GAP - _NOTE) // high
    most = max(1, min((_SIDE - lead - 3 * _GAP) // wide, _AREA // (rows * high * wide)))
    across = min(max(columns, -(-number // rows)), max(1, number), most)
    return across, min(number, across * rows)


def save(picture: Image.Image, path: str | os.PathLike[str]) -> Path:
    """Write *picture* as PNG, JPEG or WebP, by the suffix of *path*; a file of that name is replaced in one step.

    Raises:
        InputError: another suffix, a picture too long for its format, or a folder that is absent or cannot be written.
    """
    target = writable(path)
    form, longest = _format(target), max(picture.size)
    if longest > _LONGEST.get(form, longest):
        raise InputError(
            f"a picture of {picture.width} x {picture.height} pixels is too long for {form}, which ends at "
            f"{_LONGEST[form]:,}; save it as .png."
        )
    data = io.BytesIO()
    with failures(path):
        picture.save(data, form, quality=88, optimize=picture.width * picture.height <= _QUICK)
        replace(target, data.getvalue())
    return target


def writable(path: str | os.PathLike[str]) -> Path:
    """The path to save to, once its suffix and its folder are known to be good: to be asked before long work.

    Raises:
        InputError: another suffix than PNG's, JPEG's or WebP's, or no such folder.
    """
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise InputError(f"a sheet is saved as {', '.join(_SUFFIXES)}, not as {os.fspath(path)!r}.")
    return place(path)


def _format(path: Path) -> str:
    return {".png": "PNG", ".webp": "WEBP"}.get(path.suffix.lower(), "JPEG")


def _query_card(query: Source | Text, crop: tuple[int, int, int, int] | None, caption: str | None) -> Card:
    name = caption or (os.fspath(query) if isinstance(query, str | os.PathLike) else "")
    lines = ("" if crop is None else f"region {crop[2]} x {crop[3]} at {crop[0]}, {crop[1]}", name)
    return Card(query, "Query", lines, crop=crop)


def _hit_card(hit: Hit) -> Card:
    return Card(hit.path, f"{hit.similarity:.1%}", (hit.label or "", hit.path), share=hit.similarity)


def _card_size(tile: int) -> Size:
    return tile + 2 * _PAD, tile + 2 * _PAD + 34 + 3 * _LINE


def _draw_card(paper: Image.Image, card: Card, corner: Size, tile: int) -> None:
    draw = ImageDraw.Draw(paper)
    left, top = corner
    width, height = _card_size(tile)
    edge = _ACCENT if card.share is None else _EDGE
    draw.rounded_rectangle((left, top, left + width - 1, top + height - 1), 8, _CARD, edge, 2 if edge == _ACCENT else 1)
    _draw_picture(paper, card, (left + _PAD, top + _PAD), tile)
    below = top + _PAD + tile + 8
    draw.text((left + _PAD, below), card.title, fill=_INK, font=_font(20))
    if card.share is not None:
        _draw_bar(draw, (left + _PAD + 76, below + 9), tile - 76, card.share)
    _draw_lines(draw, card.lines, (left + _PAD, below + 30), tile)


def _draw_bar(draw: ImageDraw.ImageDraw, corner: Size, length: int, share: float) -> None:
    left, top = corner
    filled = round(length * min(1.0, max(0.0, share)))
    draw.rounded_rectangle((left, top, left + length - 1, top + 5), 3, _MAT)
    if filled >= 6:
        draw.rounded_rectangle((left, top, left + filled - 1, top + 5), 3, _ACCENT)


def _draw_lines(draw: ImageDraw.ImageDraw, lines: Sequence[str], corner: Size, width: int) -> None:
    """A short first line (the label), then the path: on two lines, folder and file, where one is too short."""
    label, path = (*lines, "", "")[:2]
    font = _font(14)
    shown = [(drawable(label, 14), _INK)] if label else []
    text = drawable(path, 14)
    folder, slash, name = text.rpartition("/")
    rows = [text] if _fits(font, width)(text) or not folder else [folder + slash, name]
    shown += [(row, _SOFT) for row in rows]
    for number, (row, colour) in enumerate(shown):
        at = corner[0], corner[1] + number * _LINE
        draw.text(at, ellipsis.middle(row, _fits(font, width)), fill=colour, font=font)


def _draw_picture(paper: Image.Image, card: Card, corner: Size, tile: int) -> None:
    left, top = corner
    draw = ImageDraw.Draw(paper)
    draw.rectangle((left, top, left + tile - 1, top + tile - 1), _MAT)
    if isinstance(card.source, Text):
        _draw_reason(draw, card.source.words, corner, tile, size=26)
        return
    try:
        picture, scale = _thumbnail(card.source, tile)
    except ImagekinError as error:
        _draw_reason(draw, str(error.__cause__ or error), corner, tile)  # the bare reason, without the path
        return
    at = left + (tile - picture.width) // 2, top + (tile - picture.height) // 2
    if card.crop is not None:
        picture = _outlined(picture, [round(value * scale) for value in card.crop])
    paper.paste(picture, at)


def _thumbnail(source: Source, tile: int) -> tuple[Image.Image, float]:
    """The picture at most *tile* wide and high, and how many of its pixels one pixel of the original takes."""
    photo = images.load(source, target=2 * tile)
    scale = min(tile / photo.width, tile / photo.height, 4.0)  # a 1-pixel image is not blown up to a wall
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    return photo.image.resize(size, Image.Resampling.LANCZOS), scale


def _outlined(picture: Image.Image, region: Sequence[int]) -> Image.Image:
    """The picture with everything outside *region* paled, and an outline round it."""
    x, y, width, height = region
    box = max(0, x), max(0, y), min(picture.width, x + max(width, 2)), min(picture.height, y + max(height, 2))
    pale = Image.blend(picture, Image.new("RGB", picture.size, _CARD), 0.5)
    pale.paste(picture.crop(box), box[:2])
    ImageDraw.Draw(pale).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=_ACCENT, width=2)
    return pale


def _draw_reason(draw: ImageDraw.ImageDraw, reason: str, corner: Size, tile: int, *, size: int = 14) -> None:
    """A grey card's text, as why the picture is not there, wrapped to the tile; large where it is the matter itself."""
    font, line = _font(size), _LINE * size // 14
    fits = _fits(font, tile - 2 * _PAD)
    rows = [ellipsis.middle(row, fits) for row in _wrapped(drawable(reason, size), fits)]
    for number, row in enumerate(rows[: (tile - 2 * _PAD) // line]):
        at = corner[0] + _PAD, corner[1] + _PAD + number * line
        draw.text(at, row, fill=_SOFT if size == 14 else _INK, font=font)


def _wrapped(text: str, fits: Callable[[str], bool]) -> list[str]:
    rows: list[str] = []
    for word in text.split():
        joined = f"{rows[-1]} {word}" if rows else word
        if rows and fits(joined):
            rows[-1] = joined
        else:
            rows.append(word)
    return rows


def drawable(text: str, size: int = 14) -> str:
    """*text* with every character that the font cannot draw replaced by its plain letter, or by ``?``."""
    return "".join(_drawable(character, size) for character in escape.terminal(text))


@functools.lru_cache(maxsize=4096)
def _drawable(character: str, size: int) -> str:
    if character.isascii() or _has_glyph(character, size):
        return character
    plain = unicodedata.normalize("NFKD", character)[:1]
    return plain if plain != character and plain.isascii() and plain.isprintable() else "?"


def _has_glyph(character: str, size: int) -> bool:
    """Whether the font draws *character* as anything but the box that stands for an unknown one."""
    font = _font(size)
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))


@functools.cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size=size)


def _fits(font: Font, width: int) -> Callable[[str], bool]:
    return lambda text: font.getlength(text) <= width
