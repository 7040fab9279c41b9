"""Small image files of every format, made on the spot, and how far two pictures are apart."""

from __future__ import annotations

import importlib.util
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagekin import images
from imagekin.colour import to_rgb
from imagekin.errors import ImageError

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
