"""Vectors as they lie in a collection file: little-endian float16, each with the CRC-32 of its bytes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import DamagedError, InputError
from imagekin.types import Ids, Vectors

DTYPE: Final = np.dtype("<f2")

Half = NDArray[np.float16]
Row = tuple[Any, ...]


def encode(vector: Vectors, dim: int) -> tuple[bytes, int]:
    """A vector's bytes and their CRC-32.

    Raises:
        InputError: wrong shape, NaN, or too large for float16.
    """
    if np.shape(vector) != (dim,):
        raise InputError(f"a vector must have shape ({dim},), not {np.shape(vector)}.")
    with np.errstate(over="ignore"):
        halves = np.asarray(vector).astype(DTYPE)
    if not np.isfinite(halves).all():
        raise InputError(f"a vector must be finite and within ±65504, not {vector[~np.isfinite(halves)][0]}.")
    data = halves.tobytes()
    return data, zlib.crc32(data)


def decode(rows: Sequence[Row], dim: int) -> tuple[Ids, Half]:
    """Ids ``(n,)`` and vectors ``(n, dim)`` of rows ``(id, data, crc)``.

    Raises:
        DamagedError: a vector is not what was written.
    """
    for number, data, crc in rows:
        if not sound(data, crc, dim):
            raise DamagedError(fault(number))
    return numbers(rows), np.frombuffer(b"".join(row[1] for row in rows), DTYPE).reshape(len(rows), dim)


def sound(data: bytes, crc: int, dim: int) -> bool:
    """Whether these are the bytes that were written."""
    return len(data) == dim * DTYPE.itemsize and zlib.crc32(data) == crc


def fault(number: int) -> str:
    """What to say about a vector that is not sound."""
    return f"the vector of item {number} is damaged; index its folder again with --force, or restore a backup."


def numbers(rows: Sequence[Row]) -> Ids:
    """The first column, ``(n,)``."""
    return np.fromiter((row[0] for row in rows), np.int64, len(rows))
