"""Pictures varied while they are learned from: mirrored, cut at random, in other light; the same for a seed."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from imagekin.embed.base import RESAMPLE, Recipe

AREA: Final = (0.35, 1.0)
"""Share of the picture that a cut keeps."""

ASPECT: Final = 4 / 3
"""By how much a cut is stretched at most, either way (0.08 … 1 and 4/3: Szegedy and others, CVPR 2015)."""

_LIGHT: Final = 0.4
"""By how much brightness, contrast and colour change at most."""

_GREY: Final = 0.1

_TURN: Final = math.radians(7)
_SCALED: Final = 0.08
_MOVED: Final = 0.04
_EDGE: Final = 0.25
"""Share of the longer side by which a picture's edges are carried on before it is moved."""

_LONGEST: Final = 4_096
"""Pixels that a picture to be turned is made smaller to: edges carried on make a square of what is long and thin."""


def varied(image: Image.Image, recipe: Recipe, augment: str, random: np.random.Generator) -> NDArray[Any]:
    """A picture as the network may see it this time: ``(height, width, 3)`` of ``recipe.dtype``.

    Args:
        image: RGB.
        recipe: what is done where nothing is varied, and the size in any case.
        augment: of ``plan.AUGMENTS``.
        random: decides how.
    """
    draws = random.random(8)  # always as many, so that a picture's variations do not hang on each other
    shown = image
    if augment == "colour":
        shown = _lit(shown, draws)
    if augment == "shift":
        shown = _shifted(shown, draws)
    pixels = _cut(shown, recipe, random) if augment in ("crop", "colour") else recipe.apply(shown)
    mirrored = augment != "none" and draws[0] < 0.5
    return np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels


def mirror(pixels: NDArray[Any]) -> NDArray[Any]:
    """A prepared picture ``(height, width, 3)`` mirrored."""
    return np.ascontiguousarray(pixels[:, ::-1])


def _cut(image: Image.Image, recipe: Recipe, random: np.random.Generator) -> NDArray[Any]:
    """A rectangle of random size, shape and place, resized to the input."""
    width, height = image.size
    area = width * height * random.uniform(*AREA)
    own = (width / height) ** 0.5  # half the way from the input's shape to the picture's, which recipes choose between
    shape = own * math.exp(random.uniform(-1, 1) * math.log(ASPECT)) * recipe.width / recipe.height
    across, down = min(width, math.sqrt(area * shape)), min(height, math.sqrt(area / shape))
    left, top = random.uniform(0, width - across), random.uniform(0, height - down)
    box = left, top, min(left + across, width), min(top + down, height)
    resized = image.resize((recipe.width, recipe.height), RESAMPLE[recipe.resample], box=box)
    return np.asarray(resized).astype(recipe.dtype, copy=False)


def _shifted(image: Image.Image, draws: NDArray[np.float64]) -> Image.Image:
    """Turned and scaled around its middle and moved, edges carried on; all within a few per cent."""
    longer = max(image.size)
    if longer > _LONGEST:
        image = image.resize((max(1, image.width * _LONGEST // longer), max(1, image.height * _LONGEST // longer)))
    turn, scale, across, down = (2 * draws[4:] - 1) * (_TURN, _SCALED, _MOVED, _MOVED)
    width, height = image.size
    cos, sin = math.cos(turn) * (1 + scale), math.sin(turn) * (1 + scale)
    x, y = width / 2, height / 2
    left, top = x - cos * (x + across * width) - sin * (y + down * height), y + sin * x - cos * (y + down * height)
    top += sin * across * width
    edge = max(1, round(_EDGE * max(image.size)))
    wide = Image.fromarray(np.pad(np.asarray(image), ((edge, edge), (edge, edge), (0, 0)), mode="edge"))
    moved = (cos, sin, left + edge, -sin, cos, top + edge)
    return wide.transform(image.size, Image.Transform.AFFINE, moved, resample=Image.Resampling.BILINEAR)


def _lit(image: Image.Image, draws: NDArray[np.float64]) -> Image.Image:
    """Other brightness, contrast and strength of colours; now and then none."""
    if draws[1] < _GREY:
        image = ImageOps.grayscale(image).convert("RGB")
    for kind, draw in zip(
        (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), draws[2:5], strict=True
    ):
        image = kind(image).enhance(1 + _LIGHT * (2 * float(draw) - 1))
    return image
