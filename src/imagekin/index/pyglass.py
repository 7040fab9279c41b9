"""Glass: an HNSW graph over short codes (pyglass-portable, imported as ``glass``)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import glass
import numpy as np
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.native import once, own_folder
from imagekin.index.options import RULES, Rule, one_of, whole
from imagekin.index.rows import Mask
from imagekin.index.silence import silenced
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

_FILE: Final = "engine.glass"
_BITS: Final = MappingProxyType({"FP32": 32, "FP16": 16, "BF16": 16, "SQ8U": 8})


class PyGlass(Tuned):
    """Glass (Wang, Zilliz).  It cannot take or free rows, and its searcher serves one thread at a time.

    Its file holds the graph alone: opening encodes the stored vectors anew.

    Parameters:
        degree: neighbours of a node.
        construction: candidates kept while building.
        codes: ``SQ8U``, ``FP16``, ``BF16`` or ``FP32``; hits are re-ranked with the stored vectors.
        ef: candidates kept while searching; None = tuned.
        rerank: candidates re-ranked for each hit; None = tuned.
        recall: share of the true 10 nearest to tune for.
        threads: cores for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "pyglass-portable"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**COMMON, "degree": 32, "construction": 200, "codes": "SQ8U", "ef": None, "rerank": None}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {
            **RULES,
            "degree": whole(2, 1024),
            "construction": whole(),
            "codes": one_of(*_BITS),
            "ef": whole(),
            "rerank": whole(),
        }
    )
    factors: ClassVar[Sequence[int]] = (1, 2, 4, 8, 16)
    thread_safe: ClassVar[bool] = False

    def _least(self) -> int:
        return 256

    def _lossy(self) -> bool:
        return True

    def _kind(self) -> str:
        return "L2" if self.metric == "euclidean" else "IP"

    def _fill(self, rows: NDArray[np.int64]) -> None:
        vectors, codes = self._vectors(rows), str(self.parameters["codes"])
        degree, construction = int(self.parameters["degree"]), int(self.parameters["construction"])
        with silenced(1):
            glass.set_num_threads(self._threads)
            graph = glass.Index("HNSW", self._kind(), codes, degree, construction).build(vectors)
            # the searcher takes the graph away, and what is saved afterwards is empty
            self._graph = own_folder(self) / _FILE
            graph.save(str(self._graph))
        self._serve(graph, vectors)

    def _serve(self, graph: Any, vectors: Vectors) -> None:
        with silenced(1):
            self._index = glass.Searcher(graph, vectors, self._kind(), str(self.parameters["codes"]))
        self._ef = 0

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        ef = max(int(width), k)
        if ef != self._ef:
            self._index.set_ef(ef)
            self._ef = ef
        if len(queries) == 1:
            found, keys = self._index.search(queries[0], k)
            return once(found[None].astype(np.int64)), keys[None]
        found, keys = self._index.batch_search(queries, k, self._threads)
        return once(found.astype(np.int64)), keys

    def _write(self, folder: Path) -> None:
        shutil.copyfile(self._graph, folder / _FILE)

    def _read(self, folder: Path) -> None:
        # its own copy: the folder may be replaced or deleted while this index lives
        self._graph = own_folder(self) / _FILE
        shutil.copyfile(folder / _FILE, self._graph)
        with silenced(1):
            graph = glass.Graph(str(self._graph), "glass")
        self._serve(graph, self._vectors(np.arange(self._built)))

    def _memory(self) -> int:
        return self._built * (self.dim * _BITS[str(self.parameters["codes"])] // 8 + 4 * int(self.parameters["degree"]))
