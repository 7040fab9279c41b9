"""Pictures of a few sorts that any embedder tells apart: each sort has a colour, each picture a texture of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SORTS = {"red": (200, 40, 40), "green": (40, 170, 60), "blue": (40, 60, 200)}


def save(root: Path, each: int) -> Path:
    """Write so many of each sort into a folder of its name: ``red/00.png``."""
    for place, (sort, colour) in enumerate(SORTS.items()):
        (root / sort).mkdir(parents=True)
        for number in range(each):
            random = np.random.default_rng(1_000 * place + number)
            noise = random.normal(0, 14, (60, 80, 3)) + np.array(colour) + random.normal(0, 12, 3)
            Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(root / sort / f"{number:02}.png")
    return root
