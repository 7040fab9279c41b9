"""Pictures for trying out a model: shading, texture and noise in the proportions of photographs, made by arithmetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pictures(count: int, size: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """*count* prepared pictures ``(count, rows, columns, 3)``, the same ones for a seed.

    Their detail falls off with its fineness as in photographs: noise of every octave, weaker by half each time.
    """
    random = np.random.default_rng(seed)
    made = np.empty((count, *size, 3), np.uint8)
    for row in range(count):
        total = np.full((*size, 3), random.uniform(90, 165, 3), np.float32)
        cells, weight = 2, 0.6
        while cells <= 2 * max(size):
            noise = Image.fromarray(random.integers(0, 256, (cells, cells, 3), np.uint8), "RGB")
            octave = noise.resize((size[1], size[0]), Image.Resampling.BICUBIC)
            total += np.float32(weight) * (np.asarray(octave, np.float32) - 128)
            cells, weight = 2 * cells, weight / 1.5
        made[row] = np.clip(total, 0, 255).astype(np.uint8)
    return made
