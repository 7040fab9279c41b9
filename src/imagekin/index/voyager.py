"""The Voyager engine: Spotify's HNSW graph, with vectors of 32 or 8 bits an element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import voyager
from numpy.typing import NDArray

from imagekin.errors import IndexingError, InputError
from imagekin.index.best import Found
from imagekin.index.rows import Mask
from imagekin.index.tuned import Tuned, converted
from imagekin.types import Vectors

_FILE: Final = "graph.voyager"
_DTYPES: Final = {"f32": "Float32", "e4m3": "E4M3", "f8": "Float8"}


class Voyager(Tuned):
    """HNSW (Malkov, Yashunin 2018) by Spotify's library; 8-bit codes are re-ranked by the stored vectors.

    Parameters:
        M: links of a row; twice as many in the lowest layer.
        ef_construction: candidates kept while a row is added.
        ef: candidates kept while searching; None = tuned.
        dtype: ``f32``, ``e4m3`` (8-bit floats) or ``f8`` (fixed point; cosine only, as it holds −1 … 1).
        recall: share of the true 10 nearest that ``ef`` is chosen for.
        threads: cores used for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "voyager"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"M": 12, "ef_construction": 200, "ef": None, "dtype": "f32", "recall": 0.99, "threads": 0}
    )
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True

    def _check_option(self, name: str, value: Any) -> None:
        if name != "dtype":
            super()._check_option(name, value)
        elif value not in _DTYPES or (value == "f8" and self.metric != "cosine"):
            raise InputError(f"voyager's dtype must be f32, e4m3 or, under cosine, f8, not {value!r}.")

    def _factors(self) -> Sequence[int]:
        return (0,) if self.parameters["dtype"] == "f32" else (1, 2, 4, 8, 16)

    def _clear(self, count: int) -> None:
        space = voyager.Space.Euclidean if self.metric == "euclidean" else voyager.Space.InnerProduct
        self._index = voyager.Index(
            space,
            self.dim,
            M=self.parameters["M"],
            ef_construction=self.parameters["ef_construction"],
            max_elements=count,
            storage_data_type=getattr(voyager.StorageDataType, _DTYPES[self.parameters["dtype"]]),
        )

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        # Voyager stores arrays of another layout wrongly and says nothing
        self._index.add_items(np.ascontiguousarray(vectors, np.float32), rows.tolist(), num_threads=self._threads)

    def _discard(self, rows: NDArray[np.int64]) -> None:
        for row in rows.tolist():
            self._index.mark_deleted(row)

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        reach = self._reach(k, width)
        try:
            rows, keys = self._index.query(queries, reach, self._threads, max(int(width), reach))
        except voyager.RecallError:
            return self._fewer(queries, k, width)
        return rows.view(np.int64)[:, :k], converted(keys, self.metric)[:, :k]

    def _fewer(self, queries: Vectors, k: int, width: float) -> Found:
        """Query by query; those from which k rows cannot be reached find none, and the caller answers them."""
        found, distances = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), np.inf, np.float32)
        for line, query in enumerate(queries):
            try:
                rows, keys = self._index.query(query, k, 1, max(int(width), self._reach(k, width)))
            except voyager.RecallError:
                continue
            found[line], distances[line] = rows.view(np.int64), converted(keys, self.metric)
        return found, distances

    def _write(self, folder: Path) -> None:
        self._index.save(str(folder / _FILE))

    def _read(self, folder: Path) -> None:
        try:
            self._index = voyager.Index.load(str(folder / _FILE))
        except (RuntimeError, ValueError) as error:
            raise IndexingError(f"Voyager cannot read {folder / _FILE} ({error}); build the index again.") from error

    def _memory(self) -> int:
        # a row: its vector, links of the lowest layer with their count, label and lock; upper layers add a few per cent
        element, links = 4 if self.parameters["dtype"] == "f32" else 1, int(self.parameters["M"])
        return (element * self.dim + 4 * (2 * links + 1) + 56 + links // 2) * int(self._index.max_elements)
