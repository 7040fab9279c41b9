"""Files that fail, or kill their process, at the Nth thing that is done to them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest


class Fuse:
    """Burns at the Nth touch: calls *burn*, once, and remembers that it did."""

    def __init__(self, after: int, burn: Callable[[], None]) -> None:
        self.left = after
        self.burnt = False
        self._burn = burn

    def touch(self) -> None:
        self.left -= 1
        if self.left == -1:
            self.burnt = True
            self._burn()


class FaultyFiles(apsw.VFS):  # type: ignore[misc, unused-ignore]
    """SQLite's files as the default of this process until ``unregister``; its fuse is touched by every change."""

    def __init__(self) -> None:
        super().__init__("faulty", "unix", makedefault=True)
        self.fuse: Fuse | None = None

    def xOpen(self, name: Any, flags: list[int]) -> FaultyFile:  # noqa: N802
        return FaultyFile("unix", name, flags, self)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.touch()
        super().xDelete(filename, syncdir)

    def excepthook(self, *_: object) -> bool:
        """SQLite handles the failure; nothing is to be printed."""
        return True

    def touch(self) -> None:
        if self.fuse is not None:
            self.fuse.touch()


class FaultyFile(apsw.VFSFile):  # type: ignore[misc, unused-ignore]
    """One of them."""

    def __init__(self, base: str, name: Any, flags: list[int], files: FaultyFiles) -> None:
        self._files = files
        super().__init__(base, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._files.touch()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._files.touch()
        super().xSync(flags)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._files.touch()
        super().xTruncate(newsize)

    def excepthook(self, *_: object) -> bool:
        """See ``FaultyFiles``."""
        return True


@contextmanager
def faulty_sqlite() -> Iterator[FaultyFiles]:
    files = FaultyFiles()
    try:
        yield files
    finally:
        files.fuse = None
        files.unregister()


def sqlite_fails(after: int, kind: type[apsw.Error]) -> Fuse:
    def burn() -> None:
        raise kind("simulated")

    return Fuse(after, burn)


def python_fails(monkeypatch: pytest.MonkeyPatch, after: int, number: int = errno.ENOSPC) -> Fuse:
    """Fail the Nth opening, renaming, deleting or syncing of a file by Python."""

    def burn() -> None:
        raise OSError(number, os.strerror(number))

    fuse = Fuse(after, burn)

    def faulty(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            fuse.touch()
            return call(*arguments, **options)

        return step

    for name in ("open", "replace", "unlink", "mkdir", "stat"):
        monkeypatch.setattr(Path, name, faulty(getattr(Path, name)))
    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, faulty(getattr(os, name)))
    return fuse
