"""LoRANN: clusters whose scores are regressed at low rank, then re-ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import lorann
import numpy as np
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.effort import K
from imagekin.index.lists import Lists
from imagekin.index.native import of_negated, padded
from imagekin.index.options import RULES, Rule, one_of, whole
from imagekin.index.rows import Mask
from imagekin.index.tuned import COMMON
from imagekin.types import Vectors

_FILE: Final = "engine.lorann"
_NARROWEST: Final = 64


class Lorann(Lists):
    """LoRANN (Jääsaari, Hyvönen, Roos 2024): quick to build and to search; cannot take or free rows.

    Parameters:
        lists: clusters; None = the root of the number of rows.
        bits: of the regression matrices, 8 or 4.
        rank: of the regression matrices, 16, 32 or 64.
        nprobe: clusters visited; None = tuned.
        rerank: candidates re-ranked for each hit, by LoRANN's own float32 copy; None = tuned.
        recall: share of the true 10 nearest to tune for.
        threads: cores for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "lorann"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**COMMON, "lists": None, "bits": 8, "rank": 32, "nprobe": None, "rerank": None}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {
            **RULES,
            "lists": whole(),
            "bits": one_of(4, 8),
            "rank": one_of(16, 32, 64),
            "nprobe": whole(),
            "rerank": whole(),
        }
    )

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._wide = max(dim, _NARROWEST + int(self.parameters["rank"] == 64))

    def _least(self) -> int:
        return max(256, 4 * int(self.parameters["lists"] or 1))

    def _reduced(self) -> int | None:
        """LoRANN's own advice for the dimension that clusters are chosen in."""
        return None if self._wide < 200 else 128 if self._wide <= 1000 else 256

    def _fill(self, rows: NDArray[np.int64]) -> None:
        # LoRANN reads other types and layouts wrongly and says nothing
        index = lorann.LorannIndex(
            data=self._vectors(rows, self._wide),
            n_clusters=int(self.parameters["lists"] or math.isqrt(len(rows))),
            global_dim=self._reduced(),
            quantization_bits=int(self.parameters["bits"]),
            rank=int(self.parameters["rank"]),
            distance=lorann.L2 if self.metric == "euclidean" else lorann.IP,
        )
        index.build(n_threads=self._threads)
        self._index, self._lists = index, int(index.n_clusters)

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        candidates, threads = max(k, K) * self._now.rerank, self._threads if len(queries) > 1 else 1
        visited = self._visited(candidates, width)
        asked = padded(queries, self._wide)
        found, keys = self._index.search(asked, k, visited, candidates, return_distances=True, n_threads=threads)
        if self.metric == "euclidean":
            return found.astype(np.int64), np.sqrt(np.maximum(keys, 0), dtype=np.float32)
        return found.astype(np.int64), of_negated(keys, self.metric)

    def _write(self, folder: Path) -> None:
        self._index.save(str(folder / _FILE))

    def _read(self, folder: Path) -> None:
        self._index = lorann.LorannIndex.load(str(folder / _FILE))
        self._lists = int(self._index.n_clusters)

    def _memory(self) -> int:
        matrices = 2 * self._lists * (self._reduced() or self._wide) * int(self.parameters["rank"])
        codes = self._built * int(self.parameters["rank"])
        return 4 * self._built * self._wide + int(matrices + codes) * int(self.parameters["bits"]) // 8
