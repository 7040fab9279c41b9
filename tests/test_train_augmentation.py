"""Pictures moved, turned and scaled a little while they are learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagekin.embed.base import Recipe
from imagekin.train import augmentation
from imagekin.train.augmentation import varied
from tests.photographs import photograph

STILL = np.full(8, 0.5)


def shifted(**draws: float) -> NDArray[Any]:
    """A photograph as some draws, by their place, move it; the others do nothing."""
    chosen = STILL.copy()
    for place, draw in draws.items():
        chosen[int(place[1:])] = draw
    return np.asarray(augmentation._shifted(photograph(3), chosen)).astype(int)


def test_the_middle_of_the_draws_changes_nothing() -> None:
    np.testing.assert_array_equal(shifted(), np.asarray(photograph(3)))


@pytest.mark.parametrize(("place", "axis"), [("d6", 1), ("d7", 0)])
def test_a_draw_moves_a_picture_and_carries_its_edge_on(place: str, axis: int) -> None:
    plain = np.asarray(photograph(3)).astype(int)
    steps = augmentation._MOVED * plain.shape[axis]
    moved = shifted(**{place: 0.5 + 0.5 * round(steps) / steps})
    want = np.roll(plain, round(steps), axis=axis)
    rows = np.arange(plain.shape[axis])
    inner, edge = rows[round(steps) :], rows[: round(steps)]
    np.testing.assert_allclose(moved.take(inner, axis), want.take(inner, axis), atol=1)
    first = np.repeat(plain.take([0], axis), len(edge), axis)
    np.testing.assert_allclose(moved.take(edge, axis), first, atol=1)


def test_a_picture_is_turned_and_scaled_about_its_middle() -> None:
    spot = Image.new("RGB", (101, 101))
    spot.putpixel((50, 50), (255, 255, 255))
    for place in (4, 5):
        draws = STILL.copy()
        draws[place] = 1.0
        seen = np.asarray(augmentation._shifted(spot, draws))[:, :, 0]
        assert int(seen.argmax()) == 50 * 101 + 50
    bar = Image.new("RGB", (101, 101))
    bar.paste((255, 255, 255), (48, 0, 53, 101))
    draws = STILL.copy()
    draws[4] = 1.0
    seen = np.asarray(augmentation._shifted(bar, draws))[:, :, 0].astype(float)
    tops, bottoms = (np.average(np.arange(101), weights=seen[row]) for row in (10, 90))
    assert abs(abs(bottoms - tops) - 80 * np.tan(augmentation._TURN)) < 1


def test_shifted_pictures_are_the_input_of_the_network_and_the_same_for_a_seed() -> None:
    recipe = Recipe(24, 32, mode="squash")
    views = [varied(photograph(1), recipe, "shift", np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert views[0].shape == (24, 32, 3) and views[0].dtype == np.uint8
    np.testing.assert_array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])


def test_edges_of_a_long_and_thin_picture_do_not_fill_the_memory() -> None:
    for size, wanted in (((65_000, 2), (4_096, 1)), ((3, 65_000), (1, 4_096))):
        assert augmentation._shifted(Image.new("RGB", size), STILL).size == wanted
