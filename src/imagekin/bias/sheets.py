"""Picture sheets: a picture whole, its subject alone and its surroundings alone, each beside what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image

from imagekin import plots
from imagekin.bias.records import PARTS, WHOLE, Look
from imagekin.evaluation.sheets import headed

_PAPER: Final = (246, 246, 244)
_TILE: Final = 130
_DRAWN: Final = 12


def sheet(looks: Sequence[Look], *, tile: int = _TILE) -> Image.Image:
    """Draw pictures one below the other, each in three rows with its first neighbours, at most twelve.

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
        hits = found.hits[part][:_DRAWN]
        rows.append(plots.sheet(shown, hits, caption=kept, columns=max(1, len(hits)), tile=tile))
    return headed(f"{found.label}: {found.name}" if found.label else found.name, rows)
