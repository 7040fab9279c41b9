"""The hnswlib engine: the HNSW graph by its authors' library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import hnswlib
import numpy as np
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.native import converted
from imagekin.index.options import RULES, Rule, whole
from imagekin.index.rows import Mask
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

_FILE: Final = "graph.hnswlib"
_SHORT: Final = "contiguous 2D array"
"""What hnswlib's exception says where fewer rows can be reached than were asked for."""


class Hnswlib(Tuned):
    """A graph in layers (Malkov, Yashunin 2018: Efficient and robust approximate nearest neighbor search using HNSW).

    Parameters:
        M: links of a row; twice as many in the lowest layer.
        ef_construction: candidates kept while a row is added.
        ef: candidates kept while searching; None = tuned.
        recall: share of the true 10 nearest that ``ef`` is chosen for.
        threads: cores used for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "hnswlib"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({**COMMON, "M": 16, "ef_construction": 200, "ef": None})
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {**RULES, "M": whole(2, 1024), "ef_construction": whole(), "ef": whole()}
    )
    labels: bool = True
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True
    can_filter: ClassVar[bool] = True

    def _fill(self, rows: NDArray[np.int64]) -> None:
        self._index, words = self._empty(), self.parameters
        self._index.init_index(len(self._rows), ef_construction=words["ef_construction"], M=words["M"])
        for some, vectors in self._pieces(rows):
            self._take(some, vectors)

    def _empty(self) -> Any:
        return hnswlib.Index("l2" if self.metric == "euclidean" else "ip", self.dim)

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        room, need = self._index.get_max_elements(), self._index.get_current_count() + len(rows)
        if need > room:
            self._index.resize_index(max(need, room * 3 // 2))
        self._index.add_items(vectors, rows, num_threads=self._threads)

    def _discard(self, rows: NDArray[np.int64]) -> None:
        for row in rows.tolist():
            self._index.mark_deleted(row)

    def _tell(self, width: float) -> None:
        self._told = int(width)
        self._index.set_ef(self._told)

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        may = None if allowed is None else allowed.tolist().__getitem__
        # the breadth is one setting for all threads; asking for more hits is a wider search too
        reach = k if width <= self._told else max(k, int(width))
        found = self._query(queries, reach, may)
        if reach > k and found is None:
            found = self._query(queries, k, may)
        if found is not None:
            return found if reach == k else (found[0][:, :k], found[1][:, :k])
        if len(queries) == 1:
            return np.full((1, k), -1, np.int64), np.full((1, k), np.inf, np.float32)
        lines = [self._ask(query[None], k, width, allowed) for query in queries]
        return np.concatenate([line[0] for line in lines]), np.concatenate([line[1] for line in lines])

    def _query(self, queries: Vectors, k: int, may: Callable[[int], bool] | None) -> Found | None:
        """Hits, or None where k rows cannot be reached from every query."""
        # a filter is called under Python's lock: further threads would only wait for each other
        threads = 1 if may is not None or len(queries) == 1 else self._threads
        try:
            rows, keys = self._index.knn_query(queries, k, threads, may)
        except RuntimeError as error:
            if _SHORT in str(error):
                return None
            raise
        return rows.view(np.int64), converted(keys, self.metric)

    def _write(self, folder: Path) -> None:
        self._index.save_index(str(folder / _FILE))

    def _read(self, folder: Path) -> None:
        self._index = self._empty()
        self._index.load_index(str(folder / _FILE))

    def _memory(self) -> int:
        return int(self._index.index_file_size())
