"""A saved index: a folder with ``index.json`` (what it is; size and checksum of every file), ids and engine files."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import xxhash
from numpy.typing import ArrayLike

from imagekin.errors import IndexingError
from imagekin.index.rows import Rows, Stored
from imagekin.index.workers import each
from imagekin.types import Ids

_FORMAT: Final = "imagekin index"

VERSION: Final = 3
"""Version of the folder's format; another one is refused."""

_HEADER: Final = "index.json"
_PIECE: Final = 1 << 22
"""Bytes from which a second core pays for its wake-up."""


@contextmanager
def writing(path: Path, header: dict[str, Any]) -> Iterator[Path]:
    """A new folder to write files into; it takes the place of *path* when the block ends without an exception.

    Raises:
        IndexingError: something else than an index lies there, which is not to be lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_place(path)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield fresh
        files = {file.name: [file.stat().st_size, checksum(file)] for file in sorted(fresh.iterdir())}
        data = {"format": _FORMAT, "version": VERSION, **header, "files": files}
        text = json.dumps({**data, "sum": _sum(data)}, indent=1)
        (fresh / _HEADER).write_text(text, encoding="utf-8")
        for file in fresh.iterdir():
            _sync(file)
        _sync(fresh)
        _replace(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _check_place(path: Path) -> None:
    """Only an index, or an empty folder, may be replaced."""
    if not os.path.lexists(path) or (path.is_dir() and not path.is_symlink() and _ours(path)):
        return
    raise IndexingError(f"{path} is no index, and would be lost; choose another place to save to.")


def _ours(folder: Path) -> bool:
    try:
        text = (folder / _HEADER).read_text(encoding="utf-8")
        return bool(json.loads(text)["format"] == _FORMAT)
    except FileNotFoundError:
        return not any(folder.iterdir())
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def header(path: Path, identity: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read what a saved index is, and check its files.

    Args:
        path: the folder.
        identity: engine, metric, dim and parameters that it must have; None for any.

    Raises:
        IndexingError: not an index, of another version or identity, or a file is missing, truncated or changed.
    """
    try:
        data = dict(json.loads((path / _HEADER).read_text(encoding="utf-8")))
        if data["format"] != _FORMAT or data["version"] != VERSION:
            raise ValueError(f"format {data['format']!r}, version {data['version']!r}")
        if data.pop("sum") != _sum(data):
            raise ValueError("it was changed")
        found, files = dict(data["identity"]), {str(name): tuple(pair) for name, pair in data["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise IndexingError(f"{path} is not an index of format {VERSION} ({reason}); build it again.") from error
    for name, mine in json.loads(json.dumps(identity or {})).items():
        if found.get(name) != mine:
            raise IndexingError(f"the index {path} has {name} {found.get(name)!r}, not {mine!r}; build it again.")
    strange = sorted({file.name for file in path.iterdir()} - files.keys() - {_HEADER})
    if strange:
        raise IndexingError(
            f"{path} holds a file that is not the index's ({strange[0]}); delete it and build it again."
        )
    for name, pair in files.items():
        file = path / Path(name).name
        if not file.is_file() or (file.stat().st_size, checksum(file)) != pair:
            raise IndexingError(f"{file} is missing, truncated or changed; delete {path} and build the index again.")
    return data


def note(path: Path) -> str:
    """What ``Index.save`` was told to write down in a folder that ``Index.open`` has read."""
    return str(json.loads((path / _HEADER).read_text(encoding="utf-8"))["note"])


def _sum(data: dict[str, Any]) -> str:
    """Hash of a header without this sum itself."""
    return hashlib.blake2b(json.dumps(data, sort_keys=True).encode(), digest_size=16).hexdigest()


def put_rows(folder: Path, rows: Rows, *, vectors: bool) -> None:
    """Write ids and live flags, and the vectors too if asked."""
    np.save(folder / "ids.npy", rows.ids)
    np.save(folder / "live.npy", rows.live)
    if not vectors:
        return
    dtype = np.result_type(np.float16, *(chunk.vectors.dtype for chunk in rows.chunks))
    with (folder / "vectors.bin").open("wb") as file:
        for _, view in rows.spans(0, len(rows), 1 << 16):
            file.write(np.ascontiguousarray(view, dtype).data)


def get_rows(folder: Path, dim: int, chunks: Iterable[tuple[ArrayLike, Any]] | None) -> Rows:
    """The rows that ``put_rows`` wrote, or the same ones out of *chunks*.

    Raises:
        IndexingError: *chunks* does not begin with these rows, or the vectors were not saved.
    """
    ids: Ids = np.load(folder / "ids.npy")
    rows = Rows(dim)
    for numbers, vectors in [(ids, _mapped(folder, len(ids), dim))] if chunks is None else chunks:
        rows.append(numbers, vectors, checked=True)
    if not np.array_equal(rows.ids[: len(ids)], ids):
        raise IndexingError(f"{folder} was made of other rows than the {len(rows)} given; build the index again.")
    rows.kill(np.flatnonzero(~np.load(folder / "live.npy")))
    return rows


def _mapped(folder: Path, count: int, dim: int) -> Stored:
    file = folder / "vectors.bin"
    if not file.is_file():
        raise IndexingError(f"{folder} was saved without its vectors; open it with chunks=[(ids, vectors)].")
    if not count:
        return np.empty((0, dim), np.float32)
    dtype = np.float16 if file.stat().st_size == 2 * count * dim else np.float32
    mapped: Stored = np.memmap(file, dtype, "r", shape=(count, dim))
    return mapped


def checksum(path: Path) -> str:
    """XXH3-128 (Collet 2019) of those of a file's pieces: finds torn, swapped and overwritten bytes at memory speed."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size:  # nothing cannot be mapped
            with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                digest.update(b"".join(each(partial(_piece, view), range(0, size, _PIECE))))
    return digest.hexdigest()


def _piece(view: memoryview, start: int) -> bytes:
    with view[start : start + _PIECE] as part:
        return xxhash.xxh3_128_digest(part)


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk; some systems cannot open or sync a folder, and need not."""
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(fresh: Path, path: Path) -> None:
    """Put *fresh* where *path* is; a folder cannot be renamed over a full one, so the old one steps aside first."""
    if path.is_dir():
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        os.replace(path, aside / "old")
        os.replace(fresh, path)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
        os.replace(fresh, path)
    _sync(path.parent)
