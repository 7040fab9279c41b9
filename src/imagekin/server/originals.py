"""The files of items, opened below the indexed folders and nowhere else: no link on the way, the content indexed."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from imagekin import files, fingerprint, formats
from imagekin.server.problems import Problem
from imagekin.store.base import Store
from imagekin.types import Item

TYPES: Final = {
    formats.JPEG: "image/jpeg",
    formats.PNG: "image/png",
    formats.WEBP: "image/webp",
    formats.GIF: "image/gif",
    formats.BMP: "image/bmp",
    formats.TIFF: "image/tiff",
    formats.PNM: "image/x-portable-anymap",
    formats.AVIF: "image/avif",
    formats.HEIF: "image/heic",
}
"""By what a file's first bytes say; nothing in it is a page or a script."""

CHUNK: Final = 256 << 10
_LARGEST: Final = 64 << 20
_BENEATH: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")


@dataclass(frozen=True, slots=True)
class Original:
    """An open file.

    Attributes:
        file: at its start.
        size: bytes.
        type: its content type.
    """

    file: BinaryIO
    size: int
    type: str

    def chunks(self, part: range | None = None) -> Iterator[bytes]:
        """Its bytes, or a part of them; the file is closed at the end."""
        part = range(self.size) if part is None else part
        left = len(part)
        with self.file:
            self.file.seek(part.start)
            while left > 0 and (chunk := self.file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk


def content(store: Store, id: int) -> bytes:
    """The bytes of an item's file.

    Raises:
        Problem: 404, there is no such item; and as ``opened``.
    """
    item = store.found([id]).get(id)
    if item is None:
        raise Problem(404, f"the collection has no item {id}; ids come from searches and lists.")
    return b"".join(opened(item, store.roots()).chunks())


def opened(item: Item, roots: Collection[str]) -> Original:
    """The file of an item, which has the content that was indexed.

    Args:
        item: as the store has it.
        roots: the indexed folders; the file lies below one of them.

    Raises:
        Problem: 403 outside of them or behind a link, 404 not there, 409 with other content.
    """
    root = max((root for root in roots if files.inside(item.path, root)), key=len, default=None)
    if root is None:
        raise Problem(403, f"item {item.id} does not lie in a folder that is indexed now, so its file is not served.")
    try:
        file = os.fdopen(_descriptor(item.path, root), "rb")
    except FileNotFoundError:
        raise Problem(404, f"the file of item {item.id} is not there now; its drive may be absent.") from None
    except (OSError, ValueError):
        raise Problem(
            403, f"the file of item {item.id} is behind a link or cannot be read; it is not served."
        ) from None
    try:
        return _checked(file, item)
    except BaseException:
        file.close()
        raise


def _checked(file: BinaryIO, item: Item) -> Original:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise Problem(403, f"the file of item {item.id} is not a regular file; it is not served.")
    same = found.st_size == item.size and found.st_size <= _LARGEST
    if same and abs(found.st_mtime_ns / 1e9 - item.mtime) > 1e-6:  # a new date need not mean other content
        same = fingerprint.of_bytes(file.read(_LARGEST + 1)).hex() == item.hash
        file.seek(0)
    kind = formats.sniff(file.read(formats.HEAD))
    file.seek(0)
    if not same or kind not in TYPES:
        raise Problem(409, f"the file of item {item.id} has changed since it was indexed; index its folder again.")
    return Original(file, found.st_size, TYPES[kind])


def _descriptor(path: str, root: str) -> int:
    """*path* opened from *root* downwards, step by step, none of them a link; the root itself may be one."""
    if path == root:
        return files.open_regular(path)
    parts = path[len(os.path.join(root, "")) :].split(os.sep)
    if not {"", ".", ".."}.isdisjoint(parts):
        raise ValueError("a path that was not written by a walk")
    if not _BENEATH:
        if os.path.realpath(path) != os.path.join(os.path.realpath(root), *parts):
            raise ValueError("a link")
        return files.open_regular(path)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder)
    finally:
        os.close(folder)
