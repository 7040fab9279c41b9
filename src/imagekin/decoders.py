"""The decoders that hostile files may reach: chosen here by the first bytes, silenced, their failures put in words."""

from __future__ import annotations

import ctypes
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any, Final, cast

from PIL import Image, JpegImagePlugin

from imagekin import formats
from imagekin.errors import ImageError

_PLUGINS: Final = {
    formats.PNG: ("PIL.PngImagePlugin", "PngImageFile"),
    formats.WEBP: ("PIL.WebPImagePlugin", "WebPImageFile"),
    formats.GIF: ("PIL.GifImagePlugin", "GifImageFile"),
    formats.BMP: ("PIL.BmpImagePlugin", "BmpImageFile"),
    formats.PNM: ("PIL.PpmImagePlugin", "PpmImageFile"),
    formats.TIFF: ("PIL.TiffImagePlugin", "TiffImageFile"),
    formats.AVIF: ("PIL.AvifImagePlugin", "AvifImageFile"),
    formats.HEIF: ("pillow_heif", "HeifImageFile"),
}

MAX_SCANS: Final = 100
"""A progressive JPEG in use has about ten scans; each is a pass over the whole picture, however few bytes it takes."""

_MAX_SEGMENTS: Final = 20_000
_MARKER: Final = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)
"""A marker that a segment or the end follows: neither a stuffed byte, nor a restart, nor a padding."""

_HEIF_FLOOR: Final = (1, 7, 0)
"""Older wheels carry a libheif that a picture can take over (CVE-2026-84383)."""

_SUBFILE: Final = 254
"""TIFF tag NewSubfileType; bit 0 says that the first picture is only a preview, as in camera raw files."""

_noise = re.compile(r"(PIL|pillow_heif)\b")
_lock = threading.Lock()
_quiet_calls = 0


class Jpeg(JpegImagePlugin.JpegImageFile):
    """Pillow's JPEG reader without its look for a resolution in EXIF: that costs time, and warns when it is damaged."""

    def _read_dpi_from_exif(self) -> None:
        """Nothing: the resolution is never used."""


def opened(kind: str, data: bytes) -> Image.Image:
    """A file of *kind*, its header read, its pixels not yet.

    The class is called directly, so that no other decoder can be reached by way of the file's content.
    """
    if kind == formats.HEIF:
        _check_heif()
    if kind == formats.TIFF:
        _silence_libtiff()
    module, name = _PLUGINS[kind]
    image = cast("Image.Image", getattr(import_module(module), name)(BytesIO(data)))
    if kind == formats.TIFF and cast("Any", image).tag_v2.get(_SUBFILE, 0) & 1:
        raise ImageError(cast("str", formats.refusal("camera raw")))
    return image


def scans(data: bytes) -> int:
    """How many times a JPEG passes over its picture: its SOS markers, counted up to a few more than ``MAX_SCANS``.

    The walk is that of libjpeg (ITU-T T.81, annex B): segments by their length, coded data up to the next marker, to
    the first end of image.  Previews in metadata and further pictures behind the first therefore do not count.
    """
    count, at = 0, 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None or found[1] == b"\xd9" or count > MAX_SCANS:
            return count
        count += found[1] == b"\xda"
        at = found.end() + max(int.from_bytes(data[found.end() : found.end() + 2], "big"), 2)
    return MAX_SCANS + 1


def streams(data: bytes, image: JpegImagePlugin.JpegImageFile) -> bool:
    """Whether a JPEG can be shrunk while it is read: baseline, all colours in one scan.

    Any other kind makes libjpeg hold every coefficient of the full picture.  *image* is open and not yet loaded, so
    its file stands behind the first scan's header: marker, length, number of colours, two bytes each, three more.
    """
    length = 8 + 2 * image.layers
    header = data[image.fp.tell() - length :] if image.fp else b""
    return "progressive" not in image.info and header[:2] == b"\xff\xda" and header[4] == image.layers


def reason(error: Exception) -> str:
    """What a decoder's exception means, as a bare reason."""
    if isinstance(error, MemoryError):
        return "too large: there is not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return "too large: it has far too many pixels"
    text = " ".join(str(error).split())
    if isinstance(error, EOFError) or re.search(r"truncated|not enough|unexpected end|incomplete", text, re.IGNORECASE):
        return "truncated: the file ends before the picture does"
    detail = text if text.isascii() and text.isprintable() and 0 < len(text) <= 80 else type(error).__name__
    return f"damaged ({detail})"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the decoders' warnings from the user while any thread is inside.

    ``warnings.catch_warnings`` swaps a global list and is not safe between threads; here one filter, for those
    modules only, is put in by the first thread and taken out by the last.
    """
    global _quiet_calls  # noqa: PLW0603
    entry = ("ignore", None, Warning, _noise, 0)
    filters = cast("list[Any]", warnings.filters)
    with _lock:
        _quiet_calls += 1
        if entry not in filters:
            warnings.filterwarnings("ignore", module=_noise.pattern)
    try:
        yield
    finally:
        with _lock:
            _quiet_calls -= 1
            if _quiet_calls == 0:
                with suppress(ValueError):
                    cast("list[Any]", warnings.filters).remove(entry)


@cache
def _silence_libtiff() -> None:
    """Stop libtiff from writing to standard error; it does so from C, for every fault of every file.

    Its handlers are reached through Pillow's own extension, which links it; where the symbols are hidden (Windows),
    the noise stays.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(AttributeError, OSError, ImportError):
        library = ctypes.CDLL(import_module("PIL._imaging").__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


@cache
def _check_heif() -> None:
    version = str(import_module("pillow_heif").__version__)
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < _HEIF_FLOOR:
        raise ImageError(f'an HEIC image, and pillow-heif {version} is unsafe; pip install -U "imagekin[heif]"')
