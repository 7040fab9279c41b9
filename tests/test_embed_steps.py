"""Preprocessing in two steps: sizes worked by hand, pixels against Pillow's own, borders, and what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagekin.embed.steps import Steps
from imagekin.errors import InputError
from imagekin.testing.embedders import synthetic_picture


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(synthetic_picture(1, height, width), "RGB")


def cut(image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int]) -> NDArray[Any]:
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC).crop(box))


@pytest.mark.parametrize(
    ("shape", "steps", "size", "corner"),
    [
        # 256 · 500 / 375 = 341.33, and (341 − 224) / 2 = 58.5, which is even when rounded to 58
        ((500, 375), {"resize": 256}, (341, 256), (58, 16)),
        ((500, 375), {"resize": 256, "corner": "down"}, (341, 256), (58, 16)),
        # 256 · 407 / 300 = 347.31, and (347 − 224) / 2 = 61.5, which is even when rounded to 62
        ((407, 300), {"resize": 256}, (347, 256), (62, 16)),
        ((407, 300), {"resize": 256, "corner": "down"}, (347, 256), (61, 16)),
        ((300, 407), {"resize": 256}, (256, 347), (16, 62)),
        # 224 · 319 / 320 is not asked: the short side is 319, the long one int(224 · 320 / 319) = 224
        ((320, 319), {"resize": 224}, (224, 224), (0, 0)),
        ((500, 375), {"resize": (240, 250)}, (250, 240), (13, 8)),
        ((500, 375), {"resize": (224, 224), "crop": False}, (224, 224), (0, 0)),
        ((500, 375), {}, (500, 375), (138, 76)),  # 75.5 is rounded to 76
        # the long side would be 341: int(300 · 256 / 341) = 225
        ((500, 375), {"resize": 256, "longest": 300}, (300, 225), (38, 0)),
        ((500, 375), {"longest": 320}, (320, 240), (48, 8)),
    ],
)
def test_sizes_and_corners_are_those_worked_by_hand(
    shape: tuple[int, int], steps: dict[str, Any], size: tuple[int, int], corner: tuple[int, int]
) -> None:
    recipe = Steps(224, 224, **steps)
    image = picture(*shape)
    box = (*corner, corner[0] + 224, corner[1] + 224)
    np.testing.assert_array_equal(recipe.apply(image), cut(image, size, box))
    expected = corner[0] / size[0], corner[1] / size[1], 224 / size[0], 224 / size[1]
    assert recipe.seen(*shape) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pad", "corner", "at"),
    [("centre", "round", (1, 2)), ("centre", "down", (2, 3)), ("corner", "round", (0, 0)), ("corner", "down", (0, 0))],
)
def test_what_is_smaller_is_laid_on_the_fill(pad: Any, corner: Any, at: tuple[int, int]) -> None:
    """5 columns in 8 leave 3, 3 rows in 8 leave 5; the odd one comes last in torchvision, first in transformers."""
    image = picture(5, 3)
    result = Steps(8, 8, pad=pad, corner=corner, fill=(9, 8, 7)).apply(image)
    expected = np.empty((8, 8, 3), np.uint8)
    expected[:] = (9, 8, 7)
    expected[at[1] : at[1] + 3, at[0] : at[0] + 5] = np.asarray(image)
    np.testing.assert_array_equal(result, expected)
    assert not Steps(8, 8, pad=pad, corner=corner).apply(image)[-1, -1].any() or at == (0, 0)


def test_too_narrow_and_too_high_at_once() -> None:
    image = picture(4, 20)
    result = Steps(8, 8).apply(image)
    np.testing.assert_array_equal(result[:, 2:6], np.asarray(image)[6:14])
    assert not result[:, :2].any() and not result[:, 6:].any()


def test_filters_are_pillows() -> None:
    image = picture(90, 70)
    for name, filter_ in [("nearest", 0), ("lanczos", 1), ("bilinear", 2), ("bicubic", 3), ("box", 4), ("hamming", 5)]:
        expected = np.asarray(image.resize((32, 32), Image.Resampling(filter_)))
        np.testing.assert_array_equal(Steps(32, 32, resize=(32, 32), resample=name).apply(image), expected)


def test_a_needle_is_resized_and_cut_in_one_step() -> None:
    """A picture of 1 x 30,000 pixels would be 224 x 6,720,000 in between, which is 4.5 GB."""
    column = np.repeat(np.arange(30_000) // 118, 3).reshape(-1, 1, 3).astype(np.uint8)
    result = Steps(224, 224, resize=224).apply(Image.fromarray(column, "RGB"))
    assert result.shape == (224, 224, 3) and len(np.unique(result)) <= 2  # one row of 30,000, or two


def test_one_step_and_two_show_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, image = Steps(64, 64, resize=72), picture(300, 200)
    both = recipe.apply(image).astype(int)
    monkeypatch.setattr("imagekin.embed.steps._BETWEEN", 0)
    assert np.abs(recipe.apply(image) - both).max() <= 1


def test_a_decoder_keeps_twice_what_is_needed() -> None:
    assert Steps(224, 224, resize=256).decode_side == 512
    assert Steps(224, 192, resize=(224, 192)).decode_side == 448
    assert Steps(224, 224, longest=320).decode_side == 640
    assert Steps(224, 224).decode_side == 65_500  # nothing is resized, so nothing may be left out


def test_the_nearest_word_of_a_recipe() -> None:
    assert Steps(224, 224, resize=256).mode == "crop"
    assert Steps(224, 224, resize=(256, 256)).mode == "squash"
    assert Steps(224, 224).mode == Steps(224, 224, resize=200).mode == Steps(224, 224, longest=224).mode == "pad"


@pytest.mark.parametrize(
    "steps",
    [
        {"resize": 0},
        {"resize": -1},
        {"resize": 1 << 40},
        {"resize": 2.5},
        {"resize": True},
        {"resize": (224,)},
        {"resize": (224, 0)},
        {"resize": "224"},
        {"resize": (224, 224), "longest": 300},
        {"longest": 0},
        {"resize": 256, "crop": False},
        {"resize": (256, 256), "crop": False},
        {"resample": "sinc"},
        {"fill": (0, 0, 256)},
        {"pad": "left"},
        {"corner": "up"},
    ],
)
def test_what_cannot_be_is_refused(steps: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Steps(224, 224, **steps)
    with pytest.raises(InputError):
        Steps(1 << 20, 224, resize=256)
