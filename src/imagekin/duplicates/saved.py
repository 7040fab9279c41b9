"""What need not be measured or compared twice, kept in the cache of a collection's folder; it may be deleted.

``calibration.json`` holds what was measured, with the model and the number of pictures that it was measured on.
``compared.bin`` holds comparisons by the contents of the two files: a line of JSON with their number and the BLAKE2b
hash of what follows, and then the records.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import threading
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.duplicates.calibration import Calibration
from imagekin.duplicates.comparison import Comparison
from imagekin.replacement import replace

if TYPE_CHECKING:
    from imagekin.store.base import Store

VERSION: Final = 1
"""Of the files, and of how pictures are compared: another one makes what is kept worthless."""

MOST: Final = 4_000_000
"""Comparisons that are kept, 272 MB."""

_SHARE: Final = 0.2
"""By how much of its size a collection may have changed since it was measured."""

_RECORD: Final = np.dtype(
    [
        ("pair", "V32"), ("agreement", "<f4"), ("correlation", "<f4"), ("orientation", "u1"), ("first", "<f4"),
        ("second", "<f4"), ("region", "<f4", 4), ("bits", "u1"), ("corners", "<u2"),
    ]
)  # fmt: skip

_FIELDS: Final = (_RECORD.names or ())[1:]

log = logging.getLogger(__name__)


def folder(store: Store) -> Path | None:
    """Where things are kept; None for a store that is no folder."""
    return Path(store.location) / "cache" / "duplicates" if os.path.isdir(store.location) else None


class Kept:
    """Comparisons by the hashes of the two contents, 16 bytes each, of the first picture and of the second.

    Args:
        place: the folder, or None to keep nothing beyond this object.
    """

    def __init__(self, place: Path | None) -> None:
        self._place = place
        self._new: dict[bytes, Comparison] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows) + len(self._new)

    @functools.cached_property
    def _old(self) -> NDArray[Any]:
        """What is in the file, read when it is first asked for."""
        return _read(self._place / "compared.bin") if self._place is not None else np.empty(0, _RECORD)

    @functools.cached_property
    def _rows(self) -> dict[bytes, int]:
        return {bytes(pair): row for row, pair in enumerate(self._old["pair"].tolist())}

    def get(self, pair: bytes) -> Comparison | None:
        """The comparison of two contents, if it was made."""
        if (row := self._rows.get(pair)) is not None:
            values: dict[str, Any] = dict(zip(_FIELDS, self._old[row].tolist()[1:], strict=True))
            return Comparison(**{**values, "region": tuple(values["region"].tolist())})
        return self._new.get(pair)

    def put(self, pair: bytes, made: Comparison) -> None:
        """Keep a comparison; from any thread."""
        with self._lock:
            self._new[pair] = made

    def save(self) -> None:
        """Write what is new, if that can be written: the folder may belong to somebody else."""
        with self._lock:  # others may be comparing meanwhile
            new = list(self._new.items())
        if self._place is None or not new:
            return
        added = np.array([(np.void(pair), *_values(made)) for pair, made in new], _RECORD)
        kept = np.concatenate([self._old, added])[-MOST:]
        write(self._place / "compared.bin", _sealed(kept))


def recalled(store: Store, contents: int, error: float) -> Calibration | None:
    """What was measured on the collection, if it still holds: the same model, about as many pictures."""
    place = folder(store)
    try:
        told = json.loads((place / "calibration.json").read_bytes()) if place is not None else None
        if not isinstance(told, dict) or told["seal"] != seal(told["of"], told["measured"]):
            return None
        of, measured = told["of"], told["measured"]
        same = of["version"] == VERSION and of["model"] == _model(store) and measured["error"] == error
        if not same or abs(of["contents"] - contents) > _SHARE * of["contents"]:
            return None
        return Calibration(**{**measured, "nearest": tuple(measured["nearest"])})
    except (OSError, ValueError, LookupError, TypeError) as failure:
        log.debug("a kept calibration is not used: %s", failure)
        return None


def keep(store: Store, contents: int, made: Calibration) -> None:
    """Keep what was measured, if that can be written."""
    place = folder(store)
    if place is None:
        return
    of = {"version": VERSION, "model": _model(store), "contents": contents}
    measured = {field.name: getattr(made, field.name) for field in fields(made)}
    told = {"of": of, "measured": {**measured, "nearest": list(made.nearest)}}
    write(place / "calibration.json", json.dumps({**told, "seal": seal(of, told["measured"])}).encode())


def _values(made: Comparison) -> tuple[Any, ...]:
    return tuple(getattr(made, name) for name in _FIELDS)


def _sealed(kept: NDArray[Any]) -> bytes:
    body = kept.tobytes()
    header = {"version": VERSION, "pairs": len(kept), "hash": hashlib.blake2b(body, digest_size=16).hexdigest()}
    return json.dumps(header).encode() + b"\n" + body


def _read(path: Path) -> NDArray[Any]:
    """The comparisons of a file; none where it is absent, damaged, or of another version."""
    try:
        with path.open("rb") as file:
            header, body = json.loads(file.readline(4_096)), file.read()
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        if header["version"] == VERSION and header["hash"] == digest:
            return np.frombuffer(body, _RECORD)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, LookupError, TypeError) as failure:
        log.debug("kept comparisons are not used: %s", failure)
    return np.empty(0, _RECORD)


def write(path: Path, data: bytes) -> None:
    """Write a file of the cache, if that can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(path, data)
    except OSError as failure:
        log.debug("nothing is kept: %s", failure)


def _model(store: Store) -> str:
    return str((store.settings().get("embedder") or {}).get("fingerprint"))


def seal(*parts: Any) -> str:
    """The hash of plain data, by which a damaged file is known."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
