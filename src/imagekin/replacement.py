"""Files that are there whole or not at all: a temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from imagekin.errors import InputError

SUFFIX: Final = ".tmp"
"""Of what is being written; its name begins with a dot, and who is killed leaves it behind."""


def replace(path: Path, data: bytes) -> None:
    """Write a file, in place of one that may be there, so that a crash leaves the old or the new one and no other.

    The temporary name is random and must be new, so that nobody can lay a link there before.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    with replacing(path) as handle:
        handle.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """``replace`` for what is too large to be held: the file to write to, which takes its place when the block ends.

    Raises:
        OSError: it cannot be written; nothing is left behind, as after any error in the block.
    """
    temporary = _temporary(path)
    try:
        with temporary.open("xb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: the empty one to fill, with ``replacing``, which takes its place when the block ends.

    A folder cannot take another's place in one step: for an instant there is none, and who is killed in it leaves the
    old one behind under a temporary name.

    Raises:
        OSError: it cannot be written; nothing is left behind, as after any error in the block.
    """
    temporary, old = _temporary(path), _temporary(path)
    try:
        temporary.mkdir()
        yield temporary
        if path.is_dir():
            path.rename(old)
        try:
            temporary.rename(path)
        except BaseException:
            if old.is_dir():
                old.rename(path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    sync_folder(path.parent)


@contextlib.contextmanager
def failures(path: str | os.PathLike[str]) -> Iterator[None]:
    """Failures of the system while something is written, as a sentence that names the file a person asked for.

    Raises:
        InputError: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {os.fspath(path)!r}: {error.strerror or error}.") from error


def place(path: str | os.PathLike[str]) -> Path:
    """The file that a person named, once it is known that there can be one: to be asked before long work.

    Raises:
        InputError: its folder does not exist, or it is a folder itself.
    """
    target = Path(path).expanduser()
    check_parent(path, target)
    if target.is_dir():
        raise InputError(f"cannot write {os.fspath(path)!r}: it is a folder.")
    return target


def check_parent(path: str | os.PathLike[str], target: Path) -> None:
    """See that the folder is there in which *target*, named as *path*, is to be.

    Raises:
        InputError: it is not.
    """
    if not target.parent.is_dir():
        raise InputError(f"cannot write {os.fspath(path)!r}: the folder {str(target.parent)!r} does not exist.")


def _temporary(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(8)}{SUFFIX}")


def sync_folder(folder: Path) -> None:
    """Make a rename durable; a platform that cannot open folders does it by itself."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
