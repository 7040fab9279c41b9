"""The Voyager engine: Spotify's HNSW graph, with vectors of 32 or 8 bits an element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import voyager
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.index.best import Found, lengths
from imagekin.index.native import converted
from imagekin.index.options import RULES, Rule, one_of, whole
from imagekin.index.rows import Mask
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

_FILE: Final = "graph.voyager"
_SCALE: Final = "scale.npy"
_LONGEST: Final = np.float32(440)
_TINY: Final = 1e-30

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
        {**COMMON, "M": 12, "ef_construction": 200, "ef": None, "dtype": "f32"}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {**RULES, "M": whole(2, 1024), "ef_construction": whole(), "ef": whole(), "dtype": one_of(*_DTYPES)}
    )
    factors: ClassVar[Sequence[int]] = (1, 2, 4, 8, 16)
    labels: bool = True
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._scaled, self._scale = metric != "cosine" and self.parameters["dtype"] == "e4m3", np.float32(1)
        if self.parameters["dtype"] == "f8" and metric != "cosine":
            raise InputError(f"voyager's dtype f8 holds -1 to 1, so it needs the metric cosine, not {metric!r}.")

    def _lossy(self) -> bool:
        return bool(self.parameters["dtype"] != "f32")

    def _coded(self, vectors: Vectors) -> Vectors:
        """Elements as they can be stored: 8-bit floats end at 448, and hits get their distances from the rows."""
        if not self._scaled:
            return vectors
        scaled = vectors * self._scale
        shorter: Vectors = scaled * np.minimum(1, _LONGEST / np.maximum(lengths(scaled), _TINY))[:, None]
        return shorter

    def _fill(self, rows: NDArray[np.int64]) -> None:
        self._index = voyager.Index(
            voyager.Space.Euclidean if self.metric == "euclidean" else voyager.Space.InnerProduct,
            self.dim,
            M=self.parameters["M"],
            ef_construction=self.parameters["ef_construction"],
            max_elements=len(self._rows),
            storage_data_type=getattr(voyager.StorageDataType, _DTYPES[self.parameters["dtype"]]),
        )
        if self._scaled:
            longest = max(float(lengths(vectors).max()) for _, vectors in self._pieces(rows))
            self._scale = np.float32(_LONGEST / max(longest, _TINY))
        for some, vectors in self._pieces(rows):
            self._take(some, vectors)

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        # Voyager stores arrays of another layout wrongly and says nothing
        ready = np.ascontiguousarray(self._coded(vectors), np.float32)
        self._index.add_items(ready, rows.tolist(), num_threads=self._threads)

    def _discard(self, rows: NDArray[np.int64]) -> None:
        for row in rows.tolist():
            self._index.mark_deleted(row)

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        breadth, many = max(int(width), k), len(queries) > 1
        try:
            rows, keys = self._index.query(self._coded(queries), k, self._threads if many else 1, breadth)
        except voyager.RecallError:
            if many:
                lines = [self._ask(query[None], k, width, allowed) for query in queries]
                return np.concatenate([line[0] for line in lines]), np.concatenate([line[1] for line in lines])
            # k rows cannot be reached from here; the caller answers
            return np.full((1, k), -1, np.int64), np.full((1, k), np.inf, np.float32)
        return rows.view(np.int64), converted(keys, self.metric)

    def _write(self, folder: Path) -> None:
        self._index.save(str(folder / _FILE))
        np.save(folder / _SCALE, self._scale)

    def _read(self, folder: Path) -> None:
        self._index, self._scale = voyager.Index.load(str(folder / _FILE)), np.load(folder / _SCALE)

    def _memory(self) -> int:
        # a row: its vector, links of the lowest layer with their count, label and lock; upper layers add a few per cent
        element, links = 4 if self.parameters["dtype"] == "f32" else 1, int(self.parameters["M"])
        return (element * self.dim + 4 * (2 * links + 1) + 56 + links // 2) * int(self._index.max_elements)
