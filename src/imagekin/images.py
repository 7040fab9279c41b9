"""Reading pictures: bytes, files, arrays to RGB, upright, first frame only, and never more than the limits allow."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from io import BytesIO
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from imagekin import decoders, exif, files, formats
from imagekin.colour import to_rgb
from imagekin.errors import ImageError, InputError

MEGA: Final = 1_000_000
"""A megapixel."""

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | NDArray[np.uint8]"
"""What ``load`` takes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an image may be before it is refused unopened.

    Attributes:
        pixels: of a picture as it is held in memory.
        draft_pixels: of a baseline JPEG, which is decoded at a fraction of its size.
        side: of the longer side.
        bytes: of the file.
    """

    pixels: int = 64 * MEGA
    draft_pixels: int = 256 * MEGA
    side: int = 65_500
    bytes: int = 64 << 20


LOCAL: Final = Limits()
"""For files on the user's own disk."""

UPLOAD: Final = Limits(bytes=20 << 20)
"""For what a stranger sends."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture ready for an embedder.

    Attributes:
        image: mode RGB, upright, without metadata; perhaps smaller than the original (see ``load``).
        width: pixels of the original as shown, so after EXIF orientation.
        height: pixels of the original as shown.
        format: ``JPEG``, ``PNG``, …; empty for pictures that never were a file.
    """

    image: Image.Image
    width: int
    height: int
    format: str


