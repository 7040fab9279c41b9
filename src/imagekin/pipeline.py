"""Bounded look-ahead: work flows through a pool of threads, results come out in order, memory stays constant."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

PATIENCE: Final = 1.0
"""Seconds that a run which was stopped waits for what cannot be stopped, such as a large picture being decoded."""


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pipeline:
    """One pool of threads that several stages share, so that no core waits while any stage has work.

    Decoding, hashing and running a network release Python's lock, so threads use every core without copying pixels
    between processes.

    Args:
        workers: threads; by default one a core.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="imagekin")
        self._unfinished: set[Future[Any]] = set()

    def map(self, function: Callable[[T], R], items: Iterable[T], *, ahead: int) -> Iterator[R]:
        """Apply *function* to each item in the pool; yield results in order, at most *ahead* of them waiting.

        An exception of *function* is raised when its result is due.  Leaving the loop early cancels what has not begun.
        """
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(future := self._pool.submit(function, item))
                self._unfinished.add(future)
                future.add_done_callback(self._unfinished.discard)
                while len(waiting) > ahead or (waiting and waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self, patience: float | None = None) -> None:
        """Drop what has not begun and wait for what runs, but only *patience* seconds if given."""
        self._pool.shutdown(wait=patience is None, cancel_futures=True)
        if patience is not None:
            wait(tuple(self._unfinished), timeout=patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(None if error is None else PATIENCE)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of *size* items in order; the last may be shorter."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
