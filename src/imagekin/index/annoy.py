"""The Annoy engine: a forest of random splits, mapped from its file when it is opened."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import annoy
import numpy as np
from numpy.typing import NDArray

from imagekin.index.best import Found
from imagekin.index.effort import ladder
from imagekin.index.native import linked, own_folder
from imagekin.index.options import RULES, Rule, whole
from imagekin.index.rows import Mask
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

_FILE: Final = "forest.annoy"
_METRICS: Final[dict[str, Any]] = {"cosine": "angular", "euclidean": "euclidean", "inner": "dot"}
_SEED: Final = 7


class Annoy(Tuned):
    """Trees that split the rows by the plane between two of them, searched together by one queue (Bernhardsson 2015).

    A forest takes no rows after it is built.

    Parameters:
        trees: more find more and take more room.
        search_k: candidates gathered from all trees; None = tuned.
        recall: share of the true 10 nearest that ``search_k`` is chosen for.
        threads: cores used for building and for batches; 0 = all.
    """

    engine: ClassVar[str] = "annoy"
    knob: ClassVar[str] = "search_k"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({**COMMON, "trees": 50, "search_k": None})
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {**RULES, "trees": whole(1, 10_000), "search_k": whole(1, 1 << 30)}
    )
    can_mmap: ClassVar[bool] = True

    def _fill(self, rows: NDArray[np.int64]) -> None:
        self._index = self._empty()
        self._index.set_seed(_SEED)
        for _, vectors in self._pieces(rows):
            # its numbers must leave no gap: a row that is left out would be found as a vector of zeros
            for place, vector in enumerate(vectors.tolist(), start=self._index.get_n_items()):
                self._index.add_item(place, vector)
        self._index.build(self.parameters["trees"], n_jobs=self._threads)
        # Annoy maps what it saves and frees its memory, which no search may be reading: it is saved now and never again
        self._file = own_folder(self) / _FILE
        self._index.save(str(self._file))

    def _empty(self) -> Any:
        return annoy.AnnoyIndex(self.dim, _METRICS[self.metric])

    def _widths(self) -> Sequence[float]:
        return ladder(100, max(100, len(self._rows) * int(self.parameters["trees"])))

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        ask = partial(self._index.get_nns_by_vector, n=k, search_k=max(k, int(width)), include_distances=True)
        if len(queries) == 1 or self._threads == 1:
            lines = [ask(query) for query in queries.tolist()]
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                lines = list(pool.map(lambda query: ask(query.tolist()), queries))
        if all(len(rows) == k for rows, _ in lines):
            found, keys = np.array([rows for rows, _ in lines]), np.array([keys for _, keys in lines], np.float32)
        else:
            found, keys = np.full((len(lines), k), -1, np.int64), np.full((len(lines), k), np.inf, np.float32)
            for line, (rows, distances) in enumerate(lines):
                found[line, : len(rows)], keys[line, : len(rows)] = rows, distances
        if self.metric == "cosine":
            return found, keys * keys / np.float32(2)  # Annoy says √(2 − 2 cos)
        if self.metric == "inner":
            keys[found >= 0] *= -1  # it says ⟨q, x⟩
        return found, keys

    def _write(self, folder: Path) -> None:
        shutil.copyfile(self._file, folder / _FILE)

    def _read(self, folder: Path) -> None:
        self._index, self._file = self._empty(), linked(self, folder / _FILE)
        self._index.load(str(self._file))
