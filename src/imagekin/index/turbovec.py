"""turbovec: 2 or 4-bit codes of every row, compared one by one; rows come and go at once, filters are its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import turbovec
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.native import padded
from imagekin.index.options import RECALL, Rule, one_of, whole
from imagekin.index.rows import Mask, prepared
from imagekin.index.tuned import Tuned
from imagekin.types import Vectors

_FILE: Final = "engine.tv"
_SAMPLE: Final = 4096


class TurboVec(Tuned):
    """TurboQuant codes (Zandieh et al. 2025) scanned flat, re-ranked with the stored vectors; no euclidean.

    Parameters:
        bits: of a code's element, 4 or 2.
        rerank: candidates re-ranked for each hit; None = tuned.
        recall: share of the true 10 nearest to tune for.
    """

    engine: ClassVar[str] = "turbovec"
    metrics: ClassVar[frozenset[str]] = frozenset({"cosine", "inner"})
    knob: ClassVar[str] = ""
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({"recall": 0.99, "bits": 4, "rerank": None})
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType({"recall": RECALL, "bits": one_of(2, 4), "rerank": whole()})
    factors: ClassVar[Sequence[int]] = (1, 2, 3, 4, 6, 8, 12, 20, 40, 100)
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True
    can_filter: ClassVar[bool] = True
    filter_floor: ClassVar[float] = 0.01

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._wide = -(-dim // 8) * 8

    def _least(self) -> int:
        return 1

    def _lossy(self) -> bool:
        return True

    def _fill(self, rows: NDArray[np.int64]) -> None:
        self._index = turbovec.TurboQuantIndex(dim=self._wide, bit_width=int(self.parameters["bits"]))
        chosen = np.sort(np.random.default_rng(0).choice(rows, min(len(rows), _SAMPLE), replace=False))
        if len(chosen) == _SAMPLE:  # of few rows the library's fit is no better than what it assumes
            self._index.calibrate(padded(prepared(self._rows.gather(chosen), self.metric), self._wide))
        for some, vectors in self._pieces(rows):
            self._take(some, vectors)
        self._index.prepare()

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        self._index.add(padded(vectors, self._wide))

    def _discard(self, rows: NDArray[np.int64]) -> None:
        order = self._order
        assert order is not None
        for count, place in enumerate(self._places(rows)[::-1].tolist(), 2):
            self._index.swap_remove(place)  # the last row takes the place
            order[place] = order[-count]
        self._order = np.append(order[: len(self._index)], -1)

    def _widths(self) -> Sequence[float]:
        return (1,)

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        order = self._order
        mask = None if allowed is None or order is None else allowed[order[:-1]]
        keys, places = self._index.search(padded(queries, self._wide), min(k, len(self._index)), mask=mask)
        return places, keys

    def _write(self, folder: Path) -> None:
        self._index.write(str(folder / _FILE), durable=False)

    def _read(self, folder: Path) -> None:
        self._index = turbovec.TurboQuantIndex.load(str(folder / _FILE))

    def _memory(self) -> int:
        return len(self._index) * (self._wide * int(self.parameters["bits"]) // 8 + 16)
