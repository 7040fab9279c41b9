"""Any Pillow mode to RGB, as a person would see the picture on white paper; colour profiles are ignored."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ALPHA: Final = frozenset({"RGBA", "RGBa", "LA", "PA"})
_NUMERIC: Final = frozenset({"I", "F"})


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture of mode RGB: *image* itself when it is one already.

    Transparency is laid over white.  16-bit greys are scaled by 255/65535; 32-bit integers and floats by the range
    they fill: 0…1, 0…255 or 0…65535 when they fit in it, else from their smallest to their largest value.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16"):
        return _grey(_from_16_bit(np.asarray(image)))
    if image.mode in _NUMERIC:
        return _grey(_from_numbers(np.asarray(image, np.float64), image.mode == "F"))
    if image.mode == "La":  # Pillow has no direct way to RGBA
        image = image.convert("LA")
    if image.mode in _ALPHA or "transparency" in image.info:
        return _over_white(image.convert("RGBA"))
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """An RGBA picture on white."""
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image)
    return paper


def _from_16_bit(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Nearest integer to value x 255/65535; the shift is exact for all 65,536 values."""
    return ((values.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)


def _from_numbers(values: NDArray[np.float64], real: bool) -> NDArray[np.uint8]:
    """Scale by the smallest customary range that holds all values; NaN and infinities do not count."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    tops = (1.0, 255.0, 65535.0) if real else (255.0, 65535.0)
    top = next((top for top in tops if low >= 0 and high <= top), None)
    start, span = (0.0, top) if top else (low, high - low)
    scaled = (np.nan_to_num(values, nan=start, posinf=high, neginf=low) - start) * (255 / span)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _grey(values: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(values, "L").convert("RGB")
