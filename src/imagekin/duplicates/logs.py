"""The undo logs of a collection, which lie in its folder: named, listed, found again."""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagekin.duplicates import acts, journal
from imagekin.duplicates.journal import HARDLINK, Entry
from imagekin.errors import InputError

if TYPE_CHECKING:
    from imagekin.collection import Collection

_NAME: Final = re.compile(r"dupes-(\d{8}T\d{6}Z)-[0-9a-f]{4,32}\.jsonl")


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


def listed(photos: Collection) -> list[Log]:
    """The logs that there are, the newest first; what cannot be read as one is passed over."""
    found = []
    for name, path in _there(photos).items():
        try:
            entries = journal.read(path)
        except InputError:
            continue
        stamp = _NAME.fullmatch(name)
        made = datetime.strptime(stamp[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() if stamp else 0.0
        kinds = tuple(sorted({entry.act for entry in entries}))
        left = sum(map(_left, entries))
        found.append(Log(name, made, kinds, len(entries), sum(entry.size for entry in entries), left))
    return sorted(found, key=lambda each: (each.made, each.log), reverse=True)


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


def _left(entry: Entry) -> bool:
    """Whether an act stands: the file lies where it was brought, or is one with the keeper."""
    if os.path.lexists(entry.to):
        return True
    return entry.act == HARDLINK and acts.same_file(entry.path, entry.keeper)
