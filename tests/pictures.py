"""Pictures made by arithmetic, so that tests need no files of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, width: int = 48, height: int = 32) -> Image.Image:
    """A smooth picture of its own for each seed."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse, "RGB").resize((width, height), Image.Resampling.BICUBIC)


def save(path: Path, seed: int, **size: int) -> Path:
    """Write a picture; the suffix chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, **size).save(path)
    return path


def folder(root: Path, names: list[str]) -> Path:
    """Write pictures with seeds 0, 1, 2… under these names."""
    for seed, name in enumerate(names):
        save(root / name, seed)
    return root
