"""Acts on single files that never overwrite, never follow a link, and never touch what is not what was seen."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import Final

from imagekin import fingerprint
from imagekin.files import open_regular, trouble
from imagekin.replacement import sync_folder

_FOLLOW: Final = os.link not in os.supports_follow_symlinks
"""Links are never followed where the system can be told so; ``checked`` has refused them anyway."""

_HELD: Final = ".held"
_NEW: Final = ".new"
"""Not the suffix of files that are being written, which others sweep away: these are somebody's pictures."""

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class Refused(Exception):
    """Why a file is left alone; its text is a bare reason."""


def checked(path: str, digest: str) -> os.stat_result:
    """What the file is, once it is known to be a regular file, no link, and to hold what was seen.

    Raises:
        Refused: it is not.
    """
    try:
        before = os.lstat(path)
        if not stat.S_ISREG(before.st_mode):
            raise Refused("a link" if stat.S_ISLNK(before.st_mode) else "not a regular file")
        handle = open_regular(path)
        with os.fdopen(handle, "rb") as file:
            opened = os.fstat(handle)
            if (opened.st_dev, opened.st_ino) != (before.st_dev, before.st_ino):
                raise Refused("it was replaced while it was looked at")
            found = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=fingerprint.SIZE)).hexdigest()
            after = os.fstat(handle)
    except OSError as error:
        raise Refused(trouble(error)) from error
    if found != digest or (after.st_size, after.st_mtime_ns) != (opened.st_size, opened.st_mtime_ns):
        raise Refused("it changed since it was indexed; index it again")
    return after


def same_file(one: str, other: str) -> bool:
    """Whether two paths are one file already."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def move(path: str, to: str) -> None:
    """Give a file another name on the same file system; never takes the place of another.

    Raises:
        Refused: something is there already, it is another file system, or the system says no.
    """
    try:
        try:
            os.link(path, to, follow_symlinks=_FOLLOW)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _renamed(path, to)
        else:
            os.unlink(path)
        sync_folder(Path(to).parent)
        sync_folder(Path(path).parent)
    except FileExistsError as error:
        raise Refused(f"something is at {to!r} already") from error
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise Refused(f"{os.path.dirname(to)!r} is on another drive; give a folder on the same one") from error
        raise Refused(trouble(error)) from error


def _renamed(path: str, to: str) -> None:
    """The same on a file system that knows no second names: an empty file holds the place."""
    os.close(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(path, to)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(to)
        raise


def beside(path: str) -> str:
    """A hidden name in the same folder that nothing has."""
    return os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}{_HELD}")


def beside_of(hidden: str) -> str:
    """The name of what is to take the place of a file that goes to a hidden name."""
    return hidden.removesuffix(_HELD) + _NEW


def replaced(path: str, to: str, fresh: str) -> None:
    """Give a file the name *to*, where nothing is, and put one more name of the file *fresh* in its place.

    Nobody who looks at the folder is likely to find the name gone: it is for the time of two calls.

    Raises:
        Refused: the system says no, or something came into its place; then it has its name, or both are there.
    """
    try:
        os.rename(path, to)
        try:
            os.link(fresh, path, follow_symlinks=_FOLLOW)
        except OSError:
            move(to, path)
            raise
        sync_folder(Path(path).parent)
    except OSError as error:
        raise Refused(trouble(error)) from error


def link(keeper: str, path: str) -> None:
    """Make *path*, where nothing is, one more name of the file *keeper*.

    Raises:
        Refused: the system says no.
    """
    try:
        os.link(keeper, path, follow_symlinks=_FOLLOW)
        sync_folder(Path(path).parent)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise Refused("it is on another drive than the picture to keep; hard links stay on one") from error
        if error.errno in _NO_LINKS:
            raise Refused("its file system knows no hard links") from error
        raise Refused(trouble(error)) from error


def copy_over(path: str, digest: str, mtime_ns: int) -> None:
    """Make a file that shares its content with others one of its own again.

    Raises:
        Refused: it is not what was written there, or the system says no.
    """
    checked(path, digest)
    copy = beside(path)
    try:
        with open(path, "rb") as source, open(copy, "xb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        shutil.copymode(path, copy)
        os.utime(copy, ns=(mtime_ns, mtime_ns))
        checked(copy, digest)
        os.replace(copy, path)
        sync_folder(Path(path).parent)
    except OSError as error:
        raise Refused(trouble(error)) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(copy)
