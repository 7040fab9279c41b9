"""A model that takes pictures and words: colours, which both have, and a collection of plain pictures of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin.collection import Collection
from imagekin.embed import EMBEDDERS
from imagekin.embed.pixels import PixelEmbedder
from imagekin.registry import Entry
from imagekin.types import Vectors

COLOURS: Final = {
    "red": (230, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 230), "yellow": (230, 220, 20),
    "violet": (200, 20, 220),
}  # fmt: skip
NAME: Final = "worded"


class Worded(PixelEmbedder):
    """Pixels, and for words the picture of the colours that they name, side by side; others are grey."""

    takes_text = True

    def __init__(self) -> None:
        super().__init__(side=8)
        self.name, self.fingerprint = NAME, f"{NAME}/1"

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """The vectors of plain pictures, three times as long as need be: whoever takes them makes them unit ones."""
        return 3 * self.embed([of_words(text) for text in texts])


def of_words(text: str) -> Image.Image:
    """A picture of stripes in the colours that a text names."""
    named = [COLOURS[word.strip(".,").lower()] for word in text.split() if word.strip(".,").lower() in COLOURS]
    stripes = np.repeat(np.array(named or [(128, 128, 128)], np.uint8)[None], 8, axis=0)
    return Image.fromarray(stripes, "RGB").resize((48, 32), Image.Resampling.NEAREST)


def plain(colour: str, shade: float = 1.0) -> Image.Image:
    return of_words(colour).point(lambda value: round(value * shade))


@pytest.fixture(scope="session", autouse=False)
def worded() -> Iterator[str]:
    """The name of the model, which is in the registry while tests run that ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        rows = {**EMBEDDERS._rows, NAME: Entry("tests.worded:Worded", "", "colours")}
        patch.setattr(EMBEDDERS, "_builtin", {**EMBEDDERS._builtin, NAME: rows[NAME]})
        yield NAME


@pytest.fixture(scope="module")
def swatches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shades of every colour, each in a folder of its name: ``red/light.png``."""
    root = tmp_path_factory.mktemp("swatches")
    for colour in COLOURS:
        (root / colour).mkdir()
        for name, shade in (("light", 1.0), ("dark", 0.8)):
            plain(colour, shade).save(root / colour / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def colours(worded: str, swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """A collection of the swatches, by the model that takes words."""
    with imagekin.open(tmp_path_factory.mktemp("collections") / "c", model=worded) as photos:
        photos.index(swatches)
        yield photos
