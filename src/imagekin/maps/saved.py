"""Maps on disk: one ``.npz`` file of numbers and a header, and a collection's own cache of them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.inventory import Inventory
from imagekin.maps.records import Map
from imagekin.replacement import failures, replace
from imagekin.types import Ids

VERSION: Final = 1
KEPT: Final = 12
"""Maps that a collection's cache holds; the oldest goes first."""

_FORMAT: Final = "imagekin map"
_MOST: Final = 1 << 30
_BLOCK: Final = 4_096
_LATEST: Final = "latest.json"
_KEY: Final = re.compile("[0-9a-f]{24}")

log = logging.getLogger(__name__)


def save(made: Map, path: str | os.PathLike[str]) -> Path:
    """Write a map to one ``.npz`` file, in place of one that may be there, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    header = {"format": _FORMAT, "version": VERSION, **made.to_dict()}
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez_compressed(content, header=text, ids=made.ids, xy=made.xy)
    target = Path(path).expanduser()
    with failures(path):
        replace(target, content.getvalue())
    return target


def open(path: str | os.PathLike[str]) -> Map:
    """Read what ``save`` wrote.

    Raises:
        InputError: no such file, not a map's, damaged, or of another version.
    """
    given = os.fspath(path)
    try:
        return _read(Path(path).expanduser())
    except FileNotFoundError:
        raise InputError(f"no map lies at {given!r}; make one with: imagekin map --out {given}") from None
    except (OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise InputError(f"{given!r} cannot be read as a map ({error}); make it again.") from error


def _read(path: Path) -> Map:
    with zipfile.ZipFile(path) as archive:
        if any(member.file_size > _MOST for member in archive.infolist()):
            raise ValueError("it is too large")
    with np.load(path, allow_pickle=False) as file:
        header, ids, xy = json.loads(file["header"].tobytes()), file["ids"], file["xy"]
    if header.pop("format") != _FORMAT or header.pop("version") != VERSION:
        raise ValueError("it is of another format or version")
    count = header.pop("images")
    if ids.dtype != np.int64 or xy.dtype != np.float32 or ids.shape != (count,) or xy.shape != (count, 2):
        raise ValueError("its arrays do not fit")
    if not np.isfinite(xy).all() or len(np.unique(ids)) != count:
        raise ValueError("its numbers are damaged")
    return Map(**{**header, "notes": tuple(header["notes"])}, ids=ids, xy=xy)


def fingerprint(ids: Ids, vectors: NDArray[Any], plan: Mapping[str, Any]) -> str:
    """What a map is made of, as a short text: other vectors, ids or options give another one."""
    digest = hashlib.blake2b(json.dumps({"version": VERSION, **plan}, sort_keys=True).encode(), digest_size=12)
    digest.update(np.ascontiguousarray(ids).tobytes())
    for at in range(0, len(vectors), _BLOCK):
        digest.update(np.ascontiguousarray(vectors[at : at + _BLOCK]).tobytes())
    return digest.hexdigest()


def recall(folder: Path | None, key: str) -> Map | None:
    """The map of that key in a collection's cache, or None; a damaged one counts as none."""
    if folder is None or not (folder / f"{key}.npz").is_file():
        return None
    try:
        return open(folder / f"{key}.npz")
    except InputError as error:
        log.debug("a kept map is not used: %s", error)
        return None


def keep(folder: Path | None, key: str, made: Map) -> None:
    """Put a map into a collection's cache, if that can be written."""
    if folder is None:
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        save(made, folder / f"{key}.npz")
        by_age = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    except (OSError, InputError) as error:
        log.debug("the map is not kept: %s", error)
        return
    pointed = pointer(folder)
    for old in by_age[KEPT:]:
        if pointed is None or old.stem != pointed.key:
            with contextlib.suppress(OSError):
                old.unlink()


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which of the kept maps shows the whole collection.

    Attributes:
        key: of the map.
        made: when it was laid out or asked for, seconds since 1970.
        inventory: of the collection then.
    """

    key: str
    made: float
    inventory: Inventory


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """The last map of a whole collection.

    Attributes:
        map: it.
        made: when it was laid out or asked for, seconds since 1970.
        inventory: of the collection then; another one now means that the map is out of date.
    """

    map: Map
    made: float
    inventory: Inventory


def point(folder: Path | None, key: str, inventory: Inventory) -> None:
    """Note that the map of that key shows the whole collection, if that can be written."""
    if folder is None or not (folder / f"{key}.npz").is_file():
        return
    told = {"version": VERSION, "key": key, "made": time.time(), "inventory": f"{inventory:032x}"}
    try:
        replace(folder / _LATEST, json.dumps(told).encode())
    except OSError as error:
        log.debug("the map is not noted: %s", error)


def latest(folder: Path | None) -> Latest | None:
    """The last map of the whole collection in its cache, or None; a damaged one counts as none."""
    pointed = pointer(folder)
    known = None if pointed is None else recall(folder, pointed.key)
    return None if known is None or pointed is None else Latest(known, pointed.made, pointed.inventory)


def pointer(folder: Path | None) -> Pointer | None:
    """Which of the maps in a collection's cache ``latest`` opens."""
    if folder is None:
        return None
    try:
        told = json.loads((folder / _LATEST).read_bytes())
        if told["version"] != VERSION or not _KEY.fullmatch(told["key"]):
            raise ValueError("it is of another version")
        return Pointer(told["key"], float(told["made"]), int(told["inventory"], 16))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        log.debug("the last map is not known: %s", error)
        return None
