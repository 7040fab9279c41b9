"""A fitted reducer as one ``.npz`` file: arrays of numbers and a header, never code."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError

VERSION: Final = 1
_HEADER: Final = "header"
_MOST: Final = 1 << 30
"""Bytes of an array that a file may hold."""


def write(path: str | os.PathLike[str], name: str, parameters: Mapping[str, Any], arrays: dict[str, Any]) -> None:
    """Write a file that is there whole or not at all: temporary name, fsync, rename."""
    header = {"format": "imagekin reducer", "version": VERSION, "name": name, "parameters": dict(parameters)}
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(content, **{_HEADER: text, **arrays})
    target = Path(path)
    handle, fresh = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, target)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """The header and the arrays of a file that ``write`` wrote.

    Raises:
        InputError: no such file, not a reducer's, damaged, of another version, or with NaN or infinity.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.file_size > _MOST for member in archive.infolist()):
                raise ValueError("it is too large")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
        if header["format"] != "imagekin reducer" or header["version"] != VERSION:
            raise ValueError(f"its format is {header['format']!r}, version {header['version']!r}")
        if not isinstance(header["name"], str) or not isinstance(header["parameters"], dict):
            raise ValueError("its header is damaged")
        if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("its numbers are damaged")
    except FileNotFoundError:
        raise InputError(f"no reducer lies at {path}.") from None
    except (OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as a reducer ({error}); fit and save it again.") from error
    return header, arrays
