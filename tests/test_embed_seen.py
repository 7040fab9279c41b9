"""The places of embedders: those of the built-in model, faults, and which part of a picture a network sees."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagekin.embed import create
from imagekin.embed.base import Embedder, Recipe
from imagekin.embed.pixels import PixelEmbedder
from imagekin.embed.steps import Steps
from imagekin.errors import ModelError, UnsupportedError
from imagekin.testing.embedders import check_embedder, synthetic_picture
from tests.photographs import photograph

PICTURE = synthetic_picture(2, 8, 8)


class Odd(PixelEmbedder):
    """Pixels whose places are told wrongly."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def _cells(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        return np.asarray(self.change(super()._cells(batch)))


def test_places_that_do_not_add_up_are_an_error() -> None:
    wrong: list[Any] = [lambda c: c[..., ::-1], lambda c: c[:, :1], lambda c: c * np.nan, np.zeros_like]
    for change in wrong:
        with pytest.raises(UnsupportedError, match="do not add up"):
            Odd(change).parts([PICTURE])
    for change in (lambda c: c[..., :5], lambda c: c[0], lambda c: c.repeat(2, axis=0)):
        with pytest.raises(ModelError, match="places of shape"):
            Odd(change).parts([PICTURE])
    assert Odd(lambda c: 3 * c).parts([PICTURE]) == pytest.approx(PixelEmbedder().parts([PICTURE]), abs=1e-7)
    assert PixelEmbedder().parts([]).shape == (0, 1, 1, 193)


class Silent(PixelEmbedder):
    """An embedder of somebody else's, which knows nothing of places."""

    _cells = Embedder._cells


def test_an_embedder_that_knows_nothing_of_places_says_so() -> None:
    with pytest.raises(UnsupportedError, match="pixels does not tell"):
        Silent().parts([PICTURE])
    check_embedder(Silent)


# -- the built-in model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_built_in_models_vector_is_the_mean_of_its_places(precision: str) -> None:
    """At int8 too: its last bytes are made real numbers first, and nothing is rounded behind the mean."""
    embedder = create(precision=precision)
    batch = np.stack([embedder.prepare(photograph(seed)) for seed in range(3)])
    cells, vectors = embedder._cells(batch), embedder._embed(batch)
    assert cells.shape == (3, 7, 7, 1280)
    np.testing.assert_allclose(cells.mean(axis=(1, 2)), vectors, rtol=1e-4, atol=1e-5)
    if precision == "int8":  # bytes times one scale: at most 256 different numbers
        assert len(np.unique(cells)) <= 256


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_similarities_are_sums_over_places(precision: str) -> None:
    embedder = create(precision=precision)
    pictures = [photograph(seed) for seed in range(3)]
    parts, vectors = embedder.parts(pictures).astype(np.float64), embedder.embed(pictures).astype(np.float64)
    for one in range(3):
        for other in range(3):
            total = 0.0
            for row in range(7):
                for column in range(7):
                    total += float(parts[one, row, column] @ vectors[other])
            assert total == pytest.approx(float(vectors[one] @ vectors[other]), abs=1e-5)


def test_what_embeds_is_untouched_and_the_rest_is_opened_once() -> None:
    embedder: Any = create(precision="int8", threads=1)
    embedder.embed([PICTURE])
    session = embedder._opened[1]
    assert embedder._apart is None
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(embedder.parts, [[PICTURE]] * 4))
    assert all((each == parts[0]).all() for each in parts)
    assert embedder._opened == {1: session}
    assert [each.name for each in session.get_outputs()] == ["features"]


# -- what the network sees -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (64, 64), (640, 90), (90, 640)])
@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(96, 96, "crop", 0.875),
        Recipe(96, 96, "crop", 1.0, stretch=0.5),
        Recipe(96, 64, "crop", 0.9, stretch=1.0),
        Recipe(64, 96, "squash"),
        Recipe(96, 96, "pad", fill=(0, 0, 255)),
        Recipe(64, 96, "pad", fill=(0, 0, 255)),
        Steps(96, 96, resize=110),
        Steps(96, 64, resize=(100, 100), fill=(0, 0, 255)),
        Steps(96, 64, longest=100, fill=(0, 0, 255)),
        Steps(96, 96, fill=(0, 0, 255)),
    ],
    ids=lambda recipe: f"{recipe.mode}{recipe.stretch:g}",
)
def test_the_box_says_which_part_of_the_picture_each_pixel_of_the_input_shows(
    recipe: Recipe, size: tuple[int, int]
) -> None:
    """A picture whose red says how far right a pixel lies and whose green how far down."""
    across, down = (np.arange(side) + 0.5 for side in size)
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[..., 0], picture[..., 1] = 250 * across / size[0], (250 * down / size[1])[:, None]
    prepared = recipe.apply(Image.fromarray(picture, "RGB")).astype(np.float64)
    x, y, width, height = recipe.seen(*size)
    right = x + width * (np.arange(recipe.width) + 0.5) / recipe.width
    below = y + height * (np.arange(recipe.height) + 0.5) / recipe.height
    inside = (0.05 < below[:, None]) & (below[:, None] < 0.95) & (0.05 < right) & (right < 0.95)
    step = 250 * max(width / recipe.width, height / recipe.height)  # between two pixels of the input
    assert np.abs(prepared[..., 0] - 250 * right)[inside].max() < 1.5 + step
    assert np.abs(prepared[..., 1] - 250 * below[:, None])[inside].max() < 1.5 + step
    outside = (below[:, None] < -0.03) | (below[:, None] > 1.03) | (right < -0.03) | (right > 1.03)
    assert (prepared[outside] == (0, 0, 255)).all()
    assert inside.sum() > 100 or recipe.mode == "pad"
