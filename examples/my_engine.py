"""An engine that keeps the sign of each element, after a random rotation: a 32nd of the memory of float32."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.index import Index
from imagekin.index.best import Found
from imagekin.index.rows import Mask
from imagekin.types import Vectors

ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint16)


class Signs(Index):
    """Ranks by the number of differing bits, which grows with the angle (Charikar 2002); candidates are re-ranked.

    Parameters:
        bits: of a code.
        rerank: candidates whose true distance is computed, for each hit that is wanted.
    """

    engine: ClassVar[str] = "signs"
    metrics: ClassVar[frozenset[str]] = frozenset({"cosine"})
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({"bits": 256, "rerank": 20})
    can_add: ClassVar[bool] = True

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        for name, value in self.parameters.items():
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of 1 or more, not {value!r}.")
        planes = np.random.default_rng(0).standard_normal((dim, self.parameters["bits"]))
        self._planes = planes.astype(np.float32)
        self._codes = self._code(np.empty((0, dim), np.float32))

    def _build(self) -> None:
        self._codes = self._code(np.empty((0, self.dim), np.float32))
        for start, vectors in self._blocks():
            self._append(start, vectors)

    def _append(self, start: int, vectors: Vectors) -> None:
        self._codes = np.concatenate([self._codes, self._code(vectors)])

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        differ = np.stack([ONES[self._codes ^ code].sum(axis=1) for code in self._code(queries)])  # (q, built)
        rows = np.argpartition(differ, k - 1, axis=1)[:, :k]
        return rows, np.take_along_axis(differ, rows, axis=1).astype(np.float32)

    def _rerank(self) -> int:
        return int(self.parameters["rerank"])

    def _save(self, folder: Path) -> None:
        np.save(folder / "codes.npy", self._codes)

    def _open(self, folder: Path) -> None:
        self._codes = np.load(folder / "codes.npy")

    def _memory(self) -> int:
        return self._codes.nbytes

    def _code(self, vectors: Vectors) -> NDArray[np.uint8]:
        return np.packbits(vectors @ self._planes > 0, axis=1)
