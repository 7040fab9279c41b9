"""The undo log: JSON lines, each on the disk before what it tells is done.

The first line says what the file is.  Each further one names a file that was about to be changed, what it held, and
where it was about to go; whether that was done is seen from the files themselves, so that a power cut at any moment
leaves a log that is right.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from imagekin.errors import InputError
from imagekin.replacement import sync_folder
from imagekin.store.tags import several

FORMAT: Final = "imagekin undo log"
VERSION: Final = 1
MOVE: Final = "move"
HARDLINK: Final = "hardlink"
DELETE: Final = "delete"
ACTIONS: Final = (HARDLINK, MOVE, DELETE)
_LONGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One act.

    Attributes:
        act: one of ``ACTIONS``.
        path: absolute path of the file.
        to: where it goes: its new place, or beside itself while a hard link takes its place.
        keeper: the picture that stays.
        hash: BLAKE2b-128 of the file's content, hexadecimal.
        size: bytes.
        mtime_ns: time of last change, nanoseconds.
        tags: of the picture, which its item takes with it when it goes.
    """

    act: str
    path: str
    to: str
    keeper: str
    hash: str
    size: int
    mtime_ns: int
    tags: Sequence[str] = ()


class Journal:
    """Writes a log; a context manager.

    Args:
        path: a file that is not there yet.
        collection: whose pictures are acted on.

    Raises:
        InputError: it is there already, or cannot be written.
    """

    def __init__(self, path: Path, collection: str) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._handle = path.open("xb")
        except FileExistsError:
            raise InputError(f"an undo log {str(path)!r} is there already; give another --log.") from None
        except OSError as error:
            raise InputError(f"the undo log {str(path)!r} cannot be written: {error.strerror or error}.") from error
        made = datetime.now(UTC).isoformat(timespec="seconds")
        self._line({"format": FORMAT, "version": VERSION, "collection": collection, "made": made})
        sync_folder(path.parent)

    def write(self, entry: Entry) -> None:
        """Note what is about to be done; it is on the disk when this returns."""
        self._line(asdict(entry))

    def _line(self, told: dict[str, Any]) -> None:
        self._handle.write(json.dumps(told).encode("ascii") + b"\n")  # lone surrogates of file names are escaped
        self._handle.flush()
        os.fsync(self._handle.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.close()


def read(path: Path) -> list[Entry]:
    """The acts of a log, in the order in which they were done; a last line that is not whole was never acted on.

    Raises:
        InputError: it cannot be read, or is no such log.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"the undo log {str(path)!r} cannot be read: {error.strerror or error}.") from error
    header = _object(lines[0])
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise InputError(f"{str(path)!r} is no undo log of this version of imagekin.")
    return list(_entries(lines[1:-1], path))


def _entries(lines: list[bytes], path: Path) -> Iterator[Entry]:
    for number, line in enumerate(lines, 2):
        told = _object(line)
        texts = [told.get(name) for name in ("act", "path", "to", "keeper", "hash")]
        sizes = [told.get(name) for name in ("size", "mtime_ns")]
        tags = told.setdefault("tags", [])  # which the first logs did not tell
        texts += tags if isinstance(tags, list) else [None]
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(size, int) for size in sizes):
            raise InputError(f"line {number} of the undo log {str(path)!r} is damaged; nothing was undone.")
        if told["act"] not in ACTIONS or not all(os.path.isabs(told[name]) for name in ("path", "to", "keeper")):
            raise InputError(f"line {number} of the undo log {str(path)!r} is damaged; nothing was undone.")
        yield Entry(**{name: told[name] for name in Entry.__slots__} | {"tags": several(tags)})


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line) if len(line) <= _LONGEST else None
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
