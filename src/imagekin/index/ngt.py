"""The NGT engine: Yahoo Japan's neighbourhood graph, entered through a tree."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import ngtpy
import numpy as np
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.effort import K
from imagekin.index.native import own_folder
from imagekin.index.options import EPSILON, RULES, Rule, whole
from imagekin.index.rows import Mask
from imagekin.index.silence import silenced
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

_METRICS: Final = {"cosine": "L2", "euclidean": "L2", "inner": "Inner Product"}
_LADDER: Final = (-0.1, -0.05, 0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0)


class Ngt(Tuned):
    """The graph ANNG: every row linked both ways to its neighbours at its insertion (Iwasaki, Miyazaki 2018).

    Parameters:
        edges: links made for each row when it is inserted.
        search_edges: links of a row that are followed; 0 = all.
        epsilon: how much further than the worst hit to look, as a share of its distance; None = tuned.
        recall: share of the true 10 nearest that ``epsilon`` is chosen for.
        threads: cores used for building; 0 = all.
    """

    engine: ClassVar[str] = "ngt"
    knob: ClassVar[str] = "epsilon"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**COMMON, "edges": 10, "search_edges": 40, "epsilon": None}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {**RULES, "edges": whole(1, 1000), "search_edges": whole(0, 1000), "epsilon": EPSILON}
    )
    can_add: ClassVar[bool] = True
    thread_safe: ClassVar[bool] = False  # searches of several threads disturb each other, those of its own batches too
    can_remove: ClassVar[bool] = True

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._writing = threading.Lock()

    def _lossy(self) -> bool:
        # rows of length 1 and inner products are ranked by other distances; hits get theirs from the stored vectors
        return self.metric != "euclidean"

    def _widths(self) -> Sequence[float]:
        return _LADDER

    def _grown(self, width: float, ratio: float) -> float:
        # a share of the distance to the hits, which become nearer as there are more rows
        return width + 0.02 * math.log2(ratio)

    def _fill(self, rows: NDArray[np.int64]) -> None:
        # NGT writes to the folder that it was made in and to no other
        self._home, words = own_folder(self) / "index", self.parameters
        path = str(self._home)
        edges = {"edge_size_for_creation": words["edges"], "edge_size_for_search": words["search_edges"]}
        ngtpy.create(path, self.dim, distance_type=_METRICS[self.metric], object_type="Float", **edges)
        self._index = ngtpy.Index(path, log_disabled=True)
        for some, vectors in self._pieces(rows):
            self._take(some, vectors)

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        if self.metric == "cosine":
            # a row of zeros is as far from all, not in their midst
            vectors = np.where(vectors.any(axis=1, keepdims=True), vectors, np.float32(self.dim**-0.5))
        self._index.batch_insert(vectors, num_threads=self._threads)

    def _discard(self, rows: NDArray[np.int64]) -> None:
        with silenced(2):  # it warns of the last row's removal
            for place in self._places(rows).tolist():
                self._index.remove(place)

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        # how far NGT looks depends on its worst hit: the width is tuned for ten
        reach = max(k, K)
        shape = len(queries), reach
        found, distances = np.full(shape, -1, np.int64), np.full(shape, np.inf, np.float32)
        for line, query in enumerate(queries):
            if self._lossy():
                places = self._index.search(query, reach, width, with_distance=False)
                found[line, : len(places)], distances[line, : len(places)] = places, 0
            elif hits := self._index.search(query, reach, width):
                places, keys = zip(*hits, strict=True)
                found[line, : len(hits)], distances[line, : len(hits)] = places, keys
        return found, distances

    def _write(self, folder: Path) -> None:
        with self._writing:
            for file in self._home.iterdir():
                file.unlink()  # links to the files that it was opened from, or what it saved before
            self._index.save()
            for file in self._home.iterdir():
                shutil.move(file, folder / file.name)

    def _read(self, folder: Path) -> None:
        self._home = own_folder(self) / "index"
        self._home.mkdir()
        for name in ("grp", "obj", "prf", "robj", "tre"):
            if (folder / name).exists():
                (self._home / name).symlink_to((folder / name).resolve())
        self._index = ngtpy.Index(str(self._home), log_disabled=True)

    def _memory(self) -> int:
        # objects, links of 8 bytes (both ways) with room to grow, and the tree
        return self._built * (4 * self.dim + 16 * 2 * int(self.parameters["edges"]) + 72)
