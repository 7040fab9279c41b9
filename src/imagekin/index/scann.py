"""ScaNN: a tree of lists, 4-bit codes that favour what matters to the product, and its own re-ranking."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import scann.scann_ops.py.scann_ops_pybind as library
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.effort import K
from imagekin.index.lists import Lists
from imagekin.index.native import of_products
from imagekin.index.options import RULES, Rule, between, whole
from imagekin.index.rows import Mask
from imagekin.index.silence import silenced
from imagekin.index.tuned import COMMON
from imagekin.types import Vectors

_BATCH: Final = 256


class Scann(Lists):
    """ScaNN (Guo et al. 2020).  It holds the vectors as float32 for its re-ranking; Linux only.

    Parameters:
        lists: leaves of the tree; None = the root of the number of rows.
        block: elements that share a 4-bit code.
        threshold: anisotropic threshold (cosine and inner).
        nprobe: leaves visited; None = tuned.
        rerank: candidates re-ranked for each hit, by ScaNN; None = tuned.
        recall: share of the true 10 nearest to tune for.
        threads: cores for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "scann"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**COMMON, "lists": None, "block": 2, "threshold": 0.2, "nprobe": None, "rerank": None}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {
            **RULES,
            "lists": whole(),
            "block": whole(1, 64),
            "threshold": between(-1, 1),
            "nprobe": whole(),
            "rerank": whole(),
        }
    )
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True

    def _least(self) -> int:
        return max(256, 4 * int(self.parameters["lists"] or 1))

    def _rerank(self) -> int:
        # its sums differ in the last digit with where its memory lies, so hits get their distances from the stored rows
        return 0 if self._now.hopeless else 1

    def _fill(self, rows: NDArray[np.int64]) -> None:
        vectors = self._vectors(rows)
        self._lists = int(self.parameters["lists"] or math.isqrt(len(rows)))
        measure = "squared_l2" if self.metric == "euclidean" else "dot_product"
        threshold = float("nan") if self.metric == "euclidean" else float(self.parameters["threshold"])
        builder = library.builder(vectors, K, measure).set_n_training_threads(self._threads)
        builder = builder.tree(self._lists, 1, training_sample_size=min(len(vectors), 256 * self._lists + 16384))
        builder = builder.score_ah(int(self.parameters["block"]), anisotropic_quantization_threshold=threshold)
        with silenced(2):
            self._index = builder.reorder(10 * K).build().searcher
        self._index.set_num_threads(self._threads)

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        with silenced(2):
            self._index.upsert([None] * len(vectors), vectors, len(vectors))

    def _discard(self, rows: NDArray[np.int64]) -> None:
        places = self._places(rows)[::-1]  # from behind, so that none of them is moved before its turn
        order = self._order
        assert order is not None
        last = len(order) - 1
        for place in places:
            last -= 1
            order[place] = order[last]  # as ScaNN does: the last row takes the place
        self._index.delete(places.tolist())
        self._order = np.append(order[:last], -1)

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        candidates, within = max(k, K) * self._now.rerank, min(k, len(self._rows) - self._rows.dead)
        visited = self._visited(candidates, width)
        many = len(queries) > 1 and self._threads > 1
        found, keys = self._index.search_batched(queries, within, candidates, visited, many, _BATCH)
        # a line that is short ends in row 0 at NaN
        rows = np.where(np.isnan(keys), np.int64(-1), found)
        return rows, np.sqrt(np.maximum(keys, 0)) if self.metric == "euclidean" else of_products(keys, self.metric)

    def _write(self, folder: Path) -> None:
        with silenced(2):
            self._index.serialize(str(folder), True)

    def _read(self, folder: Path) -> None:
        with silenced(2):
            self._index = library.load_searcher(str(folder)).searcher
        self._index.set_num_threads(self._threads)
        self._lists = int(self.parameters["lists"] or math.isqrt(self.tuned.count))

    def _memory(self) -> int:
        codes = -(-self.dim // int(self.parameters["block"])) // 2
        return self._built * (4 * self.dim + codes + 12)
