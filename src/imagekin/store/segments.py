"""The memory-mapped copy of a collection's vectors: append-only files that may be deleted at any time.

A folder holds ``manifest.json`` and, for each segment, ``NAME.ids`` (n little-endian int64) and ``NAME.f16`` (n × dim
little-endian float16).  Segments are never changed once written, so that any number of processes may map them; adding
rows adds a segment, and only the manifest is replaced.  The manifest says which revision of the collection the files
show, and the size, date and BLAKE2b hash of each, so that a file that does not fit is never opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import StoreError
from imagekin.types import Ids

log = logging.getLogger(__name__)

FORMAT: Final = 1
_IDS: Final = np.dtype("<i8")
_HALF: Final = np.dtype("<f2")

Half = NDArray[np.float16]
Page = tuple[Ids, Half]


@dataclass(frozen=True, slots=True)
class Segment:
    """One pair of files, mapped: ids ``(n,)`` ascending and vectors ``(n, dim)`` float16, both read-only."""

    name: str
    ids: Ids
    vectors: Half

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class State:
    """What the files show.

    Attributes:
        revision: of the collection.
        token: of that revision (a restored backup has another history).
        dead: ids whose row in a segment must not be found any more, as ``(segment number, id)`` pairs.
    """

    revision: int
    token: int
    dead: tuple[tuple[int, int], ...] = ()


class Segments:
    """Opens and extends the files of one folder.

    Args:
        folder: made when it is absent and something is written.
        dim: length of a vector.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder = folder
        self.dim = dim
        self.segments: list[Segment] = []
        self.state = State(0, 0)

    def open(self) -> bool:
        """Map the files; False (and empty) when there are none or they do not fit their manifest."""
        self.segments, self.state = [], State(0, 0)
        try:
            manifest = json.loads((self.folder / "manifest.json").read_bytes())
            if (manifest["format"], manifest["dim"]) != (FORMAT, self.dim):
                return False
            segments = [self._mapped(entry) for entry in manifest["segments"]]
            dead = tuple((int(number), int(item)) for number, item in manifest["dead"])
            self.state = State(int(manifest["revision"]), int(manifest["token"]), dead)
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError, StoreError) as error:
            log.warning("the vector cache in %s does not fit and is made anew: %s", self.folder, error)
            return False
        self.segments = segments
        return True

    def append(self, pages: Iterable[Page], state: State, *, fresh: bool = False) -> None:
        """Write the rows of *pages* as one more segment (or, *fresh*, as the only one), then the manifest.

        Raises:
            StoreError: the disk is full or the folder cannot be written; the old files stay as they were.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            entry = self._write(pages)
            kept = [] if fresh else self._entries()
            self._publish([*kept, entry] if entry["rows"] else kept, state)
        except OSError as error:
            raise StoreError(
                f"the vector cache in {self.folder} cannot be written ({error.strerror or error}); searches stay right "
                "but slower: free some space or check the permissions."
            ) from error
        self.open()
        self._sweep()

    def _entries(self) -> list[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError):
            entries: list[dict[str, Any]] = json.loads((self.folder / "manifest.json").read_bytes())["segments"]
            return entries
        return []

    def _write(self, pages: Iterable[Page]) -> dict[str, Any]:
        name, rows = secrets.token_hex(8), 0
        files = [self.folder / f"{name}.ids", self.folder / f"{name}.f16"]
        hashes = [hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)]
        try:
            with files[0].open("xb") as ids_file, files[1].open("xb") as vectors_file:
                for ids, vectors in pages:
                    rows += len(ids)
                    parts = ids.astype(_IDS).tobytes(), vectors.astype(_HALF).tobytes()
                    for part, handle, digest in zip(parts, (ids_file, vectors_file), hashes, strict=True):
                        handle.write(part)
                        digest.update(part)
                for handle in (ids_file, vectors_file):
                    handle.flush()
                    os.fsync(handle.fileno())
        except BaseException:
            for path in files:
                path.unlink(missing_ok=True)
            raise
        seals = [{**_stat(path), "hash": digest.hexdigest()} for path, digest in zip(files, hashes, strict=True)]
        return {"name": name, "rows": rows, "ids": seals[0], "vectors": seals[1]}

    def _publish(self, entries: list[dict[str, Any]], state: State) -> None:
        manifest = {
            "format": FORMAT,
            "dim": self.dim,
            "revision": state.revision,
            "token": state.token,
            "dead": [list(pair) for pair in state.dead],
            "segments": entries,
        }
        replace(self.folder / "manifest.json", json.dumps(manifest, indent=1).encode())

    def _mapped(self, entry: dict[str, Any]) -> Segment:
        name, rows = str(entry["name"]), int(entry["rows"])
        if not name.isalnum():
            raise StoreError(f"{name!r} is not the name of a segment.")
        ids = _map(self.folder / f"{name}.ids", entry["ids"], _IDS, (rows,))
        vectors = _map(self.folder / f"{name}.f16", entry["vectors"], _HALF, (rows, self.dim))
        return Segment(name, ids, vectors)

    def _sweep(self) -> None:
        """Delete files that the manifest does not name; another process may still have them mapped, which is safe."""
        kept = {segment.name for segment in self.segments}
        for path in self.folder.iterdir():
            if path.suffix in (".ids", ".f16") and path.stem not in kept:
                with contextlib.suppress(OSError):
                    path.unlink()


def replace(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all: temporary name, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename durable; a platform that cannot open folders does it by itself."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _stat(path: Path) -> dict[str, int]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime": stat.st_mtime_ns}


def _map(path: Path, seal: dict[str, Any], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Map a file whose size and date (or, when it was copied, whose hash) are those that the manifest records."""
    expected = int(np.prod(shape)) * dtype.itemsize
    stat = _stat(path)
    if stat["size"] != expected or seal["size"] != expected:
        raise StoreError(f"{path.name} has {stat['size']} bytes instead of {expected}")
    if stat["mtime"] != seal["mtime"] and file_hash(path) != seal["hash"]:
        raise StoreError(f"{path.name} was changed")
    if not expected:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", shape=shape)


def file_hash(path: Path) -> str:
    """BLAKE2b-128 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def pages(ids: Ids, vectors: Half, rows: int = 8_192) -> Iterator[Page]:
    """Arrays in blocks of *rows*."""
    for at in range(0, len(ids), rows):
        yield ids[at : at + rows], vectors[at : at + rows]
