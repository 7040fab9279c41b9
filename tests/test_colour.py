from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagekin import images
from imagekin.colour import to_rgb
from tests.encoded import HEIF, WRITABLE, difference, encoded, pixel, scene


@pytest.mark.parametrize(
    ("mode", "value", "rgb"),
    [
        ("1", 0, (0, 0, 0)),
        ("1", 1, (255, 255, 255)),
        ("L", 100, (100, 100, 100)),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 0), (255, 255, 255)),
        ("LA", (0, 51), (204, 204, 204)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("RGBX", (1, 2, 3, 0), (1, 2, 3)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (0, 255, 100, 102), (153, 255, 193)),
        ("RGBa", (0, 102, 40, 102), (153, 255, 193)),
        ("La", (0, 51), (204, 204, 204)),
        ("CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("YCbCr", (255, 128, 128), (255, 255, 255)),
        ("YCbCr", (76, 85, 255), (254, 0, 0)),
        ("LAB", (255, 128, 128), (255, 255, 255)),
        ("LAB", (0, 128, 128), (0, 0, 0)),
        ("HSV", (85, 255, 255), (0, 255, 0)),
        ("I;16", 0, (0, 0, 0)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 25700, (100, 100, 100)),
        ("I;16B", 25700, (100, 100, 100)),
        ("I", 200, (200, 200, 200)),
        ("I", 65535, (255, 255, 255)),
        ("F", 0.2, (51, 51, 51)),
        ("F", 51.4, (51, 51, 51)),
        ("F", 13107.0, (51, 51, 51)),
        ("F", float("nan"), (0, 0, 0)),
    ],
)
def test_each_mode_by_hand(mode: str, value: Any, rgb: tuple[int, int, int]) -> None:
    image = Image.new(mode, (3, 2), value)
    assert np.abs(np.subtract(pixel(image), rgb)).max() <= (mode == "LAB")  # the colour engine rounds its own way
    assert to_rgb(image).mode == "RGB"
    assert to_rgb(image).size == (3, 2)


def test_16_bit_is_scaled_to_the_nearest_for_every_value() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    photo = images.decode(encoded(Image.fromarray(values), "PNG"))
    expected = np.floor(values * 255.0 / 65535 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(photo.image), np.repeat(expected[..., None], 3, axis=2))


def test_numbers_out_of_every_customary_range_are_stretched() -> None:
    whole = np.array([[-100, 0, 100], [155, 410, -100]], np.int32)
    assert np.asarray(to_rgb(Image.fromarray(whole)))[..., 0].tolist() == [[0, 50, 100], [128, 255, 0]]
    real = np.array([[-1.0, 0.0, 1.0], [np.nan, np.inf, -np.inf]], np.float32)
    assert np.asarray(to_rgb(Image.fromarray(real)))[..., 0].tolist() == [[0, 128, 255], [0, 255, 0]]


def test_palettes_and_transparent_colours_lie_on_white() -> None:
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([200, 0, 0, 0, 0, 200])
    palette.putpixel((1, 0), 1)
    plain = images.decode(encoded(palette, "PNG")).image
    assert np.asarray(plain).tolist() == [[[200, 0, 0], [0, 0, 200]]]
    for name in ("PNG", "GIF"):
        holed = images.decode(encoded(palette, name, transparency=1)).image
        assert np.asarray(holed).tolist() == [[[200, 0, 0], [255, 255, 255]]]
    half = images.decode(encoded(palette, "PNG", transparency=b"\xff\x66")).image
    assert np.asarray(half).tolist() == [[[200, 0, 0], [153, 153, 233]]]
    keyed = images.decode(encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG", transparency=(1, 2, 3))).image
    assert np.asarray(keyed).tolist() == [[[255, 255, 255]]]
    grey = images.decode(encoded(Image.new("L", (1, 1), 7), "PNG", transparency=7)).image
    assert np.asarray(grey).tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        *(("TIFF", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "F")),
        *(("WEBP", mode) for mode in ("L", "RGB", "RGBA")),
        *(("GIF", mode) for mode in ("1", "L", "P", "RGB")),
        *(("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")),
        *(("PPM", mode) for mode in ("L", "RGB")),
        *(("AVIF", mode) for mode in ("RGB", "RGBA")),
        *((("HEIF", "RGB"), ("HEIF", "RGBA")) if HEIF else ()),
    ],
)
def test_each_format_in_each_mode_shows_the_scene(name: str, mode: str) -> None:
    picture = scene()
    if mode in ("I;16", "I", "F"):
        grey = np.asarray(picture.convert("L"), np.float64)
        factor = {"I;16": 257, "I": 257, "F": 1 / 255}[mode]
        picture = Image.fromarray((grey * factor).astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    elif mode == "LAB":
        picture = Image.merge("LAB", (picture.convert("L"), *[Image.new("L", picture.size, 128)] * 2))
    else:
        picture = picture.convert(mode)
    photo = images.decode(encoded(picture, name))
    assert (photo.width, photo.height, photo.image.mode) == (64, 48, "RGB")
    expected = (
        scene().convert("RGB")
        if mode not in ("1", "L", "LA", "I;16", "I", "F", "LAB")
        else scene().convert("L").convert("RGB")
    )
    assert difference(photo.image, expected, 8) < (20 if mode in ("1", "P", "LAB") or name == "GIF" else 4)


def test_an_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    for name in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
        data = encoded(frames[0], name, save_all=True, append_images=frames[1:])
        photo = images.decode(data)
        assert np.abs(np.asarray(photo.image, int) - (200, 0, 0)).max() < 6, name
        assert type(photo.image) is Image.Image  # not a decoder that holds the other frames


def test_the_first_picture_of_a_camera_s_multi_picture_file_is_taken() -> None:
    two = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encoded(two[0], "MPO", save_all=True, append_images=two[1:])
    photo = images.decode(data)
    assert (photo.format, photo.image.getpixel((8, 8))) == ("JPEG", (254, 0, 0))


def test_one_pixel_and_extreme_shapes_work() -> None:
    for size in ((1, 1), (1, 5000), (5000, 1)):
        for name in WRITABLE:
            photo = images.decode(encoded(Image.new("RGB", size, (90, 90, 90)), name))
            assert (photo.width, photo.height) == photo.image.size == size
            assert np.abs(np.asarray(photo.image, int) - 90).max() <= 2
