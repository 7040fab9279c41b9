"""Threads for what takes time, and a bound on what may wait for them: who comes when all is full is told so at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from imagekin.pipeline import cores
from imagekin.server.problems import Problem

T = TypeVar("T")

WAITING: Final = 64
"""Pieces of work of one kind that may be on their way."""


class Workers:
    """A pool of threads with a bounded queue.

    Args:
        name: of the threads.
        threads: how many; by default one a core.
        waiting: pieces of work that may be on their way, in threads or waiting for one.

    Attributes:
        busy: how many are.
    """

    def __init__(self, name: str, threads: int | None = None, *, waiting: int = WAITING) -> None:
        self.busy = 0
        self.waiting = waiting
        self._pool = ThreadPoolExecutor(threads or cores(), thread_name_prefix=f"imagekin-{name}")

    @contextlib.contextmanager
    def place(self, count: int = 1) -> Iterator[None]:
        """Hold the place of *count* pieces of work while the block runs.

        Raises:
            Problem: 429, all places are taken.
        """
        if self.busy and self.busy + count > self.waiting:  # alone it may be more than there are places
            raise Problem(
                429, f"{self.busy} requests of this kind are waiting already; try again in a second.",
                headers={"Retry-After": "1"},
            )  # fmt: skip
        self.busy += count
        try:
            yield
        finally:
            self.busy -= count

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run *work* in a thread, in a place of its own."""
        with self.place():
            return await self.within(work, *arguments)

    async def within(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run *work* in a thread; the caller holds the place."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def close(self) -> None:
        """Drop what has not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
