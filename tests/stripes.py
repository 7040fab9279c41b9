"""Labelled pictures whose class is a faint pattern on a loud background: what a network has to learn to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

PATTERNS = ("across", "down", "checked", "plain")


def striped(pattern: str, seed: int, side: int = 32) -> Image.Image:
    """Stripes of four pixels one way, the other, both, or none, on two large colours drawn at random."""
    random = np.random.default_rng(seed)
    coarse = random.integers(40, 216, (2, 2, 3), dtype=np.uint8)
    loud = np.asarray(Image.fromarray(coarse, "RGB").resize((side, side), Image.Resampling.BICUBIC), np.float64)
    rows, columns = np.indices((side, side)) // 4 % 2
    faint = {"across": rows, "down": columns, "checked": rows ^ columns, "plain": np.zeros_like(rows)}[pattern]
    shown = loud + 36 * (faint[..., None] - faint.mean()) + random.normal(0, 6, loud.shape)
    return Image.fromarray(np.clip(shown, 0, 255).astype(np.uint8), "RGB")


def folder(root: Path, images: int = 16, patterns: tuple[str, ...] = PATTERNS) -> Path:
    """A folder for each pattern with so many different pictures."""
    for place, pattern in enumerate(patterns):
        for number in range(images):
            path = root / pattern / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            striped(pattern, 1000 * place + number).save(path)
    return root
