"""Signatures that are drawn: every writer has strokes and a hand of his own, and forgers have the strokes only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE = (120, 60)
POINTS = 9


def signature(writer: int, number: int, *, forged: bool = False) -> Image.Image:
    """One of a writer's; a forged one follows its strokes with another slant, pen and tremble."""
    strokes = np.random.default_rng(writer).uniform((0.1, 0.15), (0.9, 0.85), (POINTS, 2))
    random = np.random.default_rng([writer, number, forged])
    slant, pen = np.random.default_rng([writer, 7]).uniform((-0.25, 1), (0.25, 4))
    if forged:
        slant, pen = slant + random.choice([-1, 1]) * random.uniform(0.05, 0.2), pen + 1
    points = strokes[np.argsort(strokes[:, 0] + 0.3 * strokes[:, 1])]
    points = points + random.normal(0, 0.012 if not forged else 0.02, points.shape)
    points[:, 0] += slant * (points[:, 1] - 0.5)
    image = Image.new("L", SIZE, 255)
    ImageDraw.Draw(image).line([tuple(each) for each in points * SIZE], fill=20, width=round(pen), joint="curve")
    return image


def folder(root: Path, writers: range, genuine: int = 6, forged: int = 5) -> Path:
    """A folder for each writer, with folders ``genuine`` and ``forged`` in it."""
    for writer in writers:
        for sort, count in (("genuine", genuine), ("forged", forged)):
            place = root / f"{writer:03}" / sort
            place.mkdir(parents=True)
            for number in range(count):
                signature(writer, number, forged=sort == "forged").save(place / f"{number}.png")
    return root
