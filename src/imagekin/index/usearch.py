"""The USearch engine: an HNSW graph over elements of 32, 16 or 8 bits, mapped from its file when it is opened."""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.index.best import Found
from imagekin.index.native import converted
from imagekin.index.options import RULES, Rule, one_of, whole
from imagekin.index.rows import Mask
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

if sys.platform == "linux":
    # USearch loads a library that holds parts of the C++ library into everybody's view, and what is loaded later would
    # take these for its own: NMSLIB and NGT then raise, LoRANN and SVS misread files, ScaNN ends the process
    with suppress(OSError):
        ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)
usearch: Any = importlib.import_module("usearch.index")

_FILE: Final = "graph.usearch"
_HALF: Final = 65504.0
"""Largest finite float16."""


class USearch(Tuned):
    """HNSW (Malkov, Yashunin 2018) by USearch; codes below 32 bits are re-ranked by the stored vectors.

    An opened index is mapped, not read: further rows wait in the tail, removed ones as flags, until ``rebuild``.

    Parameters:
        M: links of a row (USearch: connectivity); twice as many in the lowest layer.
        ef_construction: candidates kept while a row is added (expansion_add).
        ef: candidates kept while searching (expansion_search); None = tuned.
        dtype: ``f32``, ``f16``, ``bf16`` or, under cosine, ``i8``.
        recall: share of the true 10 nearest that ``ef`` is chosen for.
        threads: cores used for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "usearch"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**COMMON, "M": 16, "ef_construction": 128, "ef": None, "dtype": "f16"}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {
            **RULES,
            "M": whole(2, 1024),
            "ef_construction": whole(),
            "ef": whole(),
            "dtype": one_of("f32", "f16", "bf16", "i8"),
        }
    )
    factors: ClassVar[Sequence[int]] = (1, 2, 4, 8, 16)
    labels: bool = True
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True
    can_mmap: ClassVar[bool] = True

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._half, self._mapped = self.parameters["dtype"] == "f16" and metric != "cosine", False
        if self.parameters["dtype"] == "i8" and metric != "cosine":
            raise InputError(f"usearch's dtype i8 holds -1 to 1, so it needs the metric cosine, not {metric!r}.")

    def _lossy(self) -> bool:
        return bool(self.parameters["dtype"] != "f32")

    def _adds(self) -> bool:
        return not self._mapped

    def _build(self) -> None:
        self._mapped = False
        super()._build()

    def _empty(self) -> Any:
        words = self.parameters
        kind = "l2sq" if self.metric == "euclidean" else "cos" if words["dtype"] == "i8" else "ip"
        expansion = {"connectivity": words["M"], "expansion_add": words["ef_construction"]}
        return usearch.Index(ndim=self.dim, metric=kind, dtype=words["dtype"], **expansion)

    def _fill(self, rows: NDArray[np.int64]) -> None:
        self._index = self._empty()
        for some, vectors in self._pieces(rows):
            self._take(some, vectors)

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        self._index.add(rows, np.clip(vectors, -_HALF, _HALF) if self._half else vectors, threads=self._threads)

    def _discard(self, rows: NDArray[np.int64]) -> None:
        if not self._mapped:
            self._index.remove(rows)

    def _tell(self, width: float) -> None:
        self._told = int(width)
        self._index.expansion_search = self._told

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        # the breadth is one setting for all threads; asking for more hits is a wider search too
        reach = k if width <= self._told else max(k, int(width))
        if self._half:
            queries = np.clip(queries, -_HALF, _HALF)
        matches = self._index.search(queries, reach, threads=1 if len(queries) == 1 else self._threads)
        rows, keys = matches.keys.view(np.int64), matches.distances
        if len(queries) > 1:
            # lines that are shorter than the others end in what was never written
            short = np.arange(rows.shape[1]) >= np.asarray(matches.counts)[:, None]
            rows[short], keys[short] = -1, 1
            converted(keys, self.metric)[short] = np.inf
            return rows[:, :k], keys[:, :k]
        converted(keys, self.metric)
        if len(rows) >= k:
            return rows[None, :k], keys[None, :k]
        found, distances = np.full((1, k), -1, np.int64), np.full((1, k), np.inf, np.float32)
        found[0, : len(rows)], distances[0, : len(keys)] = rows[:k], keys[:k]
        return found, distances

    def _write(self, folder: Path) -> None:
        self._index.save(str(folder / _FILE))

    def _read(self, folder: Path) -> None:
        self._index, self._mapped = self._empty(), True
        self._index.view(str(folder / _FILE))

    def _memory(self) -> int:
        return 0 if self._mapped else int(self._index.memory_usage)
