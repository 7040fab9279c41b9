"""The picture's own pixels as a vector: what every other model has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagekin.embed.base import Recipe
from imagekin.embed.classic import Descriptor, whole_number
from imagekin.errors import InputError
from imagekin.types import Pixels


class RawPixels(Descriptor):
    """Every pixel's value, as it is: ``side² · channels`` numbers, 784 for the 28 × 28 grey pixels of Fashion-MNIST.

    Nothing is taken off or weighed.  Values count from 1, so that a black picture too has a direction.

    Args:
        side: rows and columns kept.
        channels: 1 for grey, 3 for red, green and blue.

    Raises:
        InputError: *side* is not within 1 … 128, or *channels* not 1 or 3.
    """

    def __init__(self, *, side: int = 28, channels: int = 1) -> None:
        whole_number("side", side, 1, 128)
        if channels not in (1, 3):
            raise InputError(f"channels must be 1 for grey or 3 for colours, not {channels!r}.")
        self._grey = channels == 1
        self.recipe = Recipe(side, side, mode="squash", resample="bilinear")
        self.dim = side * side * channels
        self._named("raw", side=side, channels=channels)

    def _describe(self, pixels: Pixels) -> NDArray[Any]:
        values = np.asarray(pixels, np.float32)
        if self._grey:
            values = values @ np.array((0.299, 0.587, 0.114), np.float32)  # ITU-R BT.601
        return values.reshape(-1) + 1
