"""Pictures of made-up people: each has a picture of its own, and every photograph of it differs a little."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import imagekin
from imagekin.cli.app import app
from imagekin.collection import Collection
from tests.pictures import picture

Run = Callable[..., Result]
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


def opened(population: Path, tmp_path: Path) -> Iterator[Collection]:
    """A copy of the collection, to be written to; a test file makes a fixture of it."""
    shutil.copytree(population, tmp_path / "c")
    with imagekin.open(tmp_path / "c") as photos:
        yield photos


def runner(photos: Collection) -> Run:
    """The command line on that collection; likewise."""
    return lambda *arguments: CliRunner().invoke(app, ["-c", photos.location, *map(str, arguments)])
