"""Whether two pictures, laid over each other, show the same: the share of their blocks in which they agree.

A caption spoils the blocks under it and no other, another moment of the same scene spoils most, and a picture that is
merely laid out alike agrees in hardly any: that is what one number for the whole picture cannot tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imagekin.duplicates.placement import Box

BLOCK: Final = 8
"""Pixels a side of a block."""

MOST: Final = 8
"""Blocks a side that are compared at most; fewer where a picture has not the pixels."""

LEAST: Final = 3
"""Blocks a side below which nothing can be said."""

SAME: Final = 0.96
"""Correlation from which a block shows the same.

Of shots of one scene from a tripod, and of one drawing in other colours, half of the blocks reach 0.96 and nearly all
0.8; of a copy at half the size, saved anew, nearly all reach 0.96.
"""

TEXTURED: Final = 4
"""Blocks in which there must be something to see."""

_SLIP: Final = 2
"""Pixels of the small copies that a placement may be wrong by."""

_TRIED: Final = 5
"""Of the slips that are tried on the whole, how many are tried on the blocks."""

_HOPELESS: Final = 0.2
"""Correlation of the whole below which one is enough."""

_FLAT: Final = 0.2
"""Contrast of a block, against that of the picture, below which there is nothing to see in it."""

_PLAIN: Final = 1.0
"""Contrast of a picture in grey levels below which there is nothing to see in all of it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well two pictures agree.

    Attributes:
        share: of the blocks with something to see in them, 0…1.
        correlation: of all pixels at once, −1…1, less what is blurred away.
        blocks: how many blocks have something to see in them.
    """

    share: float
    correlation: float
    blocks: int


NONE: Final = Agreement(0.0, 0.0, 0)


def of(one: tuple[Image.Image, Box], other: tuple[Image.Image, Box]) -> Agreement:
    """Compare a box of one grey picture with a box of another."""
    shortest = min(min(box[2] - box[0], box[3] - box[1]) for _, box in (one, other))
    blocks = min(MOST, int(shortest - 2 * _SLIP) // BLOCK)
    if blocks < LEAST:
        return NONE
    side = blocks * BLOCK + 2 * _SLIP
    mine, theirs = _edges(*one, side), _edges(*other, side)
    core = mine[_SLIP:-_SLIP, _SLIP:-_SLIP]
    contrast, other_contrast = float(core.std()), float(theirs.std())
    if min(contrast, other_contrast) < _PLAIN:
        return NONE
    slips = _slips(core, theirs)
    cells, spread = _cells(core, blocks)
    best = np.full((blocks, blocks), -1.0, np.float32)
    for _, down, across in slips[: _TRIED if slips[0][0] > _HOPELESS else 1]:
        moved, width = _cells(theirs[down : down + len(core), across : across + len(core)], blocks)
        best = np.maximum(best, np.einsum("ijkl,ijkl->ij", cells, moved) / np.maximum(spread * width, 1e-6))
    seen = np.maximum(spread / contrast, width / other_contrast) / BLOCK
    textured = seen > _FLAT
    count = int(np.count_nonzero(textured))
    if count < TEXTURED:
        return NONE
    share = float(np.count_nonzero(best[textured] > SAME) / count)
    return Agreement(share, slips[0][0], count)


def _edges(picture: Image.Image, box: Box, side: int) -> NDArray[np.float32]:
    """The box at *side* x *side* pixels, less its own blur: shading from light to dark is no likeness."""
    small = picture.resize((side, side), Image.Resampling.BILINEAR, box=box, reducing_gap=None)
    blurred = small.filter(ImageFilter.BoxBlur(BLOCK))
    difference: NDArray[np.float32] = np.asarray(small, np.float32) - np.asarray(blurred, np.float32)
    return difference


def _slips(core: NDArray[np.float32], theirs: NDArray[np.float32]) -> list[tuple[float, int, int]]:
    """How well the pictures agree as a whole if one is moved by some pixels, best first: correlation, down, across."""
    views = np.lib.stride_tricks.sliding_window_view(theirs, core.shape)
    products = np.einsum("ijkl,kl->ij", views, core - core.mean())
    lengths = float(core.std()) * views.std(axis=(2, 3)) * core.size
    found = (products / np.maximum(lengths, 1e-6)).clip(-1, 1)
    return sorted(((float(value), *divmod(at, found.shape[1])) for at, value in enumerate(found.flat)), reverse=True)


def _cells(values: NDArray[np.float32], blocks: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Blocks ``(b, b, 8, 8)`` less their means, and the length of each ``(b, b)``."""
    cells = values.reshape(blocks, BLOCK, blocks, BLOCK).transpose(0, 2, 1, 3)
    cells = cells - cells.mean(axis=(2, 3), keepdims=True)
    return cells, np.sqrt(np.einsum("ijkl,ijkl->ij", cells, cells))
