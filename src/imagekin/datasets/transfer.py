"""One file from the net, or from this machine: resumed where it broke off, bounded, hashed, whole or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imagekin.datasets.web import Answer, Passing, Web, asked
from imagekin.errors import DatasetError, FetchError

SPARE: Final = 64 << 20
"""Bytes of the disk that are left free."""

_CHUNK: Final = 1 << 18
_GAIN: Final = 1 << 16
"""Bytes that must have come for a broken connection to count as progress."""

_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})

Watch = Callable[[int, int | None, float], None]
"""Called with the bytes that have come, their number or None, and the seconds that are waited before the next try."""


class NoRoomError(DatasetError):
    """A disk is full; what has come is good."""


def _nobody(done: int, total: int | None, wait: float) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is certain about a file that is published: bytes and SHA-256 (hexadecimal)."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that was read whole.

    Attributes:
        path: where it lies.
        size: bytes.
        sha256: of its bytes, hexadecimal.
        source: the path or URL it came from.
    """

    path: Path
    size: int
    sha256: str
    source: str

    def matches(self, known: Known | None) -> bool:
        """Whether it is the published file; False also where nothing is known of that."""
        return known is not None and (self.size, self.sha256) == (known.size, known.sha256)


def local(path: Path, *, most: int) -> File:
    """A file of this machine.

    Raises:
        DatasetError: not a regular file, too large, or not readable.
    """
    try:
        if not path.is_file():
            raise DatasetError(f"there is no file {str(path)!r}; give the path of a file that was downloaded.")
        size = path.stat().st_size
        if size > most:
            raise DatasetError(f"{str(path)!r} has {size:,} bytes; at most {most:,} are taken.")
        return File(path, size, digest(path), str(path.absolute()))
    except OSError as error:
        raise DatasetError(f"cannot read {str(path)!r}: {error.strerror or error}.") from error


def download(
    url: str, target: Path, *, web: Web, most: int, known: Known | None = None, watch: Watch = _nobody
) -> File:
    """Download *url* to *target*, going on where an earlier run of the same was cut off.

    Bytes are kept in ``NAME.part`` until all have come; what lets them be continued (``ETag`` or ``Last-Modified``,
    sent as ``If-Range``: RFC 9110, 13.1.5) in ``NAME.part.json``.  Where neither is sent, a broken download is only
    continued if *known* can prove the result.

    Args:
        url: http or https.
        target: a path in an existing folder.
        web: how the net is asked.
        most: bytes after which the file is refused.
        known: what the file must be; None for anything.
        watch: told of every piece.

    Raises:
        DatasetError: refused, broken too often, not the known file, no room on the disk.
    """
    part = _Part(target)
    failures, best = 0, 0
    if not target.is_file():
        while True:
            try:
                _attempt(url, part, web=web, most=most, known=known, watch=watch)
                break
            except Passing as error:
                failures = 0 if part.size >= best + _GAIN else failures + 1
                best = max(best, part.size)
                seconds = _pause(url, error, web=web, failures=failures, kept=part.size)
                watch(part.size, None, seconds)
                web.sleep(seconds)
            except FetchError as error:
                raise DatasetError(f"cannot download {url[:200]!r}: {error}.") from error
        part.finish()
    return _proved(File(target, target.stat().st_size, digest(target), url), known)


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def room(folder: Path, bytes_needed: int = 0) -> Iterator[None]:
    """Refuse to begin without room on the disk, and tell a full disk as a sentence.

    Raises:
        NoRoomError: there is none.
    """
    free = shutil.disk_usage(folder).free
    if bytes_needed and free < bytes_needed + SPARE:
        raise NoRoomError(
            f"{bytes_needed / 1e6:,.1f} MB are needed in {str(folder)!r}, where {free / 1e6:,.1f} MB are free; make "
            "room or choose a folder on another disk with --to."
        )
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoRoomError(
            f"the disk of {str(folder)!r} is full; make room and run the same again: what has come is kept."
        ) from error


