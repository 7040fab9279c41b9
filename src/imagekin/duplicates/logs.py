"""The undo logs of a collection, which lie in its folder: named, listed, found again."""

from __future__ import annotations

import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from imagekin.duplicates import acts, journal
from imagekin.duplicates.journal import HARDLINK, Entry
from imagekin.errors import InputError

if TYPE_CHECKING:
    from imagekin.collection import Collection

_NAME: Final = re.compile(r"dupes-(\d{8}T\d{6}Z)-[0-9a-f]{4,32}\.jsonl")


MOST: Final = 100
"""Logs that are listed."""

_SETTLED: Final = 3_000_000_000
"""Nanoseconds within which a file system may give two changes the same time."""

_Stamps: TypeAlias = "dict[str, tuple[int, int] | None]"


@dataclass(frozen=True, slots=True)
class Log:
    """An undo log.

    Attributes:
        log: its name.
        made: when it was begun, seconds since 1970.
        acts: what was done, one of ``journal.ACTIONS`` each.
        files: how many it tells of.
        bytes: of these.
        left: how many can still be brought back.
    """

    log: str
    made: float
    acts: tuple[str, ...]
    files: int
    bytes: int
    left: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {**asdict(self), "acts": list(self.acts)}


def new(photos: Collection) -> Path:
    """A name for one more log.

    Raises:
        InputError: the collection is no folder.
    """
    return _folder(photos) / f"dupes-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.jsonl"


class Shelf:
    """The logs of a collection, remembered so that they are read once; safe to use from several threads.

    Args:
        photos: the collection.
    """

    def __init__(self, photos: Collection) -> None:
        self._photos = photos
        self._lock = threading.Lock()
        self._read: dict[str, tuple[_Stamps, Log]] = {}

    def listed(self) -> list[Log]:
        """The newest logs, the newest first, ``MOST`` at the most; what cannot be read as one is passed over."""
        there = _there(self._photos)
        with self._lock:
            names = sorted(there, reverse=True)[:MOST]  # which begin with the time
            found = [self._log(name, there[name]) for name in names]
            self._read = {name: kept for name, kept in self._read.items() if name in names}
        return [log for log in found if log is not None]

    def _log(self, name: str, path: Path) -> Log | None:
        stamps, log = self._read.get(name, (None, None))
        if stamps is not None and stamps == {place: _stamp(place) for place in stamps}:
            return log
        try:
            entries = journal.read(path)
        except InputError:
            return None
        stamps = {place: _stamp(place) for place in {str(path), *_places(entries)}}
        log = _told(name, entries)
        recent = time.time_ns() - _SETTLED
        if all(stamp is None or stamp[0] < recent for stamp in stamps.values()):
            self._read[name] = stamps, log
        return log


def named(photos: Collection, name: str) -> Path:
    """The log of that name, looked up among those that there are: no other text becomes a path.

    Raises:
        InputError: there is none.
    """
    path = _there(photos).get(name)
    if path is None:
        raise InputError(f"there is no undo log {name[:100]!r} in the collection's folder.")
    return path


def _folder(photos: Collection) -> Path:
    if not os.path.isdir(photos.location):
        raise InputError(f"the collection {photos.location} is no folder; say where the undo log goes: --log FILE.")
    return Path(photos.location) / "undo"


def _there(photos: Collection) -> dict[str, Path]:
    """The regular files of the folder that are called as logs are; links are none."""
    try:
        with os.scandir(os.path.join(photos.location, "undo")) as entries:
            return {
                entry.name: Path(entry.path)
                for entry in entries
                if _NAME.fullmatch(entry.name) and stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
            }
    except OSError:  # nothing was done yet, or the collection is no folder
        return {}


def _told(name: str, entries: Sequence[Entry]) -> Log:
    stamp = _NAME.fullmatch(name)
    made = datetime.strptime(stamp[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() if stamp else 0.0
    kinds = tuple(sorted({entry.act for entry in entries}))
    return Log(name, made, kinds, len(entries), sum(entry.size for entry in entries), sum(map(_left, entries)))


def _places(entries: Sequence[Entry]) -> set[str]:
    """The folders in which a file cannot come or go without a change of their time: what is left is read from them."""
    moved = {os.path.dirname(entry.to) for entry in entries}
    linked = (entry for entry in entries if entry.act == HARDLINK)
    return moved | {os.path.dirname(path) for entry in linked for path in (entry.path, entry.keeper)}


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _left(entry: Entry) -> bool:
    """Whether an act stands: the file lies where it was brought, or is one with the keeper."""
    if os.path.lexists(entry.to):
        return True
    return entry.act == HARDLINK and acts.same_file(entry.path, entry.keeper)
