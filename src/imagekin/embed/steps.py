"""Preprocessing in the two steps that torchvision, timm and transformers take: resize to whole pixels, then cut."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagekin.embed.base import RESAMPLE, Recipe
from imagekin.errors import InputError

MOST: Final = 1 << 13
"""Rows or columns that a recipe may ask for."""

_BETWEEN: Final = 1 << 24
"""Pixels between the two steps; a longer picture is resized and cut in one, which rounds otherwise."""

_WHOLE: Final = 65_500
"""The short side that a decoder must keep where nothing is resized: that of any picture."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Steps(Recipe):
    """A recipe whose picture is resized to a whole number of pixels before its centre is cut out.

    The cut-out centre lies in whole pixels too, so that the result is bit for bit that of the libraries which trained
    most published networks, on Pillow's resampling.  What is smaller than the input is laid on *fill*, which is black
    unless said otherwise, as those libraries do.  ``mode``, ``crop_fraction`` and ``stretch`` of `Recipe` do not count.

    Attributes:
        resize: the short side in pixels, the long one following the aspect with its fraction cut off; or rows and
            columns, whatever the aspect; None for the picture's own size.
        longest: the long side at the most, to which the short one then follows (*resize* is the short side); or what
            the long side becomes (*resize* is None).
        crop: whether the centre is cut out; False where *resize* says the input's own rows and columns.
        pad: where a picture smaller than the input lies: in the ``centre`` or in the upper left ``corner``.
        corner: how half a pixel of the cut's corner becomes a whole one: ``round`` to even (torchvision, timm) or
            ``down`` (transformers).
        precise: whether what resampling makes of the bytes stays as it is, float32, instead of becoming bytes again:
            some networks (DINOv3) were given real numbers by their own preprocessing.
    """

    resize: int | tuple[int, int] | None = None
    longest: int | None = None
    crop: bool = True
    pad: Literal["centre", "corner"] = "centre"
    corner: Literal["round", "down"] = "round"
    precise: bool = False

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)
        box = tuple(self.resize) if isinstance(self.resize, (tuple, list)) else None
        sides = [*(box or ([] if self.resize is None else [self.resize])), *([self.longest] if self.longest else [])]
        whole = all(isinstance(side, int) and not isinstance(side, bool) and 1 <= side <= MOST for side in sides)
        fits = whole and (box is None or (len(box) == 2 and self.longest is None)) and self.longest != 0
        cut = self.crop or box == (self.height, self.width)
        if not fits or not cut or max(self.height, self.width) > MOST:
            raise InputError(f"not a usable preprocessing recipe: {self}; sides are whole numbers up to {MOST}.")
        if self.pad not in ("centre", "corner") or self.corner not in ("round", "down"):
            raise InputError(f"pad must be centre or corner, and corner round or down, not {self.pad}, {self.corner}.")
        object.__setattr__(self, "resize", box or self.resize)
        object.__setattr__(self, "mode", self._mode())

    def _mode(self) -> str:
        """What comes nearest in `Recipe`'s words; ``pad`` where a border can be seen."""
        if isinstance(self.resize, tuple):
            small = self.resize[0] < self.height or self.resize[1] < self.width
            return "pad" if small else "squash"
        short = 0 if self.resize is None or self.longest is not None else self.resize
        return "pad" if short < max(self.height, self.width) else "crop"

    @property
    def decode_side(self) -> int:
        """Short side a decoder must keep: twice the resized one."""
        if self.resize is None and self.longest is None:
            return _WHOLE
        sides = self.resize if isinstance(self.resize, tuple) else (self.resize or self.longest or 1,)
        return 2 * max(sides)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Bytes, or float32 where the recipe is precise."""
        return np.dtype(np.float32 if self.precise else np.uint8)

    def apply(self, image: Image.Image) -> NDArray[Any]:
        """Resize, then cut or lay on a border: an RGB image to ``(height, width, 3)`` of ``dtype``, 0 … 255."""
        if not self.precise:
            return self._applied(image, self.fill)
        bands = [band.convert("F") for band in image.split()]  # each by itself, as Pillow has no real colours
        return np.stack([self._applied(band, level) for band, level in zip(bands, self.fill, strict=True)], axis=-1)

    def _applied(self, image: Image.Image, fill: tuple[int, int, int] | int) -> NDArray[Any]:
        """The same for one image of any mode."""
        across, down = self._resized(image.width, image.height)
        box = self._box(across, down)
        inside = max(box[0], 0), max(box[1], 0), min(box[2], across), min(box[3], down)
        part = self._part(image, (across, down), inside)
        if inside == box:
            return np.asarray(part)
        canvas = Image.new(image.mode, (self.width, self.height), fill)
        canvas.paste(part, (inside[0] - box[0], inside[1] - box[1]))
        return np.asarray(canvas)

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """What the network sees of a picture of this size, as `Recipe.seen` says."""
        across, down = self._resized(width, height)
        left, top, _, _ = self._box(across, down)
        return left / across, top / down, self.width / across, self.height / down

    def _part(self, image: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
        """The pixels within *box* of the picture resized to *size*."""
        resample = RESAMPLE[self.resample]
        if math.prod(size) <= _BETWEEN:
            resized = image if size == image.size else image.resize(size, resample)
            return resized if box == (0, 0, *size) else resized.crop(box)
        across, down = image.width / size[0], image.height / size[1]
        source = box[0] * across, box[1] * down, min(box[2] * across, image.width), min(box[3] * down, image.height)
        return image.resize((box[2] - box[0], box[3] - box[1]), resample, box=source)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Columns and rows after the first step."""
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        short, long = min(width, height), max(width, height)
        if self.resize is not None:
            side, other = self.resize, int(self.resize * long / short)
            if self.longest is not None and other > self.longest:
                side, other = max(1, int(self.longest * side / other)), self.longest
        elif self.longest is not None:
            side, other = max(1, int(self.longest * short / long)), self.longest
        else:
            return width, height
        return (side, other) if width <= height else (other, side)

    def _box(self, across: int, down: int) -> Box:
        """The input's place in the resized picture: left, top, right, bottom; outside of it where it is smaller."""
        left, top = self._start(across, self.width), self._start(down, self.height)
        return left, top, left + self.width, top + self.height

    def _start(self, there: int, wanted: int) -> int:
        if there < wanted:  # the odd row of a border comes last, or first in transformers, which rounds it up
            spare = wanted - there
            return 0 if self.pad == "corner" else -(spare // 2 if self.corner == "round" else -(-spare // 2))
        return round((there - wanted) / 2) if self.corner == "round" else (there - wanted) // 2