class _Part:
    """The bytes that have come so far, and what lets them be continued."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.notes = target.with_name(target.name + ".part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def remembered(self) -> dict[str, Any]:
        try:
            found = json.loads(self.notes.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def remember(self, answer: Answer, total: int | None) -> None:
        tag = answer.headers.get("ETag") or ""
        validator = tag if tag.startswith('"') else answer.headers.get("Last-Modified") or ""
        self.notes.write_text(json.dumps({"validator": validator, "total": total}), encoding="utf-8")

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)

    def finish(self) -> None:
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(self.path, self.target)
        self.notes.unlink(missing_ok=True)


def _attempt(url: str, part: _Part, *, web: Web, most: int, known: Known | None, watch: Watch) -> None:
    notes, at = part.remembered(), part.size
    validator = str(notes.get("validator") or "")
    if at and not validator and known is None:
        part.drop()
        at = 0
    headers = {"Range": f"bytes={at}-"} if at else {}
    if at and validator:
        headers["If-Range"] = validator
    with asked(url, web, headers=headers) as answer:
        if answer.status == 416 and at:
            if answer.headers.get("Content-Range", "").strip() == f"bytes */{at}":
                return  # the last byte had come before the connection broke
            part.drop()
            raise Passing("the server has no such part any more, so it begins anew")
        answer.check(206)
        start, total = _span(answer)
        _acceptable(url, answer, total=total, most=most)
        if start not in (0, at) or (start and notes.get("total") not in (None, total)):
            part.drop()
            raise Passing("the server sent another part than it was asked for")
        with room(part.path.parent, (total or 0) - start):
            part.remember(answer, total)
            _receive(answer, part, start=start, end=total, most=most, watch=watch)


def _receive(answer: Answer, part: _Part, *, start: int, end: int | None, most: int, watch: Watch) -> None:
    """Write the body behind what had come, or from the beginning."""
    size = start
    with part.path.open("ab" if start else "wb") as file:
        while data := answer.read(_CHUNK):
            size += len(data)
            if size > most:
                raise FetchError(f"it has more than the {most:,} bytes that are taken")
            file.write(data)
            file.flush()
            watch(size, end, 0.0)
    if end is not None and size < end:
        raise Passing(f"the connection broke after {size:,} of {end:,} bytes")


def _span(answer: Answer) -> tuple[int, int | None]:
    """Where the body begins in the file, and the file's size or None.

    A server that ignores ``Range`` sends the whole, with status 200.
    """
    if answer.status != 206:
        return 0, answer.length
    form = _RANGE.fullmatch((answer.headers.get("Content-Range") or "").strip().lower())
    if form is None:
        raise Passing("the server sent a part without saying which")
    return int(form[1]), None if form[3] == "*" else int(form[3])


def _acceptable(url: str, answer: Answer, *, total: int | None, most: int) -> None:
    if answer.kind in _PAGES:
        raise FetchError("the server answers with a web page, not with the file (perhaps it wants a login)")
    coded = (answer.headers.get("Content-Encoding") or "identity").strip().lower() != "identity"
    if coded and not url.partition("?")[0].endswith((".gz", ".tgz")):  # some servers say so of what is gzipped anyway
        raise FetchError("the server compresses it although it was asked not to")
    if total is not None and total > most:
        raise FetchError(f"it has {total:,} bytes; at most {most:,} are taken")


def _pause(url: str, error: Passing, *, web: Web, failures: int, kept: int) -> float:
    """Seconds to wait before the next try; a host that never answered is not asked as often as one that broke off.

    Raises:
        DatasetError: there is no use in a next try.
    """
    seconds = web.before(max(failures, 1), error.wait)
    hopeless = failures >= (min(2, web.attempts) if error.silent and not kept else web.attempts)
    if not hopeless and seconds <= web.longest:
        return seconds
    reason = f"{error}" if hopeless else f"{error} and asks to wait {seconds:,.0f} s"
    again = f"{kept:,} bytes are kept; run the same again to go on" if kept else "try again later, or from a mirror"
    raise DatasetError(f"cannot download {url[:200]!r}: {reason}; {again}.") from error


def _proved(file: File, known: Known | None) -> File:
    """The file, if it is the known one; a wrong one is removed, so that the next run begins anew."""
    if known is None or file.matches(known):
        return file
    file.path.unlink(missing_ok=True)
    raise DatasetError(
        f"{file.source[:200]!r} is not the file that was published: it has {file.size:,} bytes and SHA-256 "
        f"{file.sha256}, not {known.size:,} bytes and {known.sha256}; it was removed: try again, or another source."
    )
