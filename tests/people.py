"""Pictures of made-up people: each has a picture of its own, and every photograph of it differs a little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagekin
from tests.pictures import picture

PEOPLE = 12
PHOTOS = 5


def portrait(person: int, number: int, noise: int = 170) -> Image.Image:
    """A photograph of a person."""
    array = np.asarray(picture(1000 + person)).astype(int)
    change = np.asarray(picture(10_000 + 100 * person + number)).astype(int) - 128
    return Image.fromarray((array + change * noise // 128).clip(0, 255).astype(np.uint8))


def album(root: Path) -> Path:
    """A folder of people with a folder of photographs each."""
    for person in range(PEOPLE):
        (root / f"p{person:02}").mkdir(parents=True)
        for number in range(PHOTOS):
            portrait(person, number).save(root / f"p{person:02}" / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder."""
    return album(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="session")
def population(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of it, to be copied by those who write to it."""
    where = tmp_path_factory.mktemp("collections") / "people"
    with imagekin.open(where, model="pixels") as photos:
        photos.index(people)
    return where
