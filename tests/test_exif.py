from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagekin import exif, images
from tests.encoded import difference, encoded, scene


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


@pytest.mark.parametrize("name", ["exif", "APP1"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_png_that_keeps_its_exif_as_text_is_turned_upright(name: str, packed: bool) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    data = tags.tobytes().hex()
    lines = "\n".join(data[at : at + 72] for at in range(0, len(data), 72))
    text = PngInfo()
    text.add_text(f"Raw profile type {name}", f"\n{name.lower()}\n{len(data) // 2:8}\n{lines}\n", zip=packed)
    photo = images.decode(encoded(scene().transpose(Image.Transpose.ROTATE_90), "PNG", pnginfo=text))
    assert (photo.width, photo.height) == (64, 48)
    assert difference(photo.image, scene()) < 1


@pytest.mark.parametrize("text", ["", "\n", "\nexif\n  4\nzz", "\nexif\n  4\n4d4", "x" * 500])
def test_text_that_is_no_exif_turns_nothing(text: str) -> None:
    info = PngInfo()
    info.add_text("Raw profile type exif", text)
    assert images.decode(encoded(scene(), "PNG", pnginfo=info)).image.size == (64, 48)


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