def load(source: Source, *, target: int | None = None, limits: Limits = LOCAL) -> Photo:
    """Read a picture from a path, a file's bytes, a Pillow image or an array ``(height, width[, 1|3|4])`` of uint8.

    Args:
        source: the picture; an array's four channels are RGBA, its missing ones grey.
        target: short side in pixels that must be kept, so that a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size.
        limits: what is too large.

    Raises:
        ImageError: the picture cannot be read; the sentence says which and why.
        InputError: *source* is none of these.
    """
    what = repr(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "the image"
    try:
        return _loaded(source, target, limits)
    except ImageError as error:
        raise ImageError(f"cannot read {what}: {error}.") from error


def decode(data: bytes, *, target: int | None = None, limits: Limits = LOCAL) -> Photo:
    """Decode a file's bytes; *target* and *limits* as in ``load``.

    Raises:
        ImageError: its text is the bare reason, as for ``Skipped``: ``truncated: the file ends before …``.
    """
    if len(data) > limits.bytes:
        raise ImageError(_too_large(len(data), limits))
    kind = formats.sniff(data[: formats.HEAD])
    try:
        if kind == formats.JPEG:
            return _decode_jpeg(data, target, limits)
        return _decode_other(data, kind, limits)
    except ImageError:
        raise
    except Exception as error:  # decoders raise whatever comes to hand on damaged data
        raise ImageError(decoders.reason(error)) from error


def read(path: str | os.PathLike[str], limits: Limits = LOCAL) -> bytes:
    """All bytes of a regular file; never waits on a pipe or a device.

    Raises:
        ImageError: its text is the bare reason: not there, not allowed, not a file, empty, too large, changing.
    """
    try:
        handle = files.open_regular(path)
        try:
            return _read_open(handle, limits)
        finally:
            os.close(handle)
    except OSError as error:
        raise ImageError(files.trouble(error)) from error
    except ValueError as error:
        raise ImageError("not a possible file name: it holds a null character") from error


def _loaded(source: Source, target: int | None, limits: Limits) -> Photo:
    if isinstance(source, (str, os.PathLike)):
        return decode(read(source, limits), target=target, limits=limits)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode(bytes(source), target=target, limits=limits)
    if isinstance(source, np.ndarray):
        return _from_pillow(_from_array(source), limits)
    if isinstance(source, Image.Image):
        return _from_pillow(source, limits)
    raise InputError(
        "an image is given as a path, bytes, a Pillow image or a uint8 array of shape (height, width, 3), "
        f"not as {type(source).__name__}."
    )


def _read_open(handle: int, limits: Limits) -> bytes:
    before = os.fstat(handle)
    if stat.S_ISDIR(before.st_mode):
        raise ImageError("a folder, not a file")
    if not stat.S_ISREG(before.st_mode):
        raise ImageError("not a regular file")
    if before.st_size == 0:
        raise ImageError("the file is empty")
    if before.st_size > limits.bytes:
        raise ImageError(_too_large(before.st_size, limits))
    data = os.read(handle, before.st_size + 1)
    while len(data) < before.st_size and (more := os.read(handle, before.st_size + 1 - len(data))):
        data += more
    after = os.fstat(handle)
    if (len(data), before.st_size, before.st_mtime_ns) != (before.st_size, after.st_size, after.st_mtime_ns):
        raise ImageError("it changed while it was read; try again when it is complete")
    return data


def _decode_jpeg(data: bytes, target: int | None, limits: Limits) -> Photo:
    """The hot path of indexing: open, decode, nothing else for an upright RGB picture."""
    image = decoders.Jpeg(BytesIO(data))
    width, height = image.size
    shrink = _shrink(data, image, target=target, limits=limits)
    if not decoders.streams(data, image) and data.count(b"\xff\xda") > decoders.MAX_SCANS:
        _check_scans(data)
    if shrink > 1:
        image.draft("RGB", (width // shrink, height // shrink))
    image.load()
    return _photo(image, (width, height), formats.JPEG)


def _shrink(data: bytes, image: JpegImagePlugin.JpegImageFile, *, target: int | None, limits: Limits) -> int:
    """1, 2, 4 or 8: the strongest that keeps the target, or stronger where the picture would be too large."""
    width, height = image.size
    shrink = 1
    if target is not None:
        shrink = next((by for by in (8, 4, 2) if min(width, height) // by >= max(target, 1)), 1)
    if width * height > limits.pixels:
        _check(image.size, limits, limits.draft_pixels if decoders.streams(data, image) else limits.pixels)
        while -(-width // shrink) * -(-height // shrink) > limits.pixels and shrink < 8:
            shrink *= 2
        width, height = -(-width // shrink), -(-height // shrink)
    _check((width, height), limits, limits.pixels)
    return shrink


def _decode_other(data: bytes, kind: str | None, limits: Limits) -> Photo:
    if kind is None:
        raise ImageError(f"not an image, or not a {formats.NAMES}" if data else "the file is empty")
    if (why := formats.refusal(kind)) is not None:
        raise ImageError(why)
    if (size := formats.webp_size(data)) is not None:  # its decoder allocates the canvas on opening
        _check(size, limits, limits.pixels)
    with decoders.quiet():
        image = decoders.opened(kind, data)
        _check(image.size, limits, limits.pixels)
        image.load()
        photo = _photo(image, image.size, kind)
    # A file's further frames keep its decoder alive; a copy lets it go.
    return Photo(image.copy(), photo.width, photo.height, kind) if photo.image is image else photo


def _photo(image: Image.Image, size: tuple[int, int], name: str) -> Photo:
    """RGB and upright; the metadata is dropped, as it would describe the picture wrongly from here on."""
    turn = exif.orientation(exif.block(image.info))
    shown = exif.turned(to_rgb(image), turn)
    if shown is not image or name:
        shown.info = {}
    width, height = reversed(size) if turn >= exif.SIDEWAYS else size
    return Photo(shown, width, height, name)


def _from_pillow(image: Image.Image, limits: Limits) -> Photo:
    _check(image.size, limits, limits.pixels)
    try:
        with decoders.quiet():
            image.load()
            return _photo(image, image.size, "")
    except Exception as error:
        raise ImageError(decoders.reason(error)) from error


def _from_array(array: NDArray[np.uint8]) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    right = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not right or 0 in array.shape:
        raise InputError(
            f"an array must be uint8 of shape (height, width[, 1, 3 or 4]), not {array.dtype} of shape {array.shape}."
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _check(size: tuple[int, int], limits: Limits, pixels: int) -> None:
    width, height = size
    if max(width, height) > limits.side:
        raise ImageError(f"too large: {width:,} x {height:,} pixels; the longer side may have {limits.side:,}")
    if width * height > pixels:
        raise ImageError(f"too large: {width * height / MEGA:,.1f} megapixels; the limit is {pixels / MEGA:,.0f}")


def _check_scans(data: bytes) -> None:
    if decoders.scans(data) > decoders.MAX_SCANS:
        raise ImageError(f"a JPEG with more than {decoders.MAX_SCANS} scans, which is made to take long; save it anew")


def _too_large(size: int, limits: Limits) -> str:
    return f"too large: {size / 2**20:,.1f} MiB; the limit is {limits.bytes / 2**20:,.0f}"
