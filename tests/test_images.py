from __future__ import annotations

import importlib.util
import os
import random
import struct
import sys
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from imagekin import decoders, exif, formats, images
from imagekin.colour import to_rgb
from imagekin.errors import ImageError, InputError
from imagekin.images import LOCAL, Limits, Photo

HEIF = importlib.util.find_spec("pillow_heif") is not None
WRITABLE = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"]


def encoded(image: Image.Image, name: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    if name == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(image).save(file, format="HEIF", **options)
    else:
        image.save(file, name, **options)
    return file.getvalue()


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """Smooth, and different in every corner."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((np.stack([255 * x, 255 * y, 255 * (1 - x) * (1 - y)], axis=-1)).astype(np.uint8))


def difference(one: Image.Image, other: Image.Image, side: int = 32) -> float:
    size = (side, side)
    a, b = (np.asarray(image.resize(size, Image.Resampling.BOX), np.float64) for image in (one, other))
    return float(np.abs(a - b).mean())


def pixel(image: Image.Image) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(to_rgb(image))[0, 0])


def refused(data: bytes, **options: Any) -> str:
    with pytest.raises(ImageError) as caught:
        images.decode(data, **options)
    return str(caught.value)


# -- orientation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scene_name", "size"), [("Landscape", (1800, 1200)), ("Portrait", (1200, 1800))])
@pytest.mark.parametrize("target", [None, 256])
def test_all_orientations_show_the_same_scene(
    shared_data: Path, scene_name: str, size: tuple[int, int], target: int | None
) -> None:
    paths = sorted((shared_data / "exif_orientation").glob(f"{scene_name}_?.jpg"))
    photos = [images.load(path, target=target) for path in paths]
    assert len(photos) == 9
    assert {(photo.width, photo.height) for photo in photos} == {size}
    assert all(difference(photo.image, photos[0].image) < 1 for photo in photos)
    if target:
        assert {photo.image.size for photo in photos} == {(size[0] // 4, size[1] // 4)}


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("value", range(10))
def test_each_format_is_turned_upright(name: str, value: int) -> None:
    upright = scene()
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    undo |= {n: turn for n, turn in exif._TURNS.items() if n not in undo}
    stored = upright.transpose(undo[value]) if value in undo else upright
    block = Image.Exif()
    block[0x0112] = value
    photo = images.decode(encoded(stored, name, exif=block))
    assert (photo.width, photo.height) == photo.image.size == (64, 48)
    assert difference(photo.image, upright) < 3
    assert photo.image.info == {}


def test_a_pillow_image_is_turned_like_its_file_and_left_as_it_was() -> None:
    block = Image.Exif()
    block[0x0112] = 6
    with Image.open(BytesIO(encoded(scene(), "JPEG", exif=block))) as opened:
        photo = images.load(opened)
        assert (photo.width, photo.height) == photo.image.size == (48, 64)
        assert opened.size == (64, 48)
        assert "exif" in opened.info
    again = images.load(photo.image)
    assert again.image is photo.image  # what was turned is not turned twice


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_read_from_hand_made_blocks(order: str) -> None:
    def block(tag: int, kind: int, value: int, entries: int = 1, at: int = 8) -> bytes:
        mark = b"II*\0" if order == "<" else b"MM\0*"
        return mark + struct.pack(order + "IHHHIHH", at, entries, tag, kind, 1, value, 0)

    assert exif.orientation(b"Exif\0\0" + block(0x0112, 3, 6)) == 6
    assert exif.orientation(block(0x0112, 3, 8)) == 8
    assert exif.orientation(block(0x0112, 3, 1)) == 1
    for damaged in (
        block(0x0112, 3, 9),
        block(0x0112, 4, 6),
        block(0x0110, 3, 6),
        block(0x0110, 3, 6, entries=65535),
        block(0x0112, 3, 6, at=2**32 - 1),
        block(0x0112, 3, 6)[:19],
        b"",
        b"Exif\0\0",
        b"nonsense",
    ):
        assert exif.orientation(damaged) == 1


def test_damaged_exif_costs_the_turn_and_nothing_else() -> None:
    for block in (
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x1a\x00\x05" * 30,
        b"Exif\0\0",
    ):
        assert images.decode(encoded(scene(), "JPEG", exif=block)).image.size == (64, 48)


# -- draft -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "target", "decoded"),
    [
        ((1600, 1200), None, (1600, 1200)),
        ((1600, 1200), 1200, (1600, 1200)),
        ((1600, 1200), 601, (1600, 1200)),
        ((1600, 1200), 600, (800, 600)),
        ((1200, 1600), 300, (300, 400)),
        ((1600, 1200), 150, (200, 150)),
        ((1600, 1200), 1, (200, 150)),
        ((1601, 1201), 150, (201, 151)),
        ((300, 200), 512, (300, 200)),
        ((1, 3000), 64, (1, 3000)),
        ((15, 16), 1, (2, 2)),
    ],
)
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_keeps_the_target(
    size: tuple[int, int], target: int | None, decoded: tuple[int, int]
) -> None:
    photo = images.decode(encoded(scene(*size), "JPEG", quality=90), target=target)
    assert photo.image.size == decoded
    assert (photo.width, photo.height, photo.format, photo.image.mode) == (*size, "JPEG", "RGB")


def test_a_draft_at_twice_the_size_keeps_the_picture(shared_data: Path) -> None:
    path = shared_data / "exif_orientation" / "Landscape_1.jpg"
    draft, full = images.load(path, target=300), images.load(path)
    assert draft.image.size == (450, 300)
    thumbs = [
        np.asarray(photo.image.resize((150, 100), Image.Resampling.BICUBIC), np.float64) for photo in (draft, full)
    ]
    assert np.abs(thumbs[0] - thumbs[1]).mean() < 2
    assert np.corrcoef(thumbs[0].ravel(), thumbs[1].ravel())[0, 1] > 0.998


# -- modes -----------------------------------------------------------------------------------------------------


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


# -- sources ---------------------------------------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same_picture(tmp_path: Path) -> None:
    data = encoded(scene())
    path = tmp_path / "scene.png"
    path.write_bytes(data)
    pixels = np.asarray(scene())
    alpha = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    for source in (
        path,
        str(path),
        data,
        bytearray(data),
        memoryview(data),
        scene(),
        pixels,
        alpha,
        pixels[:, ::-1][:, ::-1],
    ):
        photo = images.load(source)
        assert (photo.width, photo.height) == (64, 48)
        np.testing.assert_array_equal(np.asarray(photo.image), pixels)
    assert [images.load(source).format for source in (path, data, pixels)] == ["PNG", "PNG", ""]
    grey = pixels[..., 0]
    for source in (grey, grey[..., None]):
        np.testing.assert_array_equal(np.asarray(images.load(source).image), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize(
    "source",
    [
        42,
        None,
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_what_is_no_picture_at_all_is_an_error_of_the_caller(source: Any) -> None:
    with pytest.raises(InputError, match=r"an (image|array) "):
        images.load(source)


def test_a_sentence_names_the_file_with_its_control_characters_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\n\u202e.png"
    path.write_bytes(encoded(scene())[:-40])
    with pytest.raises(ImageError) as caught:
        images.load(path)
    assert str(caught.value).endswith("a\\x1b[2J\\n\\u202e.png': truncated: the file ends before the picture does.")
    with pytest.raises(ImageError, match=r"^cannot read the image: not an image, or not a JPEG, PNG, .* or HEIC\.$"):
        images.load(b"hello")


# -- reading files ---------------------------------------------------------------------------------------------


def test_reading_gives_the_bytes_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "Zürich \udcff.jpg"
    path.write_bytes(bytes(1000))
    assert images.read(path, Limits(bytes=1000)) == bytes(1000)
    with pytest.raises(ImageError, match=r"^too large: 0.0 MiB; the limit is 0$"):
        images.read(path, Limits(bytes=999))


def test_reading_goes_on_after_a_short_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)))
    read = os.read
    monkeypatch.setattr(os, "read", lambda handle, size: read(handle, min(size, 100)))
    assert images.read(path) == bytes(range(256))


def test_what_is_no_readable_file_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    reasons = {
        "gone": "no such file or folder",
        "empty/gone": "no such file or folder",
        "empty": "the file is empty",
        "pipe": "not a regular file",
        "": "a folder, not a file",
        "circle": "the system could not read it: Too many levels",
        "a\0b": "not a possible file name",
    }
    for name, reason in reasons.items():
        with pytest.raises(ImageError, match=f"^{reason}"):
            images.read(f"{tmp_path}/{name}")
    with pytest.raises(ImageError, match="not a regular file"):
        images.read("/dev/zero")


def test_a_forbidden_or_broken_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, reason in ((13, "permission denied"), (5, "the system could not read it: Input/output error")):
        error = OSError(number, os.strerror(number))
        monkeypatch.setattr(os, "open", lambda *_, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(ImageError, match=f"^{reason}$"):
            images.read("/photos/a.jpg")


@pytest.mark.parametrize("change", [b"more", b""])
def test_a_file_that_changes_while_it_is_read_is_left_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"half of it")
    read = os.read

    def slow(handle: int, size: int) -> bytes:
        data = read(handle, size)
        if change:
            with path.open("ab") as file:
                file.write(change)
        else:
            path.write_bytes(b"h")
        return data

    monkeypatch.setattr(os, "read", slow)
    with pytest.raises(ImageError, match="changed while it was read"):
        images.read(path)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(20):
        images.read(path)
        with pytest.raises(ImageError):
            images.read(tmp_path)
    assert (len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0) == before


# -- limits ----------------------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def webp_header(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<II", 10, 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body += encoded(scene(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gif_with_a_larger_frame(width: int, height: int) -> bytes:
    data = bytearray(encoded(Image.new("L", (4, 4)), "GIF"))
    at = data.index(b"\x2c\0\0\0\0\4\0\4\0")
    data[at + 5 : at + 9] = struct.pack("<HH", width, height)
    return bytes(data)


def resized(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) == 1
    return data.replace(old, new)


def bmp(width: int, height: int) -> bytes:
    return resized(encoded(scene(50, 40), "BMP"), struct.pack("<ii", 50, 40), struct.pack("<ii", width, height))


def tiff(width: int, height: int) -> bytes:
    data = encoded(scene(50, 40), "TIFF")
    for tag, old, new in ((256, 50, width), (257, 40, height)):
        data = resized(data, struct.pack("<HHII", tag, 4, 1, old), struct.pack("<HHII", tag, 4, 1, new))
    return data


def jpeg(width: int, height: int, **options: Any) -> bytes:
    return resized(
        encoded(scene(50, 40), "JPEG", **options), struct.pack(">HH", 40, 50), struct.pack(">HH", height, width)
    )


BOMBS = {
    "png": png_header(16_000, 11_000),
    "webp": webp_header(16_000, 11_000),
    "gif": gif_with_a_larger_frame(16_000, 11_000),
    "bmp": bmp(16_000, 11_000),
    "tiff": tiff(16_000, 11_000),
    "ppm": b"P6\n16000 11000\n255\n" + bytes(99),
    "progressive jpeg": jpeg(16_000, 11_000, progressive=True),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_by_their_header(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", lambda _: pytest.fail("it was decoded"))
    assert len(BOMBS[name]) < 10_000
    assert refused(BOMBS[name]) == "too large: 176.0 megapixels; the limit is 64"


@pytest.mark.parametrize(
    "data", [gif_with_a_larger_frame(60_000, 60_000), png_header(2**31 - 1, 2**31 - 1), png_header(65_501, 1)]
)
def test_far_too_large_is_refused_too(data: bytes) -> None:
    assert refused(data).startswith("too large: ")


def test_a_large_jpeg_is_refused_beyond_the_draft_limit() -> None:
    assert refused(jpeg(20_000, 13_000)) == "too large: 260.0 megapixels; the limit is 256"
    assert refused(jpeg(65_535, 10)) == "too large: 65,535 x 10 pixels; the longer side may have 65,500"


@pytest.mark.parametrize(
    ("limits", "target", "size"),
    [
        (Limits(pixels=480 * 320), None, (480, 320)),
        (Limits(pixels=480 * 320 - 1), None, (240, 160)),
        (Limits(pixels=240 * 160 - 1), 320, (120, 80)),
        (Limits(pixels=60 * 40), 320, (60, 40)),
        (Limits(pixels=480 * 320 - 1), 40, (60, 40)),
    ],
)
def test_a_jpeg_beyond_the_pixel_limit_is_decoded_smaller(
    limits: Limits, target: int | None, size: tuple[int, int]
) -> None:
    photo = images.decode(encoded(scene(480, 320), "JPEG"), target=target, limits=limits)
    assert photo.image.size == size
    assert (photo.width, photo.height) == (480, 320)
    assert difference(photo.image, scene()) < 4


def test_only_a_jpeg_that_streams_may_be_shrunk_past_the_limit() -> None:
    limits = Limits(pixels=1000)
    assert refused(encoded(scene(), "JPEG", progressive=True), limits=limits).startswith("too large: 0.0 megapixels")
    assert refused(encoded(scene(320, 240), "JPEG"), limits=limits) == "too large: 0.0 megapixels; the limit is 0"
    interleaved = encoded(scene(), "JPEG")
    with decoders.Jpeg(BytesIO(interleaved)) as image:
        assert decoders.streams(interleaved, image)
    # The first scan of three: one component in its header instead of three.
    at = interleaved.index(b"\xff\xda")
    split = interleaved[:at] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + interleaved[at + 14 :]
    with decoders.Jpeg(BytesIO(split)) as image:
        assert not decoders.streams(split, image)


def test_limits_hold_for_bytes_and_for_pillow_images() -> None:
    assert refused(bytes(3 << 20), limits=Limits(bytes=2 << 20)) == "too large: 3.0 MiB; the limit is 2"
    with pytest.raises(ImageError, match=r"^cannot read the image: too large: .* megapixels"):
        images.load(scene(), limits=Limits(pixels=64 * 48 - 1))
    assert images.load(scene(), limits=Limits(pixels=64 * 48)).width == 64


# -- damaged and foreign files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*WRITABLE, *(["HEIF"] if HEIF else [])])
def test_truncated_files_are_never_taken_for_whole(name: str) -> None:
    noise = Image.fromarray(np.random.default_rng(7).integers(0, 255, (40, 50, 3), np.uint8))
    data = encoded(noise, name)
    assert images.decode(data).width == 50
    for share in (0.5, 0.9):
        reason = refused(data[: int(len(data) * share)])
        assert reason.startswith(("truncated", "damaged")), reason
    if name in ("JPEG", "PNG", "GIF", "BMP", "PPM"):
        assert refused(data[: int(len(data) * 0.9)]) == "truncated: the file ends before the picture does"


def samples() -> list[bytes]:
    picture = Image.fromarray(np.random.default_rng(5).integers(0, 255, (9, 13, 3), np.uint8))
    frames = {"save_all": True, "append_images": [picture.rotate(180)]}
    block = Image.Exif()
    block[0x0112] = 6
    return [
        encoded(picture, "JPEG", exif=block),
        encoded(picture, "JPEG", progressive=True),
        encoded(picture.convert("CMYK"), "JPEG"),
        encoded(picture, "PNG", exif=block),
        encoded(picture.convert("P"), "PNG", transparency=3),
        encoded(picture, "PNG", **frames),
        encoded(picture, "WEBP", lossless=True, exif=block),
        encoded(picture, "WEBP", **frames),
        encoded(picture, "GIF", **frames),
        encoded(picture, "BMP"),
        encoded(picture, "PPM"),
        encoded(picture, "TIFF", exif=block),
        encoded(picture, "TIFF", compression="tiff_lzw"),
        encoded(picture, "TIFF", compression="jpeg"),
        encoded(picture.convert("1"), "TIFF", compression="group4"),
        encoded(picture, "AVIF", exif=block),
    ]


def test_mutated_files_give_a_picture_or_a_reason_and_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20_240_229)
    outcomes = {True: 0, False: 0}
    limits = Limits(pixels=images.MEGA)
    for data in samples():
        assert images.decode(data, target=8).width in (9, 13)
        for _ in range(800):
            mutated = bytearray(data)
            for _ in range(chance.choice((1, 2, 8))):
                mutated[chance.randrange(min(len(data), chance.choice((64, 512, 1 << 20))))] = chance.randrange(256)
            if chance.random() < 0.2:
                del mutated[chance.randrange(len(mutated)) :]
            try:
                photo = images.decode(bytes(mutated), target=8, limits=limits)
            except ImageError as error:
                outcomes[False] += 1
                assert str(error).isprintable()
                assert 0 < len(str(error)) < 130
            else:
                outcomes[True] += 1
                assert photo.image.mode == "RGB"
    assert min(outcomes.values()) > 2000
    assert capfd.readouterr() == ("", "")


FOREIGN = {
    b'<svg xmlns="http://www.w3.org/2000/svg"/>': "an SVG drawing",
    b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->\n<SVG/>': "an SVG drawing",
    b'<?xml version="1.0"?><note/>': "an XML file",
    b"%PDF-1.7": "a PDF document",
    b"%!PS-Adobe-3.0 EPSF-3.0": "a PostScript file",
    b"\xc5\xd0\xd3\xc6\x20\0\0\0": "a PostScript file",
    b"8BPS\0\1": "a Photoshop file",
    b"\0\0\0\x0cjP  \r\n\x87\n": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51\0\x2f": "a JPEG 2000 image",
    b"\xff\x0a\xfa": "a JPEG XL image",
    b"SIMPLE  =                    T": "a FITS file",
    b"II*\0\x10\0\0\0CR\2\0": "a camera's raw file",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "a camera's raw file",
    b"\0\0\0\x18ftypisom\0\0\2\0isommp42": "a video",
    b"<!DOCTYPE html><html>": "a web page",
    b"PK\3\4": "a ZIP archive",
    b"": "the file is empty",
    b"\0" * 100: "not an image, or not a JPEG",
    b"hello": "not an image, or not a JPEG",
}


@pytest.mark.parametrize("data", FOREIGN)
def test_foreign_files_are_named_and_no_decoder_is_asked(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "opened", lambda *_: pytest.fail("a decoder was asked"))
    assert refused(data).startswith(FOREIGN[data])


def test_a_raw_file_in_tiff_s_clothes_is_not_taken_for_its_preview() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    assert refused(encoded(scene(), "TIFF", tiffinfo=tags)).startswith("a camera's raw file")


def test_heic_asks_for_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50)
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    assert refused(heic) == 'an HEIC image, which needs a further package; pip install "imagekin[heif]"'
    unsafe = type(sys)("pillow_heif")
    unsafe.__version__ = "1.6.9"  # type: ignore[attr-defined]
    monkeypatch.setattr(formats, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "pillow_heif", unsafe)
    decoders._check_heif.cache_clear()
    assert refused(heic) == 'an HEIC image, and pillow-heif 1.6.9 is unsafe; pip install -U "imagekin[heif]"'
    unsafe.__version__ = "1.10.0"  # type: ignore[attr-defined]
    assert refused(heic).startswith("damaged")
    decoders._check_heif.cache_clear()


def test_generic_brands_are_told_apart() -> None:
    assert formats.sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf") == "AVIF"
    assert formats.sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf") == "HEIF"
    assert formats.sniff(b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf") == "AVIF"
    assert formats.sniff(b"\0\0\0\x14ftypqt  \0\0\0\0qt  heic") == "video"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "too large: there is not enough memory to decode it"),
        (Image.DecompressionBombError("x"), "too large: it has far too many pixels"),
        (EOFError(), "truncated: the file ends before the picture does"),
        (ValueError("odd\nvalue"), "damaged (odd value)"),
        (struct.error(""), "damaged (error)"),
        (OSError("x" * 81), "damaged (OSError)"),
        (OSError("\x1b[2J"), "damaged (OSError)"),
        (OSError("caf\xe9"), "damaged (OSError)"),
    ],
)
def test_whatever_a_decoder_raises_becomes_a_reason(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object) -> None:
        raise error

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", load)
    assert refused(encoded(scene(), "JPEG")) == reason


def test_an_interrupt_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", load)
    with pytest.raises(KeyboardInterrupt):
        images.decode(encoded(scene(), "JPEG"))


# -- warnings and threads --------------------------------------------------------------------------------------


def test_decoders_warnings_are_kept_in_while_any_thread_decodes_and_no_others() -> None:
    before = list(warnings.filters)
    with decoders.quiet():
        with decoders.quiet():
            warnings.warn_explicit("odd", UserWarning, "file.py", 1, module="PIL.TiffImagePlugin")
        warnings.warn_explicit("odd", UserWarning, "file.py", 1, module="PIL.PngImagePlugin")
        with pytest.raises(UserWarning):
            warnings.warn_explicit("odd", UserWarning, "file.py", 1, module="mine")
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning):
        warnings.warn_explicit("odd", UserWarning, "file.py", 1, module="PIL.PngImagePlugin")


def test_many_threads_decode_alike_and_leave_the_filters_alone() -> None:
    data = samples()
    expected = [np.asarray(images.decode(each).image) for each in data]
    before = list(warnings.filters)
    wrong: list[str] = []

    def work() -> None:
        for _ in range(5):
            for each, pixels in zip(data, expected, strict=True):
                if not np.array_equal(np.asarray(images.decode(each).image), pixels):
                    wrong.append("different")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(warnings.filters) == before


def test_a_photo_holds_what_was_promised() -> None:
    photo = images.decode(encoded(scene(), "JPEG"))
    assert isinstance(photo, Photo)
    with pytest.raises(AttributeError):
        photo.width = 1  # type: ignore[misc]
    assert (LOCAL.pixels, LOCAL.draft_pixels, LOCAL.side, LOCAL.bytes) == (64_000_000, 256_000_000, 65_500, 67_108_864)
    assert (images.UPLOAD.pixels, images.UPLOAD.bytes) == (64_000_000, 20_971_520)
