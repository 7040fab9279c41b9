"""Picture sheets: a picture whole, its subject alone and its surroundings alone, each beside what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from imagekin import ellipsis, plots
from imagekin.bias.records import PARTS, WHOLE, Look

_PAPER: Final = (246, 246, 244)
_INK: Final = (28, 28, 30)
_HEAD: Final = 52
_TILE: Final = 130


def sheet(looks: Sequence[Look], *, tile: int = _TILE) -> Image.Image:
    """Draw pictures one below the other, each in three rows.

    Args:
        looks: what was found; at least one.
        tile: side of a neighbour in pixels.
    """
    blocks = [_block(each, tile) for each in looks]
    paper = Image.new("RGB", (max(each.width for each in blocks), sum(each.height for each in blocks)), _PAPER)
    top = 0
    for block in blocks:
        paper.paste(block, (0, top))
        top += block.height
    return paper


def _block(found: Look, tile: int) -> Image.Image:
    rows = []
    for part in PARTS:
        kept = part if part == WHOLE else f"{part.split()[0]}: {found.kept(part)} of {len(found.hits[WHOLE])} stay"
        shown = Image.fromarray(found.shown[part])
        hits = found.hits[part]
        rows.append(plots.sheet(shown, hits, caption=kept, columns=max(1, len(hits)), tile=tile))
    paper = Image.new("RGB", (max(row.width for row in rows), _HEAD + sum(row.height for row in rows)), _PAPER)
    font = ImageFont.load_default(size=20)
    heading = plots.drawable(f"{found.label}: {found.name}" if found.label else found.name, 20)
    line = ellipsis.middle(heading, lambda text: font.getlength(text) <= paper.width - 32)
    ImageDraw.Draw(paper).text((16, 18), line, fill=_INK, font=font)
    top = _HEAD
    for row in rows:
        paper.paste(row, (0, top))
        top += row.height
    return paper
