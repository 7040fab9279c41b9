"""Files and folders to import from, by whomever they were written: vectors and rows of a table, some at a time."""

from __future__ import annotations

import contextlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import ImagekinError, InputError
from imagekin.exchange import arrow, npy
from imagekin.exchange.columns import Columns, checked
from imagekin.exchange.selection import BLOCK
from imagekin.store.base import Put

_MAGIC: Final = b"PAR1"
_NUMBER: Final = re.compile(r"_([0-9]+)\.")
_BUFFER: Final = 1 << 20
"""Bytes that are read of a column at a time, so that a file of one group of rows is not read as a whole."""


class Source(ABC):
    """Something to import.

    Attributes:
        place: where it is, for people.
        rows: how many items it has.
        dim: length of a vector; 0 where only the rows tell.
        model: what it says of the model of its vectors; empty where it says nothing.
    """

    place: str
    rows: int
    dim: int
    model: Mapping[str, Any]

    def puts(self, dim: int) -> Iterator[list[Put]]:
        """Every row as what a store takes, some at a time.

        Raises:
            InputError: a row makes no sense, or a vector has not *dim* numbers.
        """
        done = 0
        for part, columns, rows, vectors in self._blocks():
            with refusing(part, f"rows {done:,} to {done + rows.num_rows - 1:,}"):
                puts = columns.puts(rows, checked(vectors, dim))
            yield puts
            done += rows.num_rows

    @abstractmethod
    def _blocks(self) -> Iterator[tuple[Path, Columns, Any, NDArray[Any]]]:
        """The file that is read, its columns, a batch of its rows, and their vectors."""


class ParquetFile(Source):
    """One Parquet file with a column of vectors.

    Args:
        path: the file.

    Raises:
        InputError: not a Parquet file, or without paths or vectors.
    """

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        with refusing(path):
            self._file = opened(path)
            self._columns = Columns(self._file.schema_arrow, str(path.parent))
            self.rows = self._file.metadata.num_rows
            self.model = arrow.header(self._file.metadata.metadata).get("model", {})
            if "vector" not in self._file.schema_arrow.names:
                raise ValueError("it has no column 'vector'; in the layout of clip-retrieval, import the folder")
            self.dim = _length(self._file.schema_arrow.field("vector").type)

    def _blocks(self) -> Iterator[tuple[Path, Columns, Any, NDArray[Any]]]:
        wanted = [*self._columns.wanted, "vector"]
        for rows in _batches(self._path, self._file, wanted):
            with refusing(self._path):
                vectors = _matrix(rows.column("vector"))
            yield self._path, self._columns, rows, vectors


class Folder(Source):
    """A folder in the layout of clip-retrieval; see ``npy``.

    Args:
        path: the folder.

    Raises:
        InputError: no such parts, parts without their other half or of another number of rows, or no arrays of numbers.
    """

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._parts: list[tuple[Path, NDArray[Any], Path, Any, Columns]] = []
        arrays, tables = _numbered(path / npy.VECTORS, ".npy"), _numbered(path / npy.ITEMS, ".parquet")
        if not arrays or arrays.keys() != tables.keys():
            odd = sorted(arrays.keys() ^ tables.keys())
            raise InputError(
                f"{self.place} is not in the layout of clip-retrieval: {npy.VECTORS}/{npy.VECTORS}_0.npy needs "
                f"{npy.ITEMS}/{npy.ITEMS}_0.parquet beside it, and so on"
                + (f"; part {odd[0]} has only one of the two." if odd else ".")
            )
        for number in sorted(arrays):
            self._open(arrays[number], tables[number], str(path))
        self.rows = sum(len(vectors) for _, vectors, *_ in self._parts)
        self.dim = int(self._parts[0][1].shape[1])
        with refusing(self._parts[0][2]):
            self.model = arrow.header(self._parts[0][3].metadata.metadata).get("model", {})

    def _open(self, array: Path, table: Path, base: str) -> None:
        with refusing(array):
            vectors = np.load(array, mmap_mode="r", allow_pickle=False)
            if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype.kind != "f":
                raise ValueError("it is no array (n, dim) of real numbers")
        with refusing(table):
            file = opened(table)
            if file.metadata.num_rows != len(vectors):
                raise ValueError(f"it has {file.metadata.num_rows:,} rows, and {array.name} has {len(vectors):,}")
            self._parts.append((array, vectors, table, file, Columns(file.schema_arrow, base)))

    def _blocks(self) -> Iterator[tuple[Path, Columns, Any, NDArray[Any]]]:
        for array, vectors, table, file, columns in self._parts:
            done = 0
            for rows in _batches(table, file, columns.wanted):
                with refusing(array):
                    part = np.array(vectors[done : done + rows.num_rows])
                yield table, columns, rows, part
                done += rows.num_rows


def at(path: Path) -> Source:
    """What lies at *path*.

    Raises:
        InputError: nothing, or nothing that can be imported.
        MissingPackageError: pyarrow is not installed.
    """
    if path.is_dir():
        return Folder(path)
    with refusing(path):
        with path.open("rb") as handle:
            if handle.read(4) != _MAGIC:
                raise ValueError("it is neither a Parquet file nor a folder in the layout of clip-retrieval")
    return ParquetFile(path)


@contextlib.contextmanager
def refusing(path: Path, where: str = "") -> Iterator[None]:
    """What goes wrong in the block with a file from elsewhere becomes one sentence that names it."""
    what = f"{str(path)!r}{f', {where},' if where else ''}"
    try:
        yield
    except ImagekinError:
        raise
    except Exception as error:  # readers raise whatever comes to hand on damaged data
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"cannot read {what}: {error.strerror}.") from error
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InputError(f"{what} cannot be imported: {reason[:300]}.") from error


def opened(path: Path) -> Any:
    """A ``pyarrow.parquet.ParquetFile``."""
    return arrow.library("pyarrow.parquet").ParquetFile(os.fspath(path), buffer_size=_BUFFER, pre_buffer=False)


def _batches(path: Path, file: Any, wanted: list[str]) -> Iterator[Any]:
    """Batches of rows, whatever size their groups have."""
    batches = file.iter_batches(batch_size=BLOCK, columns=wanted, use_threads=False)
    while True:
        with refusing(path):
            rows = next(batches, None)
        if rows is None:
            return
        yield rows


def _length(kind: Any) -> int:
    """Length of the vectors in a column of this type; 0 where each row has its own."""
    types = arrow.library().types
    lists = types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind)
    if not lists or not types.is_floating(kind.value_type):
        raise ValueError(f"its column 'vector' holds {kind}, and not lists of real numbers")
    return int(kind.list_size) if types.is_fixed_size_list(kind) else 0


def _matrix(column: Any) -> NDArray[Any]:
    """A column of lists as an array ``(n, dim)``."""
    if column.null_count:
        raise ValueError("a row has no vector")
    values = column.flatten()
    if values.null_count:
        raise ValueError("a vector has a gap")
    size = _length(column.type)
    if not size and len(column):
        lengths = set(arrow.library("pyarrow.compute").list_value_length(column).unique().to_pylist())
        if len(lengths) > 1:
            raise ValueError(f"its vectors have {min(lengths)} to {max(lengths)} numbers, and should have as many each")
        size = lengths.pop()
    found: NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(len(column), size)
    return found


def _numbered(folder: Path, suffix: str) -> dict[int, Path]:
    """The parts in a folder by their number."""
    found: dict[int, Path] = {}
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            number = _NUMBER.search(entry.name)
            if entry.name.startswith(f"{folder.name}_") and entry.suffix == suffix and number:
                found[int(number[1])] = entry
    return found
