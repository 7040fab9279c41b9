"""The threads that share a search's work, one a core."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from imagekin.pipeline import cores

S = TypeVar("S")
T = TypeVar("T")

CORES: Final = cores()

_pools: dict[int, ThreadPoolExecutor] = {}


def ranges(start: int, stop: int, parts: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of equal length, at most *parts* of them and at least one."""
    step = max(1, -(-(stop - start) // parts))
    for at in range(start, max(stop, start + 1), step):
        yield at, min(at + step, stop)


def each(work: Callable[[S], T], things: Iterable[S]) -> list[T]:
    """``[work(thing) …]``, the first on this thread, the others on the pool."""
    first, *others = things
    futures: list[Future[T]] = [_pool().submit(work, part) for part in others]
    return [work(first), *(future.result() for future in futures)]


def _pool() -> ThreadPoolExecutor:
    """This process's threads; a fork starts its own."""
    pool = _pools.get(os.getpid())
    if pool is None:
        pool = _pools.setdefault(os.getpid(), ThreadPoolExecutor(CORES, "imagekin-scan"))
    return pool
