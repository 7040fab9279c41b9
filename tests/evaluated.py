"""A small collection that can be evaluated: three classes of four pictures and one of one, one name hostile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagekin
from tests.pictures import folder, picture

HOSTILE = "o\x1bwl $x_1$"
NAMES = [f"{label}/{number}.png" for label in ("cat", "dog", HOSTILE) for number in range(4)] + ["lone/0.png"]


def three_classes(paths: pytest.TempPathFactory) -> Path:
    """The collection; each class's pictures differ a little, some a lot."""
    root = folder(paths.mktemp("photos"), NAMES)
    for number in range(3):  # cats look alike
        array = np.asarray(picture(50)).astype(int) + number
        Image.fromarray(array.clip(0, 255).astype(np.uint8)).save(root / f"cat/{number}.png")
    where = paths.mktemp("collections") / "c"
    with imagekin.open(where, model="pixels") as photos:
        photos.index(root)
    return where
