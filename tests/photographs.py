"""Pictures with as much to see in them as photographs have, made by arithmetic: shading, texture, things with edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def photograph(seed: int, width: int = 360, height: int = 240) -> Image.Image:
    """A picture of its own for each seed."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells, weight in ((3, 70), (12, 40), (48, 20)):
        noise = random.integers(0, 256, (cells, cells * 3 // 2, 3), dtype=np.uint8)
        large = Image.fromarray(noise, "RGB").resize((width, height), Image.Resampling.BICUBIC)
        total += weight / 128 * (np.asarray(large, np.float64) - 128)
    shown = Image.fromarray(np.clip(total + 128, 0, 255).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(shown)
    for _ in range(22):
        x, y = random.uniform(0, width), random.uniform(0, height)
        wide, high = random.uniform(0.03, 0.22, 2) * width
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        if random.random() < 0.5:
            draw.rectangle(box, fill=colour)
        else:
            draw.ellipse(box, fill=colour)
    return shown


def save(path: Path, picture: Image.Image, quality: int = 90) -> Path:
    """Write a picture; the suffix chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=quality)
    return path
