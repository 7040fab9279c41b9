"""Exact search over rows: blocked, on all cores, and correct to the last tie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.index import halves
from imagekin.index.best import Best, Found, Task, lengths, merged, rescored
from imagekin.index.rows import BLOCK, Mask, Rows, Stored, widen
from imagekin.index.workers import CORES, each, ranges
from imagekin.types import Vectors

_STRETCH: Final = 8192
"""Rows whose keys are ranked at a time."""

_BLOCK: Final = 1 << 22
"""Elements of a product: 16 MB of float32, small enough for the last cache, large enough for BLAS's threads."""

_BATCH: Final = 256
"""Queries at a time, so that keys of a stretch take 8 MB."""

_PARALLEL: Final = 1 << 20
"""Elements from which a second core pays for its wake-up, in the scan by NumPy."""

_PARALLEL_HALVES: Final = 1 << 25
"""Likewise in the scan by FAISS: 100,000 x 1280 takes 5.6 ms on two cores, 9.2 on one; 8,677 x 1280 gains nothing."""


def nearest(rows: Rows, queries: Vectors, k: int, metric: str, *, start: int = 0, allowed: Mask | None = None) -> Found:
    """The k nearest live rows from row *start* on, ascending by (distance, id).

    Args:
        rows: what to search.
        queries: ``(q, dim)`` float32, finite.
        k: ≥ 1.
        metric: of ``distance.py``.
        start: rows before this one are not looked at.
        allowed: ``(n,)`` flags; only these rows may be returned.
    """
    task = Task(rows, queries, k, metric, start, _wanted(rows, start, allowed))
    if len(queries) <= _BATCH:
        return _nearest(task)
    parts = [_nearest(replace(task, queries=queries[at : at + _BATCH])) for at in range(0, len(queries), _BATCH)]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _wanted(rows: Rows, start: int, allowed: Mask | None) -> Mask | None:
    """Flags of the rows to look at, or None for every row from *start* on."""
    if allowed is None:
        return rows.live if rows.dead and not rows.live[start:].all() else None
    return allowed & rows.live


def _nearest(task: Task) -> Found:
    rows, start = task.rows, task.start
    if task.wanted is not None:
        chosen = np.flatnonzero(task.wanted[start:]) + start
        if len(chosen) * 8 <= len(rows) - start:
            return _nearest_of(task, chosen)
    if halves.pays(task):
        parts = list(_ranges(start, len(rows), rows.dim, _PARALLEL_HALVES))
        if len(task.queries) >= CORES:  # then a query a core is as quick, and needs no merging
            parts = [(start, len(rows))]
        found = halves.nearest(task, parts, each)
        if found is not None:
            return found
    return rescored(rows, task.queries, merged([_scan(task)]), task.k, task.metric)


def _nearest_of(task: Task, chosen: NDArray[np.int64]) -> Found:
    """Exact search of a few rows, which are copied together."""
    best = Best(task)
    step = max(1, 4 * BLOCK // task.rows.dim)
    for at in range(0, len(chosen), step):
        some = chosen[at : at + step]
        vectors = task.rows.gather(some)
        norms = lengths(vectors)
        best.largest = max(best.largest, float(norms.max()))
        best.offer(some, best.keys(vectors, norms))
    return rescored(task.rows, task.queries, merged([best]), task.k, task.metric)


def _scan(task: Task) -> Best:
    """Rank all rows, which all cores convert to float32 block by block.

    One or two queries are multiplied by the core that converts, while the rows are in its cache.  A batch is one
    matrix product a block, as BLAS brings its own threads: two products at once would put twice as many threads as
    cores to wait for each other, which was measured to be 100 times slower.
    """
    rows, best = task.rows, Best(task)
    size = max(16, _BLOCK // rows.dim)
    buffer = np.empty((min(size, len(rows)), rows.dim), np.float32)
    for start, view in rows.spans(task.start, len(rows), max(_STRETCH, size)):
        keys = np.empty((len(task.queries), len(view)), np.float32)
        for at in range(0, len(view), size):
            block = _Block(rows, start + at, view[at : at + size], buffer)
            into = keys[:, at : at + size]
            few = (best, into) if len(task.queries) <= 2 else None
            each(partial(block.convert, few=few), list(_ranges(0, len(into[0]), rows.dim, _PARALLEL)))
            best.largest = max(best.largest, float(block.norms.max()))
            if not few:
                np.matmul(best.queries, block.vectors.T, out=into)
                parts = ranges(0, len(into), CORES if into.size >= _PARALLEL else 1)
                each(lambda part: best.keyed(into[slice(*part)], block.norms), parts)  # noqa: B023 - done before the next
        if task.wanted is not None:
            keys[:, ~task.wanted[start : start + len(view)]] = np.inf
        best.offer(np.arange(start, start + len(view)), keys)
        if len(task.queries) > 2:
            task.rows.release()  # a batch takes far longer than reading on, and would end with the whole file in memory
    return best


class _Block:
    """Rows from *start* on, converted into *buffer* where they are not float32 already, and their lengths."""

    def __init__(self, rows: Rows, start: int, stored: Stored, buffer: Vectors) -> None:
        self._stored = stored
        self._step = max(16, BLOCK // rows.dim)
        self.norms = rows.norms[start : start + len(stored)]
        self.vectors: Vectors = buffer[: len(stored)] if stored.dtype == np.float16 else np.asarray(stored, np.float32)

    def convert(self, part: tuple[int, int], few: tuple[Best, NDArray[np.float32]] | None) -> None:
        """Convert some rows, learn their lengths on the first visit, and give *few* queries their keys."""
        for low in range(*part, self._step):
            some = slice(low, min(low + self._step, part[1]))
            if self._stored.dtype == np.float16:
                widen(self._stored[some], self.vectors[some])
            if np.isnan(self.norms[some]).any():
                self.norms[some] = lengths(self.vectors[some])
            if few:
                few[1][:, some] = few[0].keys(self.vectors[some], self.norms[some])


def _ranges(start: int, stop: int, dim: int, worth: int) -> Iterator[tuple[int, int]]:
    """Row ranges of equal length, one a core; less than *worth* elements stay on one."""
    return ranges(start, stop, CORES if (stop - start) * dim >= worth else 1)
