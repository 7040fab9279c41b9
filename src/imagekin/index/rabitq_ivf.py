"""RaBitQ codes in inverted lists (RaBitQ library): little memory, rows come and go."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import rabitqlib
from numpy.typing import NDArray

from imagekin.index.best import Found, lengths
from imagekin.index.lists import Lists
from imagekin.index.native import padded
from imagekin.index.options import RULES, Rule, one_of, whole
from imagekin.index.rows import Mask, prepared
from imagekin.index.tuned import COMMON
from imagekin.types import Vectors

_FILE: Final = "engine.rabitq"
_SCALE: Final = "scale.npy"
_TINY: Final = 1e-30
_NARROWEST: Final = 64
_TRAINING: Final = 128
"""Rows of a list to train on; the clustering library asks for about 40."""


class RaBitQIVF(Lists):
    """RaBitQ-IVF (Gao et al. 2025): lists of codes of 1 to 9 bits an element, re-ranked with the stored vectors.

    Parameters:
        bits: of a code's element.
        lists: clusters; None = about four times the root of the number of rows.
        nprobe: lists visited; None = tuned.
        rerank: candidates re-ranked for each hit; None = tuned.
        recall: share of the true 10 nearest to tune for.
        threads: cores for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "rabitq-ivf"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**COMMON, "bits": 7, "lists": None, "nprobe": None, "rerank": None}
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {**RULES, "bits": one_of(*range(1, 10)), "lists": whole(), "nprobe": whole(), "rerank": whole()}
    )
    factors: ClassVar[Sequence[int]] = (1, 2, 3, 5, 10, 20, 50)
    room: ClassVar[int] = 2
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._wide, self._scale = max(dim, _NARROWEST), np.float32(1)

    def _least(self) -> int:
        return max(256, 40 * int(self.parameters["lists"] or 1))

    def _lossy(self) -> bool:
        return True

    def _fill(self, rows: NDArray[np.int64]) -> None:
        count, bits = len(rows), int(self.parameters["bits"])
        lists = int(self.parameters["lists"] or max(1, min(4 * math.isqrt(count), count // 40)))
        # the library counts rows as they come: those that it is trained on first
        chosen = np.zeros(count, np.bool_)
        chosen[np.random.default_rng(0).choice(count, min(count, max(16384, _TRAINING * lists)), replace=False)] = True
        sample = rows[chosen]
        self._order = np.concatenate([sample, rows[~chosen], [-1]])
        # coordinates have a bound; hits get their distances from the stored rows
        longest = 1.0 if self.metric == "cosine" else max(float(lengths(part).max()) for _, part in self._pieces(rows))
        self._scale = np.float32(1 / max(longest, _TINY))
        trained = self._coded(prepared(self._rows.gather(sample), self.metric))
        clusters = rabitqlib.RaBitQKMeans(self._wide, lists, num_threads=self._threads, seed=0)
        clusters.train(trained)
        metric = "l2" if self.metric == "euclidean" else "ip"
        self._index, self._lists = rabitqlib.IvfIndex(self._wide, len(sample), lists, bits, metric), lists
        self._index.build(trained, clusters.centroids, clusters.assignments, self._threads)
        for some, vectors in self._pieces(rows[~chosen]):
            self._take(some, vectors)

    def _coded(self, vectors: Vectors) -> Vectors:
        return padded(vectors if self.metric == "cosine" else vectors * self._scale, self._wide)

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        self._index.add(self._coded(vectors), num_threads=self._threads)

    def _discard(self, rows: NDArray[np.int64]) -> None:
        self._index.remove(self._places(rows).astype(np.uint32))

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        asked = self._coded(queries)
        visited = self._visited(k, width)
        within = min(k, self._index.num_points)
        found, keys = self._index.search(asked, within, visited, num_threads=self._threads if len(asked) > 1 else 1)
        # the library pads with its largest number, which is −1 when it has a sign
        return found.view(np.int32), keys

    def _write(self, folder: Path) -> None:
        self._index.save(str(folder / _FILE))
        np.save(folder / _SCALE, self._scale)

    def _read(self, folder: Path) -> None:
        self._index, self._scale = rabitqlib.IvfIndex.load(str(folder / _FILE)), np.load(folder / _SCALE)
        self._lists = int(self._index.num_clusters)

    def _memory(self) -> int:
        row = self._wide * int(self.parameters["bits"]) // 8 + 36
        return row * self._built + 4 * self._wide * self._lists
