"""The one EXIF tag that matters here: how a picture must be turned to be shown upright."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from PIL import Image

_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_TEXTS: Final = ("Raw profile type exif", "Raw profile type APP1")

SIDEWAYS: Final = 5
"""From this orientation on, width and height change places."""

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def block(info: Mapping[Any, Any]) -> bytes:
    """The EXIF block among what Pillow read beside a picture; empty when there is none.

    Programs that wrote PNG before its eXIf chunk was settled kept the block as hexadecimal text behind three lines.
    """
    found = info.get("exif")
    if isinstance(found, bytes):
        return found
    text = next((info[name] for name in _TEXTS if isinstance(info.get(name), str)), "")
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def orientation(block: bytes) -> int:
    """The orientation, 1…8, in an EXIF *block* (Exif 2.32, 4.6.4); 1 when there is none or the block is damaged.

    Reads that tag alone: a full parse costs more than a small picture's decoding, and warns of every other oddity.
    """
    tiff = block.removeprefix(b"Exif\x00\x00")
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and value in _TURNS else 1
    except struct.error:
        pass
    return 1


def turned(image: Image.Image, value: int) -> Image.Image:
    """*image* as orientation *value* says it must be shown; itself when that is as it is."""
    turn = _TURNS.get(value)
    return image if turn is None else image.transpose(turn)
