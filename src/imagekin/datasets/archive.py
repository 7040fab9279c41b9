"""Unpacking an archive that a stranger may have made: nothing outside the folder, no links, never more than agreed."""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from imagekin import escape
from imagekin.datasets import names
from imagekin.errors import DatasetError

_CHUNK: Final = 1 << 18
_HEADERS: Final = 1 << 20
"""Bytes that a tar archive may spend between two files: more would be kept in memory at once."""

_END: Final = 1024
"""Zero bytes that a tar archive ends with; Python takes one that was cut between two files for whole."""

_BROKEN: Final = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError)

Choice = Callable[[tuple[str, ...]], "tuple[str, ...] | None"]
"""Where a file of the archive goes, from its parts; None leaves it out."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an archive may unpack to.

    Attributes:
        files: entries, also those that are left out.
        each: bytes of one file that is unpacked.
        total: bytes of everything in it.
    """

    files: int
    each: int
    total: int


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    path: tuple[str, ...]
    open: Callable[[], IO[bytes]]
    counted: bool


def unpack(path: Path, folder: Path, *, bounds: Bounds, choice: Choice, inner: str = "") -> int:
    """Unpack the files of a ZIP, tar or tar.gz archive that *choice* wants; give their number.

    Every entry is looked at, also those that are left out: one that is a link or a device, or whose name could lead
    elsewhere, gives the whole archive away.

    Args:
        path: the archive; its kind is told by its first bytes.
        folder: an empty folder; on failure, the caller removes it with what it holds.
        bounds: what is too much.
        choice: where each file goes.
        inner: name of a tar.gz in a ZIP, which is unpacked in place of the ZIP where it is there.

    Raises:
        DatasetError: damaged, hostile, or too large.
    """
    seen: set[str] = set()
    budget = _Budget(bounds)
    try:
        with ExitStack() as stack:
            for entry in _entries(path, inner, budget=budget, stack=stack):
                goal = choice(entry.path)
                if goal is None:
                    continue
                if names.key(goal) in seen:
                    raise DatasetError(f"it holds {'/'.join(goal)!r} twice")
                seen.add(names.key(goal))
                _write(entry, folder.joinpath(*goal), budget)
    except DatasetError as error:
        raise DatasetError(f"cannot unpack {str(path)!r}: {error}; nothing of it was kept.") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DatasetError(f"cannot unpack {str(path)!r}: an entry is both a file and a folder.") from error
    except (*_BROKEN, RuntimeError, ValueError) as error:  # zipfile: RuntimeError for passwords
        reason = escape.terminal(str(error))[:200] or type(error).__name__
        raise DatasetError(f"cannot unpack {str(path)!r}: it is damaged ({reason}); download it again.") from error
    return len(seen)


class _Budget:
    """Counts what an archive unpacks to."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._files = 0
        self._bytes = 0

    def entry(self) -> None:
        self._files += 1
        if self._files > self.bounds.files:
            raise DatasetError(f"it holds more than {self.bounds.files:,} entries")

    def spend(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self.bounds.total:
            raise DatasetError(f"it unpacks to more than {self.bounds.total:,} bytes")


class _Metered:
    """A stream that gives no more than was allowed last, so that nobody can make its reader hold more in memory."""

    def __init__(self, stream: _Readable, budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._left = 0
        self.tail = b"?"

    def allow(self, size: int) -> None:
        self._left = size

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        self.tail = (self.tail + data)[-_END:]
        self._budget.spend(len(data))
        if self._left < 0:
            raise DatasetError(f"more than {_HEADERS:,} bytes of it describe a single file")
        return data


def _entries(path: Path, inner: str, *, budget: _Budget, stack: ExitStack) -> Iterator[_Entry]:
    file = stack.enter_context(path.open("rb"))
    head = file.read(4)
    file.seek(0)
    if head[:2] == b"\x1f\x8b":
        return _tar(stack.enter_context(gzip.GzipFile(fileobj=file)), budget, stack)
    if head != b"PK\x03\x04":
        return _tar(file, budget, stack)
    archive = stack.enter_context(zipfile.ZipFile(file))
    nested = next((info for info in archive.infolist() if inner and _last(info.filename) == inner), None)
    if nested is None:
        return _zip(archive, budget)
    _checked_info(nested)
    return _tar(stack.enter_context(gzip.GzipFile(fileobj=stack.enter_context(archive.open(nested)))), budget, stack)


def _zip(archive: zipfile.ZipFile, budget: _Budget) -> Iterator[_Entry]:
    for info in archive.infolist():
        budget.entry()
        path = _checked_info(info)
        if not info.is_dir():
            yield _Entry(info.orig_filename, path, lambda info=info: archive.open(info), False)  # type: ignore[misc]


def _checked_info(info: zipfile.ZipInfo) -> tuple[str, ...]:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DatasetError(f"{_shown(info.orig_filename)} is a link or a device, not a file")
    if info.flag_bits & 1:
        raise DatasetError(f"{_shown(info.orig_filename)} is locked with a password")
    return names.parts(info.orig_filename)


def _tar(stream: _Readable, budget: _Budget, stack: ExitStack) -> Iterator[_Entry]:
    """The files of a tar archive as they come by; each must be read before the next is asked for."""
    metered = _Metered(stream, budget)
    metered.allow(_HEADERS)
    archive = stack.enter_context(closing(tarfile.open(fileobj=metered, mode="r|")))  # type: ignore[call-overload]
    while (member := archive.next()) is not None:
        budget.entry()
        path = _checked_member(member)
        metered.allow(member.size + _HEADERS)
        if member.isreg():
            content = archive.extractfile(member)
            if content is None:
                raise DatasetError(f"{_shown(member.name)} cannot be read")
            yield _Entry(member.name, path, lambda content=content: content, True)  # type: ignore[misc]
            _drain(content)
        archive.members = []
        metered.allow(_HEADERS)
    _drain(metered)  # the checksum of a tar.gz stands at its end
    if metered.tail.strip(b"\0"):
        raise DatasetError("it ends too early")


def _checked_member(member: tarfile.TarInfo) -> tuple[str, ...]:
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise DatasetError(f"{_shown(member.name)} is a link or a device, not a file")
    if member.size < 0:
        raise DatasetError(f"{_shown(member.name)} has no possible size")
    path = names.parts(member.name)
    if hasattr(tarfile, "data_filter"):  # Python's own rules on top
        tarfile.data_filter(member, "/imagekin")
    return path


def _write(entry: _Entry, goal: Path, budget: _Budget) -> None:
    goal.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with entry.open() as content, goal.open("xb") as file:
        while data := content.read(_CHUNK):
            size += len(data)
            if size > budget.bounds.each:
                raise DatasetError(f"{_shown(entry.name)} has more than {budget.bounds.each:,} bytes")
            if not entry.counted:
                budget.spend(len(data))
            file.write(data)


def _drain(stream: _Readable) -> None:
    while not getattr(stream, "closed", False) and stream.read(_CHUNK):
        pass


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _shown(name: str) -> str:
    return repr(escape.terminal(name[:200]))
