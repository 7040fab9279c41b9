"""A fitted reducer as one ``.npz`` file: arrays of numbers and a header, never code."""

from __future__ import annotations

import io
import json
import math
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError

Content: TypeAlias = tuple[dict[str, Any], dict[str, NDArray[np.float32]]]
"""The header, and what was learned by name."""

VERSION: Final = 1
_HEADER: Final = "header"
_MOST: Final = 1 << 30
"""Bytes that a file may have."""


def packed(name: str, parameters: Mapping[str, Any], arrays: Mapping[str, Any]) -> bytes:
    """The bytes of a file for a reducer of this name."""
    header = {"format": "imagekin reducer", "version": VERSION, "name": name, "parameters": dict(parameters)}
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(content, **{_HEADER: text, **arrays})
    return content.getvalue()


def read(path: str | os.PathLike[str]) -> Content:
    """The header and the arrays of a file that holds what ``packed`` gave.

    Raises:
        InputError: no such file, too large, or as ``unpacked``.
    """
    try:
        size = Path(path).stat().st_size
        if size > _MOST:
            raise InputError(f"{path} has {size:,} bytes; a reducer has {_MOST:,} at most.")
        return unpacked(Path(path).read_bytes(), str(path))
    except FileNotFoundError:
        raise InputError(f"no reducer lies at {path}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read as a reducer ({error}); fit and save it again.") from error


def unpacked(content: bytes, where: str) -> Content:
    """The header and the arrays out of what ``packed`` gave; no more memory is taken than *content* has bytes.

    Raises:
        InputError: not a reducer, damaged, of another version, or with NaN or infinity; it names *where* it lay.
    """
    try:
        arrays = dict(_arrays(content))
        header = json.loads(arrays.pop(_HEADER).tobytes())
        if header["format"] != "imagekin reducer" or header["version"] != VERSION:
            raise ValueError(f"its format is {header['format']!r}, version {header['version']!r}")
        if not isinstance(header["name"], str) or not isinstance(header["parameters"], dict):
            raise ValueError("its header is damaged")
        if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("its numbers are damaged")
    except (ValueError, LookupError, TypeError, NotImplementedError, EOFError, MemoryError, RecursionError) as error:
        raise InputError(f"{where} cannot be read as a reducer ({error}); fit and save it again.") from error
    except (OSError, struct.error, zipfile.BadZipFile) as error:
        raise InputError(f"{where} is no whole file of a reducer ({error}); fit and save it again.") from error
    return header, arrays


def _arrays(content: bytes) -> Iterator[tuple[str, NDArray[Any]]]:
    """Names and arrays, each of the size that its own header states."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > len(content):
            raise ValueError("it is larger than its file")
        for member in archive.infolist():
            with archive.open(member) as file:
                if np.lib.format.read_magic(file) != (1, 0):
                    raise ValueError("its arrays are of another version")
                shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
                data = file.read()
            if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data):
                raise ValueError("its arrays are not of the size that they state")
            array = np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
            yield member.filename.removesuffix(".npy"), array.copy()
