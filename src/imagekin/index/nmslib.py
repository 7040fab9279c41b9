"""The NMSLIB engine: the first implementation of HNSW."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.gate import Gate
from imagekin.index.native import converted, linked
from imagekin.index.options import RULES, Rule, whole
from imagekin.index.rows import Mask
from imagekin.index.silence import silenced
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

with silenced(2):  # it advises to compile it anew
    import nmslib

_FILE: Final = "graph.nmslib"
_SPACES: Final = {"cosine": "cosinesimil", "euclidean": "l2", "inner": "negdotprod"}


class Nmslib(Tuned):
    """HNSW (Malkov, Yashunin 2018) by NMSLIB, which takes no rows after it is built.

    Parameters:
        M: links of a row; twice as many in the lowest layer.
        ef_construction: candidates kept while a row is added.
        ef: candidates kept while searching; None = tuned.
        recall: share of the true 10 nearest that ``ef`` is chosen for.
        threads: cores used for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "nmslib"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({**COMMON, "M": 16, "ef_construction": 200, "ef": None})
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {**RULES, "M": whole(2, 1024), "ef_construction": whole(), "ef": whole()}
    )
    labels: bool = True

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._breadth = Gate()
        self._file: Path | None = None

    def _empty(self) -> Any:
        return nmslib.init(method="hnsw", space=_SPACES[self.metric], data_type=nmslib.DataType.DENSE_VECTOR)

    def _fill(self, rows: NDArray[np.int64]) -> None:
        self._index, self._file, words = self._empty(), None, self.parameters
        for some, vectors in self._pieces(rows):
            self._index.addDataPointBatch(vectors, some.astype(np.int32))
        settings = {"M": words["M"], "efConstruction": words["ef_construction"], "indexThreadQty": self._threads}
        self._index.createIndex({**settings, "post": 0}, print_progress=False)

    def _tell(self, width: float) -> None:
        self._told = int(width)
        self._set(self._told)

    def _set(self, breadth: int) -> None:
        self._index.setQueryTimeParams({"efSearch": breadth})

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        reach = max(k, int(width))
        if reach <= self._told:
            with self._breadth:
                return self._query(queries, k)
        # NMSLIB returns no more rows than its breadth, which is one setting for all threads
        with self._breadth.alone:
            self._set(reach)
            found = self._query(queries, k)
            self._set(self._told)
            return found

    def _query(self, queries: Vectors, k: int) -> Found:
        if len(queries) == 1:
            rows, keys = self._index.knnQuery(queries[0], k)
            if len(rows) == k:
                return rows.astype(np.int64)[None], self._distances(keys[None])
            lines = [(rows, keys)]
        else:
            lines = self._index.knnQueryBatch(queries, k, num_threads=self._threads)
        if all(len(rows) == k for rows, _ in lines):
            rows, keys = (np.concatenate([line[side] for line in lines]).reshape(-1, k) for side in (0, 1))
            return rows.astype(np.int64), self._distances(keys)
        # fewer rows can be reached than there are
        found, distances = np.full((len(lines), k), -1, np.int64), np.full((len(lines), k), np.inf, np.float32)
        for line, (rows, keys) in enumerate(lines):
            found[line, : len(rows)], distances[line, : len(rows)] = rows[:k], self._distances(keys[:k])
        return found, distances

    def _distances(self, keys: NDArray[np.float32]) -> NDArray[np.float32]:
        """NMSLIB says ‖q − x‖² for ``l2``, 1 − cos and −⟨q, x⟩ for the others."""
        if self.metric == "inner":
            return keys
        return converted(keys, self.metric)

    def _write(self, folder: Path) -> None:
        if self._file is None:
            self._index.saveIndex(str(folder / _FILE), save_data=True)
            return
        # what was loaded cannot be saved: NMSLIB would write it without its vectors, or end the process
        for name in (_FILE, f"{_FILE}.dat"):
            shutil.copyfile(self._file.with_name(name), folder / name)

    def _read(self, folder: Path) -> None:
        self._index, self._file = self._empty(), linked(self, folder / _FILE, folder / f"{_FILE}.dat")
        self._index.loadIndex(str(folder / _FILE), load_data=True)

    def _memory(self) -> int:
        # it keeps every vector twice: as it came, and in the graph beside the links
        return self._built * (8 * self.dim + 4 * (2 * int(self.parameters["M"]) + 1) + 48)
