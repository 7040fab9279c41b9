"""A reference embedder without weights: the picture itself, very small."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed.base import Embedder, Recipe
from imagekin.errors import InputError, UnsupportedError

_MOST: Final = 32
"""Pixels a side from which a vector for each of them would be too much."""


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

    def _cells(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """Each pixel has its own three numbers, and the last one is of all of them."""
        side = self.recipe.width
        if side > _MOST:
            raise UnsupportedError(f"{self.name} tells places apart up to side={_MOST}; choose a smaller one.")
        places, vectors = side * side, self._embed(batch)
        cells = np.zeros((len(batch), places, self.dim), np.float32)
        own = np.arange(3 * places).reshape(places, 3)
        cells[:, np.arange(places)[:, None], own] = places * vectors[:, own]
        cells[..., -1] = vectors[:, -1:]
        return cells.reshape(len(batch), side, side, self.dim)
