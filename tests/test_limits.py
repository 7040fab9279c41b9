from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageFile

from imagekin import decoders, images
from imagekin.errors import ImageError
from imagekin.images import Limits
from tests.encoded import difference, encoded, refused, scene


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
