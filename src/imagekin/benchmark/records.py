"""Records: a JSON file for each engine with its parameters on a set of vectors; everything shown derives from them."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from imagekin.benchmark import specs
from imagekin.errors import StoreError
from imagekin.replacement import replace

log = logging.getLogger(__name__)

FORMAT: Final = 1
_LARGEST: Final = 1 << 20
_GREATEST: Final = 1e100

Key = str
"""What a measurement depends on, hashed."""


@dataclass(frozen=True, slots=True)
class Record:
    """What was measured of one engine with one set of parameters, or of one model.

    Attributes:
        engine: name in the registry; a model's spec.
        parameters: what it was built with.
        settings: what it was searched with besides.
        data: name, size, metric and fingerprint of the vectors, and k.
        versions: of everything that takes part.
        machine: processor, cores, memory.
        figures: what was measured, see docs/bench.md; empty where it failed.
        reason: why it failed, or "".
        date: of the measurement, ISO 8601.
        key: see ``key``.
    """

    engine: str
    parameters: Mapping[str, Any]
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    figures: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    date: str = ""
    key: Key = ""

    @property
    def spec(self) -> str:
        """The engine as ``--engine`` takes it."""
        return specs.written(self.engine, {**self.parameters, **self.settings})

    @property
    def failed(self) -> bool:
        """Whether there is a reason instead of figures."""
        return bool(self.reason)

    def figure(self, name: str) -> float:
        """A figure, or NaN where it was not measured."""
        value = self.figures.get(name)
        return math.nan if value is None else float(value)


class Folder:
    """A folder of records, in which every one is found again by what it depends on.

    Args:
        path: made if it is absent.
        check: raises ValueError over figures that are not whole; by default those of an engine must be.

    Raises:
        StoreError: it cannot be made or read.
    """

    def __init__(self, path: Path, check: Callable[[Record], None] | None = None) -> None:
        self.path = path
        self._known: dict[Key, Record] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
            for file in sorted(path.glob("*.json")):
                found = _read(file, check or _check_engine)
                if found is not None:
                    self._known[found.key] = found
        except OSError as error:
            raise StoreError(f"the folder {path} cannot be used for records ({error.strerror or error}).") from error

    def get(self, key: Key) -> Record | None:
        """The record of this key, if there is one."""
        return self._known.get(key)

    def put(self, record: Record) -> None:
        """Keep a record, on the disk before anything else happens.

        Raises:
            StoreError: it cannot be written.
        """
        self._known[record.key] = record
        write(self.path / f"{record.key}.json", json.dumps({"format": FORMAT, **asdict(record)}, indent=1) + "\n")


def key(engine: str, parameters: Mapping[str, Any], **rest: Any) -> Key:
    """A hash of an engine, its parameters and everything else that a measurement depends on."""
    whole = json.dumps([FORMAT, engine, sorted(parameters.items()), rest], sort_keys=True)
    return f"{re.sub(r'[^A-Za-z0-9.-]', '_', engine)}-{hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()}"


def write(path: Path, text: str) -> None:
    """Write a file so that it is either whole or not there.

    Raises:
        StoreError: it cannot be written, such as on a full disk.
    """
    try:
        replace(path, text.encode())
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}); free some space or choose another folder."
        ) from error


def _read(file: Path, check: Callable[[Record], None]) -> Record | None:
    """A record, or None where the file holds none that is whole."""
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError("too large")
        found = json.loads(file.read_text(encoding="utf-8"))
        if found.pop("format", None) != FORMAT:
            raise ValueError("of another version")
        record = Record(**found)
        _check(record)
        check(record)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        log.warning("%s is no record (%s); what it stands for will be measured again.", file, error)
        return None
    return record


def _check(record: Record) -> None:
    for value in (record.parameters, record.settings, record.data, record.versions, record.machine, record.figures):
        if not isinstance(value, dict):
            raise ValueError("a part of it is no object")
    if not all(isinstance(text, str) for text in (record.engine, record.reason, record.date, record.key)):
        raise ValueError("a part of it is no text")
    if not all(value is None or _is_number(value) for value in record.figures.values()):
        raise ValueError("its figures are not numbers")
    if not isinstance(record.data.get("name"), str):
        raise ValueError("its data have no name")


def _check_engine(record: Record) -> None:
    if not record.reason and not (0 <= record.figure("recall") <= 1 and record.figure("single_qps") > 0):
        raise ValueError("its figures are not whole")
    if not isinstance(record.data.get("metric"), str):
        raise ValueError("its data have no metric")
    if not all(type(record.data.get(name)) is int for name in ("rows", "dim", "queries", "k")):
        raise ValueError("its data have no size")


def _is_number(value: object) -> bool:
    """Whether a chart can place it: finite, no flag, and no whole number that is no float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_GREATEST <= value <= _GREATEST
