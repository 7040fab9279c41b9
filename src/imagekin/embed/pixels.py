"""A reference embedder without weights: the picture itself, very small."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagekin.embed.base import Embedder, Recipe
from imagekin.errors import InputError


class PixelEmbedder(Embedder):
    """The picture squashed to a few RGB pixels, minus its mean grey level, scaled to length 1.

    A picture of one grey level has nothing left after the mean is removed; one last number, always 1 before scaling,
    gives it a vector of length 1 that is the same for all such pictures, and weighs nothing in any other.

    Args:
        side: rows and columns kept; the vector has ``side² · 3 + 1`` numbers.

    Raises:
        InputError: *side* is not within 1 … 64.
    """

    name = "pixels"

    def __init__(self, *, side: int = 8) -> None:
        if not isinstance(side, int) or not 1 <= side <= 64:
            raise InputError(f"side must be a whole number from 1 to 64, not {side!r}.")
        self.recipe = Recipe(side, side, mode="squash", resample="bilinear")
        self.dim = side * side * 3 + 1
        self.name = "pixels" if side == 8 else f"pixels(side={side})"
        self.fingerprint = f"pixels/1/{side}"

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        flat = batch.reshape(len(batch), -1).astype(np.float32)
        flat -= flat.mean(axis=1, keepdims=True)
        return np.concatenate([flat, np.ones((len(batch), 1), np.float32)], axis=1)
