"""A flat FAISS index with the items' own ids, and a Parquet file that says which items they are.

``faiss.read_index("FOLDER/index.faiss")`` gives an ``IndexIDMap2`` over an ``IndexFlat``; ``items.parquet`` has the
columns of ``arrow``, without vectors.  The index is written here, byte for byte as FAISS would write it, because FAISS
has to hold it in memory for that: 5 GB for a million vectors of 1,280 numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar, Final

import numpy as np

from imagekin.distance import normalized
from imagekin.exchange import arrow, parquet
from imagekin.exchange.outgoing import How
from imagekin.exchange.selection import Selection
from imagekin.replacement import replacing, replacing_folder

INDEX: Final = "index.faiss"
ITEMS: Final = "items.parquet"

_METRIC_INNER, _METRIC_L2 = 0, 1
_FLAT: Final = {_METRIC_INNER: b"IxFI", _METRIC_L2: b"IxF2"}


class Writer:
    """Writes the folder."""

    parts: ClassVar[tuple[str, ...]] = (INDEX, ITEMS)

    def write(self, selection: Selection, target: Path, how: How) -> int:
        """See ``outgoing.Writer.write``."""
        done = 0
        with replacing_folder(target) as folder, replacing(folder / INDEX) as index:
            with replacing(folder / ITEMS) as table:
                for rows in _written(selection, index, table):
                    done += rows
                    if how.tell is not None:
                        how.tell(done)
        return done


def _written(selection: Selection, index: BinaryIO, table: BinaryIO) -> Iterator[int]:
    """Write both files; yields how many items each block has."""
    columns = arrow.schema(selection)
    flat = Flat(index, selection.dim, selection.metric)
    ids: list[np.ndarray] = []
    with parquet.opened(table, columns) as file:
        for block in selection:
            flat.append(block.vectors.astype(np.float32))
            ids.append(np.array([item.id for item in block.items], np.int64))
            file.write_batch(arrow.batch(block.items, None, columns))
            yield len(block.items)
    flat.finish(np.concatenate(ids))


class Flat:
    """An ``IndexIDMap2`` over an ``IndexFlat``, as FAISS writes it, row by row.

    Rows are scaled to length 1 where the metric is cosine, so that the inner product is the cosine similarity.

    Args:
        handle: the file.
        dim: numbers of a row.
        metric: of ``distance``.
    """

    def __init__(self, handle: BinaryIO, dim: int, metric: str) -> None:
        self._handle = handle
        self._dim = dim
        self._metric = _METRIC_L2 if metric == "euclidean" else _METRIC_INNER
        self._scaled = metric == "cosine"
        self._rows = 0
        self._begin()

    def append(self, vectors: np.ndarray) -> None:
        """Write further rows ``(n, dim)`` float32."""
        rows = normalized(vectors) if self._scaled else vectors
        self._handle.write(rows.astype("<f4").tobytes())
        self._rows += len(rows)

    def finish(self, ids: np.ndarray) -> None:
        """Write the rows' ids ``(n,)``, and how many rows there are."""
        self._handle.write(struct.pack("<Q", len(ids)) + ids.astype("<i8").tobytes())
        self._handle.seek(0)
        self._begin()
        self._handle.seek(0, 2)

    def _begin(self) -> None:
        # FAISS's write_index_header: dimension, rows, two numbers without meaning, trained, metric
        header = struct.pack("<iqqq?i", self._dim, self._rows, 1 << 20, 1 << 20, True, self._metric)
        numbers = struct.pack("<Q", self._rows * self._dim)
        self._handle.write(b"IxM2" + header + _FLAT[self._metric] + header + numbers)
