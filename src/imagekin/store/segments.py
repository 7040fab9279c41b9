"""The memory-mapped copy of a collection's vectors: append-only files that may be deleted at any time.

A folder holds ``manifest.json`` and, for each segment, ``NAME.ids`` (n little-endian int64) and ``NAME.f16`` (n × dim
little-endian float16).  Segments are never changed once written, so that any number of processes may map them; adding
rows adds a segment, and only the manifest is replaced.  The manifest says which revision of the collection the files
show, and the size, date and BLAKE2b hash of each and of itself, so that a file that does not fit is never opened.
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
from imagekin.replacement import SUFFIX, replace
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

    def dead_rows(self) -> dict[int, Ids]:
        """The ids of the dead rows of each segment that has some, by the segment's number."""
        found: dict[int, list[int]] = {}
        for number, item in self.dead:
            found.setdefault(number, []).append(item)
        return {number: np.array(items, np.int64) for number, items in found.items()}


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
        self._entries: list[dict[str, Any]] = []

    def open(self) -> bool:
        """Map the files; False (and empty) when there are none or they do not fit their manifest."""
        self.clear()
        try:
            manifest = json.loads((self.folder / "manifest.json").read_bytes())
            if manifest.pop("hash") != _seal(manifest):
                raise StoreError("its manifest was changed")
            if (manifest["format"], manifest["dim"]) != (FORMAT, self.dim):
                return False
            segments = [self._mapped(entry) for entry in manifest["segments"]]
            dead = tuple((int(number), int(item)) for number, item in manifest["dead"])
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, StoreError) as error:
            log.warning("the vector cache in %s does not fit and is made anew: %s", self.folder, error)
            return False
        self.state = State(manifest["revision"], manifest["token"], dead)
        self.segments, self._entries = segments, manifest["segments"]
        return True

    def clear(self) -> None:
        """Forget what is open; the files stay."""
        self.segments, self.state, self._entries = [], State(0, 0), []

    def faults(self) -> Iterator[str]:
        """One sentence for each open file whose content is not what was written; reads everything."""
        for entry in self._entries:
            for suffix, seal in (("ids", entry["ids"]), ("f16", entry["vectors"])):
                path = self.folder / f"{entry['name']}.{suffix}"
                with contextlib.suppress(FileNotFoundError):
                    if file_hash(path) != seal["hash"]:
                        yield f"{path} is damaged; delete the folder {self.folder}, it is made anew."

    def append(self, pages: Iterable[Page], state: State, *, fresh: bool = False) -> None:
        """Write the rows of *pages* as one more segment (or, *fresh*, as the only one), then the manifest.

        Raises:
            StoreError: the disk is full or the folder cannot be written; the old files stay as they were.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            entry = self._write(pages)
            kept = [] if fresh else self._entries  # those that are open, whatever another process has published since
            self._publish([*kept, entry] if entry["rows"] else kept, state)
        except OSError as error:
            raise StoreError(
                f"the vector cache in {self.folder} cannot be written ({error.strerror or error}); searches stay right "
                "but slower: free some space or check the permissions."
            ) from error
        self.open()
        self._sweep()

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
        text = json.dumps({**manifest, "hash": _seal(manifest)}, indent=1)
        replace(self.folder / "manifest.json", text.encode())

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
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                left_over = path.name.startswith(".") and path.suffix == SUFFIX
                if left_over or (path.suffix in (".ids", ".f16") and path.stem not in kept):
                    path.unlink(missing_ok=True)


def _seal(manifest: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(manifest, sort_keys=True).encode(), digest_size=16).hexdigest()


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


def file_size(path: Path) -> int:
    """Bytes of a file; 0 for one that is not there (any more)."""
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def file_hash(path: Path) -> str:
    """BLAKE2b-128 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def pages(ids: Ids, vectors: Half, rows: int = 8_192) -> Iterator[Page]:
    """Arrays in blocks of *rows*."""
    for at in range(0, len(ids), rows):
        yield ids[at : at + rows], vectors[at : at + rows]
