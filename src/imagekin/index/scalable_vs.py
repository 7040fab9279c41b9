"""Intel's Scalable Vector Search: the Vamana graph over float32 or float16 (scalable-vs, imported as ``svs``)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import svs
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.native import of_products, once
from imagekin.index.options import RULES, Rule, one_of, whole
from imagekin.index.rows import Mask
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

_FOLDERS: Final = ("config", "graph", "data")
_MANY: Final = 1024
"""Queries from which starting a second thread, which takes over a millisecond, pays."""

_LARGEST: Final = np.finfo(np.float16).max


class ScalableVS(Tuned):
    """SVS's Vamana graph (Aguerrebere et al. 2023).

    Its LVQ and LeanVec codes, which end the process on processors that are not Intel's, are not offered.

    Parameters:
        degree: neighbours of a node.
        construction: candidates kept while building.
        codes: ``float16``: half the memory, re-ranked with the stored vectors, a fixed graph; ``float32``: a graph that
            takes and frees rows.
        ef: candidates kept while searching (SVS's window); None = tuned.
        recall: share of the true 10 nearest to tune for.
        threads: cores for building and for large batches; 0 = all.
    """

    engine: ClassVar[str] = "scalable-vs"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**COMMON, "degree": 32, "construction": 100, "codes": "float16", "ef": None}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {
            **RULES,
            "degree": whole(2, 1024),
            "construction": whole(),
            "codes": one_of("float16", "float32"),
            "ef": whole(),
        }
    )
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True
    thread_safe: ClassVar[bool] = False

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._dynamic = self.labels = bool(self.parameters["codes"] == "float32")

    def _least(self) -> int:
        return 256

    def _adds(self) -> bool:
        return self._dynamic

    def _lossy(self) -> bool:
        return not self._dynamic

    def _fill(self, rows: NDArray[np.int64]) -> None:
        vectors = np.empty((len(rows), self.dim), str(self.parameters["codes"]))
        at = 0
        for some, block in self._pieces(rows):
            # what is beyond float16 would be infinite; cut off it still leads there, and re-ranking knows better
            vectors[at : at + len(some)] = block if self._dynamic else np.clip(block, -_LARGEST, _LARGEST)
            at += len(some)
        degree, window = int(self.parameters["degree"]), int(self.parameters["construction"])
        settings = svs.VamanaBuildParameters(
            alpha=1.2 if self.metric == "euclidean" else 0.95, graph_max_degree=degree, window_size=window
        )
        if self._dynamic:
            names = rows.astype(np.uint64)
            self._index = svs.DynamicVamana.build(settings, vectors, names, self._kind(), self._threads)
        else:
            self._index = svs.Vamana.build(settings, vectors, self._kind(), num_threads=self._threads)
        self._window, self._running = 0, self._threads

    def _kind(self) -> Any:
        return svs.DistanceType.L2 if self.metric == "euclidean" else svs.DistanceType.MIP

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        self._use(0, self._threads)
        self._index.add(vectors, rows.astype(np.uint64))

    def _discard(self, rows: NDArray[np.int64]) -> None:
        if self._dynamic:
            self._index.delete(rows.astype(np.uint64))

    def _use(self, window: int, threads: int) -> None:
        """Set what differs: threads start anew each time that their number is set."""
        if threads != self._running:
            self._index.num_threads = threads
            self._running = threads
        if window and window != self._window:
            self._index.search_window_size = window
            self._window = window

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        self._use(max(int(width), k), self._threads if len(queries) >= _MANY else 1)
        # beyond the rows that are left it repeats some
        found, keys = self._index.search(queries, max(1, min(k, len(self._rows) - self._rows.dead)))
        rows = once(found.astype(np.int64))
        if rows.min() < 0:
            keys[rows < 0] = np.inf if self.metric == "euclidean" else -np.inf
        return rows, np.sqrt(np.maximum(keys, 0)) if self.metric == "euclidean" else of_products(keys, self.metric)

    def _write(self, folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            place = Path(name)
            self._index.save(*(str(place / part) for part in _FOLDERS))
            for part in _FOLDERS:
                for file in (place / part).iterdir():
                    os.replace(file, folder / f"{part}-{file.name}")

    def _read(self, folder: Path) -> None:
        kind = getattr(svs.DataType, str(self.parameters["codes"]))
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            for part in _FOLDERS:
                (place / part).mkdir()
                for file in folder.glob(f"{part}-*"):
                    (place / part / file.name.removeprefix(f"{part}-")).symlink_to(file.absolute())
            paths = [str(place / part) for part in _FOLDERS]
            parts = paths[0], svs.GraphLoader(paths[1]), svs.VectorDataLoader(paths[2], kind)
            family = svs.DynamicVamana if self._dynamic else svs.Vamana
            self._index = family(*parts, self._kind(), num_threads=1)
        self._window, self._running = 0, 1

    def _memory(self) -> int:
        size = 4 if self._dynamic else 2
        return self._built * (self.dim * size + 4 * int(self.parameters["degree"]) + 24)
