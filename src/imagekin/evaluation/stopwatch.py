"""How long a search takes with whole and with shorter vectors: real queries, in turns, within one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.evaluation.labelled import Labelled
from imagekin.index.exact import Exact
from imagekin.reduce.base import LinearReducer
from imagekin.types import Vectors

HITS: Final = 10

_ROUNDS: Final = 100
_LEAST: Final = 5
_SECONDS: Final = 2.0
"""After which no further round begins, once there were ``_LEAST``: a search of a million whole vectors takes long."""

_WARM: Final = 3

_TOGETHER: Final = 8
"""Numbers of half precision that a processor takes at a time; what is left over costs several times as much."""


class Stopwatch:
    """Times one search by the exact engine at each length, each time next to one with the whole vectors.

    Args:
        data: whose queries ask, drawn at random, and whose searched rows are searched.
        seed: of the draw.
    """

    def __init__(self, data: Labelled, seed: int) -> None:
        self._data = data
        random = np.random.default_rng(seed)
        asking = random.permutation(data.asking)[:_ROUNDS]
        self._queries: Vectors = np.ascontiguousarray(data.vectors[asking], np.float32)
        self._whole = self._engine(data.vectors, data.metric)
        self._seconds: list[NDArray[np.float64]] = []
        self._bytes = [data.vectors.itemsize * data.vectors.shape[1]]
        self.dims: list[int] = []

    def time(self, vectors: NDArray[Any], reducer: LinearReducer) -> None:
        """Time searches among *vectors*, which *reducer* made of the whole ones, and among those, in turns."""
        engine, normalise = self._engine(_padded(vectors), "euclidean"), self._data.metric == "cosine"

        def short(query: Vectors) -> None:
            unit = query / np.linalg.norm(query) if normalise and query.any() else query
            engine.search(_padded(reducer.transform(unit[None])), HITS)

        def whole(query: Vectors) -> None:
            self._whole.search(query, HITS)

        for query in self._queries[:_WARM]:
            whole(query)
            short(query)
        self._seconds.append(_rounds((whole, short), self._queries))
        self._bytes.append(vectors.itemsize * vectors.shape[1])
        self.dims.append(vectors.shape[1])

    def told(self, at: int) -> tuple[int, float, float]:
        """Bytes of a vector, milliseconds of a search and how many times quicker that is; 0 is the whole vectors."""
        if not at:
            return self._bytes[0], 1e3 * float(np.median(np.concatenate(self._seconds)[:, 0])), 1.0
        seconds = self._seconds[at - 1]
        return self._bytes[at], 1e3 * float(np.median(seconds[:, 1])), float(np.median(seconds[:, 0] / seconds[:, 1]))

    def _engine(self, vectors: NDArray[Any], metric: str) -> Exact:
        rows = vectors.view() if self._data.searched is None else vectors[self._data.searched]
        rows.flags.writeable = False  # so that the engine holds them without a copy
        engine = Exact(vectors.shape[1], metric)
        engine.build(np.arange(len(rows)), rows, checked=True)
        return engine


def _padded(vectors: NDArray[Any]) -> NDArray[Any]:
    """Zeros behind vectors, which change no euclidean distance, up to a whole number of ``_TOGETHER``."""
    return np.pad(vectors, ((0, 0), (0, -vectors.shape[1] % _TOGETHER)))


def _rounds(contestants: tuple[Callable[[Vectors], None], ...], queries: Vectors) -> NDArray[np.float64]:
    """Seconds of each contestant with each query, ``(rounds, contestants)``; they take turns at being first."""
    rows: list[list[float]] = []
    end = time.perf_counter() + _SECONDS
    for number, query in enumerate(queries):
        if number >= _LEAST and time.perf_counter() > end:
            break
        row = [0.0] * len(contestants)
        for turn in range(len(contestants)):
            which = (number + turn) % len(contestants)
            start = time.perf_counter()
            contestants[which](query)
            row[which] = time.perf_counter() - start
        rows.append(row)
    return np.array(rows)
