"""Exact search over rows: blocked, on all cores, and correct to the last tie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from imagekin.index import halves
from imagekin.index.best import Best, Found, Task, lengths, merged, rescored
from imagekin.index.rows import BLOCK, Mask, Rows, Stored, widen
from imagekin.types import Vectors

T = TypeVar("T")

_STRETCH: Final = 8192
"""Rows whose keys are ranked at a time."""

_BATCH: Final = 256
"""Queries at a time, so that keys of a stretch take 8 MB."""

_PARALLEL: Final = 1 << 21
"""Elements from which a second core pays for its wake-up."""

_pools: dict[int, ThreadPoolExecutor] = {}


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
    ranges = list(_ranges(rows, start))
    if halves.pays(task):
        found = halves.nearest(task, lambda work: _each(work, ranges))
        if found is not None:
            return found
    best = _each(lambda part: _scan(task, part), ranges)
    return rescored(rows, task.queries, merged(best), task.k, task.metric)


def _nearest_of(task: Task, chosen: NDArray[np.int64]) -> Found:
    """Exact search of a few rows, which are copied together."""
    best = Best(task)
    step = max(1, 4 * BLOCK // task.rows.dim)
    for at in range(0, len(chosen), step):
        some = chosen[at : at + step]
        vectors = task.rows.gather(some)
        best.offer(some, best.keys(vectors, lengths(vectors)))
    return rescored(task.rows, task.queries, merged([best]), task.k, task.metric)


def _scan(task: Task, part: tuple[int, int]) -> Best:
    """Rank the rows of one range; blocks are converted to float32 in a buffer that stays in the core's cache."""
    rows, best = task.rows, Best(task)
    size = max(16, BLOCK // rows.dim)
    buffer = np.empty((size, rows.dim), np.float32)
    for start, view in rows.spans(*part, _STRETCH):
        keys = np.empty((len(task.queries), len(view)), np.float32)
        for at in range(0, len(view), size):
            vectors = _float32(view[at : at + size], buffer)
            keys[:, at : at + size] = best.keys(vectors, _known_lengths(rows, start + at, vectors))
        if task.wanted is not None:
            keys[:, ~task.wanted[start : start + len(view)]] = np.inf
        best.offer(np.arange(start, start + len(view)), keys)
    return best


def _float32(block: Stored, buffer: Vectors) -> Vectors:
    if block.dtype == np.float32:
        return np.asarray(block, np.float32)
    return widen(block, buffer[: len(block)])


def _known_lengths(rows: Rows, start: int, vectors: Vectors) -> NDArray[np.float32]:
    """Lengths of the rows from *start* on; computed on the first visit and kept (two threads may both do it)."""
    known = rows.norms[start : start + len(vectors)]
    if np.isnan(known).any():
        known[:] = lengths(vectors)
    return known


def _ranges(rows: Rows, start: int) -> Iterator[tuple[int, int]]:
    """Row ranges of equal length, one a core; small work stays on one."""
    count = len(rows) - start
    parts = (os.cpu_count() or 1) if count * rows.dim >= _PARALLEL else 1
    step = max(1, -(-count // parts))
    for at in range(start, max(len(rows), start + 1), step):
        yield at, min(at + step, len(rows))


def _each(work: Callable[[tuple[int, int]], T], ranges: Iterable[tuple[int, int]]) -> list[T]:
    """``[work(range) …]``, the first on this thread, the others on the pool."""
    first, *others = ranges
    futures: list[Future[T]] = [_pool().submit(work, part) for part in others]
    return [work(first), *(future.result() for future in futures)]


def _pool() -> ThreadPoolExecutor:
    """This process's threads; a fork starts its own."""
    pool = _pools.get(os.getpid())
    if pool is None:
        pool = _pools.setdefault(os.getpid(), ThreadPoolExecutor(os.cpu_count() or 1, "imagekin-scan"))
    return pool
