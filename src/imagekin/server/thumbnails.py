"""Small pictures of items, made once: by content, so that a copy costs nothing and a cached one is never stale."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image

from imagekin import fingerprint, images
from imagekin.errors import ImageError
from imagekin.replacement import replace
from imagekin.server.metrics import Metrics
from imagekin.server.problems import Problem
from imagekin.server.workers import Workers
from imagekin.types import Item

log = logging.getLogger(__name__)

SIZES: Final = (128, 256, 384, 512, 768, 1024, 1600)
"""Pixels of the longer side; a request for another gets the next larger one."""

MEMORY: Final = 64 << 20
"""Bytes of thumbnails that are kept in memory."""

QUEUE: Final = 256
"""Thumbnails that may wait to be made: a page asks for many at once."""

_VERSION: Final = "1"
"""Of how thumbnails are made: another makes new addresses of all."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A format of thumbnails."""

    name: str
    suffix: str
    type: str
    options: tuple[tuple[str, Any], ...]


WEBP: Final = Kind("WEBP", "webp", "image/webp", (("quality", 80), ("method", 3)))
JPEG: Final = Kind("JPEG", "jpg", "image/jpeg", (("quality", 85), ("optimize", True), ("progressive", True)))


class Thumbnails:
    """The thumbnails of one collection: in memory, on the disk, or made now.

    Args:
        folder: where they are kept, or None to keep them in memory only.
        metrics: what is timed goes here.
    """

    def __init__(self, folder: Path | None, metrics: Metrics) -> None:
        self._folder = folder
        self._metrics = metrics
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._held = 0
        self._guard = threading.Lock()
        self._making: dict[str, asyncio.Future[bytes]] = {}
        self.workers = Workers("thumbnail", waiting=QUEUE)

    @staticmethod
    def key(digest: str, size: int, kind: Kind) -> str:
        """The name of a thumbnail, which says what it shows and how."""
        return f"{digest}-{size}-{_VERSION}.{kind.suffix}"

    def held(self, key: str) -> bytes | None:
        """A thumbnail that is in memory."""
        with self._guard:
            data = self._memory.get(key)
            if data is not None:
                self._memory.move_to_end(key)
            return data

    async def get(self, item: Item, size: int, kind: Kind) -> bytes:
        """The thumbnail of an item, at most *size* pixels high and wide; whoever asks while it is made waits for it.

        Raises:
            Problem: 404 or 409, its file is gone or has changed; 429, too many are being made.
        """
        key = self.key(item.hash, size, kind)
        if (data := self.held(key)) is not None:
            return data
        if key not in self._making:
            task = asyncio.ensure_future(self._make(key, item, size, kind))
            self._making[key] = task
            task.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(self._making[key])

    def forget(self, digest: str) -> None:
        """Drop the thumbnails of a content from memory and disk."""
        with self._guard:
            for key in [key for key in self._memory if key.startswith(digest)]:
                self._held -= len(self._memory.pop(key))
        if self._folder is not None:
            for path in (self._folder / digest[:2]).glob(f"{digest}-*"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def prune(self, known: Callable[[str], bool]) -> int:
        """Drop the thumbnails on the disk whose content nobody has any more.  Returns of how many contents."""
        if self._folder is None or not self._folder.is_dir():
            return 0
        digests = {path.name.partition("-")[0] for path in self._folder.glob("??/*")}
        gone = [digest for digest in digests if not known(digest)]
        for digest in gone:
            self.forget(digest)
        return len(gone)

    def _made(self, key: str, done: asyncio.Future[bytes]) -> None:
        del self._making[key]
        if not done.cancelled():
            done.exception()  # whoever waited has it; perhaps nobody does any more

    async def _make(self, key: str, item: Item, size: int, kind: Kind) -> bytes:
        data = await self.workers.run(self._read_or_made, key, item, size, kind)
        with self._guard:
            self._held += len(data) - len(self._memory.pop(key, b""))
            self._memory[key] = data
            while self._held > MEMORY:
                self._held -= len(self._memory.popitem(last=False)[1])
        return data

    def _read_or_made(self, key: str, item: Item, size: int, kind: Kind) -> bytes:
        path = None if self._folder is None else self._folder / key[:2] / key
        if path is not None:
            with contextlib.suppress(OSError):
                return path.read_bytes()
        with self._metrics.stage("thumbnail"):
            data = made(item, size, kind)
        if path is not None:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace(path, data)
            except OSError as error:
                log.warning("a thumbnail cannot be kept in %s: %s", path.parent, error.strerror)
        return data


def made(item: Item, size: int, kind: Kind) -> bytes:
    """The bytes of a new thumbnail.

    Raises:
        Problem: the file is gone, or is not what was indexed.
    """
    try:
        data = images.read(item.path)
        if fingerprint.of_bytes(data).hex() != item.hash:
            raise Problem(409, f"the file of item {item.id} has changed since it was indexed; index its folder again.")
        picture = images.decode(data, target=size).image
    except ImageError as error:
        raise Problem(404, f"the file of item {item.id} cannot be shown: {error}.") from error
    picture.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    content = BytesIO()
    picture.save(content, kind.name, **dict(kind.options))
    return content.getvalue()


def size_for(wanted: int) -> int:
    """The size that is made for a wish."""
    return next((size for size in SIZES if size >= wanted), SIZES[-1])
