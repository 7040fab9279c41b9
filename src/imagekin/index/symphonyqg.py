"""SymphonyQG: a graph whose nodes carry 1-bit codes of their neighbours beside the vectors (RaBitQ library)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import rabitqlib
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.native import converted, padded
from imagekin.index.options import RULES, Rule, one_of, whole
from imagekin.index.rows import Mask
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

_FILE: Final = "engine.symphonyqg"
_SHORT: Final = "could not produce k"
_NARROWEST: Final = 64
"""Elements that the library's rotation needs; shorter vectors are padded with zeros."""


class SymphonyQG(Tuned):
    """SymphonyQG (Gou, Gao, Xu, Long 2025): fast and exact in its distances, 2.4 times the memory of the vectors.

    It cannot take or free rows: those added wait in the tail, those removed are flags, until ``rebuild``.

    Parameters:
        degree: neighbours of a node, a multiple of 32.
        construction: candidates kept while building.
        bits: 0 keeps float32 vectors, 8 or 4 keep codes of so many bits, re-ranked with the stored vectors.
        ef: candidates kept while searching; None = tuned.
        rerank: candidates re-ranked for each hit where codes are kept; None = tuned.
        recall: share of the true 10 nearest to tune for.
        threads: cores for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "symphonyqg"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**COMMON, "degree": 32, "construction": 200, "bits": 0, "ef": None, "rerank": None}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {
            **RULES,
            "degree": one_of(32, 64, 96, 128),
            "construction": whole(),
            "bits": one_of(0, 4, 8),
            "ef": whole(),
            "rerank": whole(),
        }
    )
    factors: ClassVar[Sequence[int]] = (1, 2, 4, 10)

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._wide = max(dim, _NARROWEST)

    def _least(self) -> int:
        return 4 * int(self.parameters["degree"])

    def _lossy(self) -> bool:
        return bool(self.parameters["bits"])

    def _fill(self, rows: NDArray[np.int64]) -> None:
        metric = "l2" if self.metric == "euclidean" else "ip"
        degree, bits = int(self.parameters["degree"]), int(self.parameters["bits"])
        self._index = rabitqlib.SymqgIndex(self._wide, degree, metric, bits)
        vectors = self._vectors(rows, self._wide)
        self._index.build(vectors, int(self.parameters["construction"]), num_threads=self._threads)

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        asked = padded(queries, self._wide)
        threads = self._threads if len(asked) > 1 else 1
        try:
            found, keys = self._index.search_batch(asked, k, max(int(width), k), threads)
        except RuntimeError as error:
            if _SHORT not in str(error):
                raise
            # k rows cannot be reached; the caller answers the queries that find none
            if len(queries) == 1:
                return np.full((1, k), -1, np.int64), np.full((1, k), np.inf, np.float32)
            lines = [self._ask(query[None], k, width, allowed) for query in queries]
            return np.concatenate([line[0] for line in lines]), np.concatenate([line[1] for line in lines])
        return found.astype(np.int64), converted(keys, self.metric)

    def _write(self, folder: Path) -> None:
        self._index.save(str(folder / _FILE))

    def _read(self, folder: Path) -> None:
        self._index = rabitqlib.SymqgIndex.load(str(folder / _FILE))

    def _memory(self) -> int:
        degree, bits = int(self.parameters["degree"]), int(self.parameters["bits"]) or 32
        wide = -(-self._wide // 64) * 64
        return self._built * (wide * bits // 8 + degree * (wide // 8 + 12))
