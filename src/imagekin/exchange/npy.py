"""The folder that clip-retrieval writes and reads: vectors as NumPy arrays, for each a Parquet file of its items.

img_emb/img_emb_0.npy, img_emb/img_emb_1.npy, …            (n, dim) float16 or float32
metadata/metadata_0.parquet, metadata/metadata_1.parquet, …  n rows: image_path, caption, …
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

import numpy as np

from imagekin.exchange import arrow, parquet
from imagekin.exchange.outgoing import How
from imagekin.exchange.selection import Block, Selection
from imagekin.replacement import replacing, replacing_folder

VECTORS: Final = "img_emb"
ITEMS: Final = "metadata"
PART: Final = 256
"""Blocks in a part: a million items, as clip-retrieval has them."""


class Writer:
    """Writes the folder, part by part."""

    parts: ClassVar[tuple[str, ...]] = (VECTORS, ITEMS)

    def write(self, selection: Selection, target: Path, how: How) -> int:
        """See ``outgoing.Writer.write``."""
        columns = arrow.schema(selection, path="image_path", caption=True)
        done = 0
        with replacing_folder(target) as folder:
            for name in self.parts:
                (folder / name).mkdir()
            for number, part in enumerate(_parts(selection)):
                with replacing(folder / VECTORS / f"{VECTORS}_{number}.npy") as numbers:
                    array = Array(numbers, how.numbers, selection.dim)
                    with replacing(folder / ITEMS / f"{ITEMS}_{number}.parquet") as table:
                        for rows in _written(part, array, table, columns):
                            done += rows
                            if how.tell is not None:
                                how.tell(done)
                    array.finish()
        return done


class Array:
    """A ``.npy`` file that grows; NumPy leaves room in its header for the number of rows.

    Args:
        handle: the file.
        numbers: type of the numbers.
        dim: of them in a row.
    """

    def __init__(self, handle: BinaryIO, numbers: str, dim: int) -> None:
        self._handle = handle
        self._type = np.dtype(numbers).newbyteorder("<")
        self._dim = dim
        self._rows = 0
        self._begin()

    def append(self, vectors: np.ndarray) -> None:
        """Write further rows ``(n, dim)``."""
        self._handle.write(np.ascontiguousarray(vectors, dtype=self._type).tobytes())
        self._rows += len(vectors)

    def finish(self) -> None:
        """Write how many there are."""
        self._handle.seek(0)
        self._begin()
        self._handle.seek(0, 2)

    def _begin(self) -> None:
        shape = {"descr": self._type.str, "fortran_order": False, "shape": (self._rows, self._dim)}
        np.lib.format.write_array_header_1_0(self._handle, shape)


def _written(part: Iterable[Block], array: Array, table: BinaryIO, columns: Any) -> Iterator[int]:
    """Write the blocks of a part; yields how many items each has."""
    with parquet.opened(table, columns) as file:
        for block in part:
            array.append(block.vectors)
            file.write_batch(arrow.batch(block.items, None, columns))
            yield len(block.items)


def _parts(selection: Iterable[Block]) -> Iterator[Iterable[Block]]:
    """The blocks, in groups that each have at least one."""
    blocks = iter(selection)
    for first in blocks:
        yield chain([first], islice(blocks, PART - 1))
