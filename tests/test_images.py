from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagekin import images
from imagekin.errors import ImageError, InputError
from imagekin.images import LOCAL, Limits, Photo
from tests.encoded import encoded, scene


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


def test_a_photo_holds_what_was_promised() -> None:
    photo = images.decode(encoded(scene(), "JPEG"))
    assert isinstance(photo, Photo)
    with pytest.raises(AttributeError):
        photo.width = 1  # type: ignore[misc]
    assert (LOCAL.pixels, LOCAL.draft_pixels, LOCAL.side, LOCAL.bytes) == (64_000_000, 256_000_000, 65_500, 67_108_864)
    assert (images.UPLOAD.pixels, images.UPLOAD.bytes) == (64_000_000, 20_971_520)
