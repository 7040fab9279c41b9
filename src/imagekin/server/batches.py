"""Queries that come at the same time, embedded in one call of the model."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from imagekin.pipeline import cores
from imagekin.types import Pixels, Vectors

LARGEST: Final = 32
"""Pictures in one call of the model; a larger one would not be quicker for each, and the first waits for the last."""


class Batches:
    """Gathers pictures while the model is busy and embeds them together when it is free.

    The first to come starts at once; whoever comes while every lane is taken forms the next batch.  Nobody waits for a
    batch to fill.

    Args:
        embed: from prepared pictures ``(n, height, width, 3)`` to vectors ``(n, dim)``; called in a thread.
        lanes: calls at once; by default one a core, as a call keeps one core busy.
        on_batch: called with the size of each batch.
    """

    def __init__(
        self,
        embed: Callable[[Pixels], Vectors],
        *,
        lanes: int | None = None,
        on_batch: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._embed = embed
        self._on_batch = on_batch
        self._lanes = self._free = lanes or cores()
        self._pool = ThreadPoolExecutor(self._lanes, thread_name_prefix="imagekin-model")
        self._waiting: deque[tuple[Pixels, asyncio.Future[Vectors]]] = deque()

    async def embed(self, pictures: Pixels) -> Vectors:
        """The vectors ``(n, dim)`` of prepared pictures ``(n, height, width, 3)``, in order.

        Raises:
            ModelError: the model fails on the batch that they are in.
        """
        future: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        self._waiting.append((pictures, future))
        self._start()
        return await future

    def close(self) -> None:
        """Drop what has not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        while self._free and (batch := self._next()):
            self._free -= 1
            self._on_batch(sum(len(pictures) for pictures, _ in batch))
            call = asyncio.get_running_loop().run_in_executor(self._pool, self._call, batch)
            call.add_done_callback(lambda done, batch=batch: self._done(done, batch))  # type: ignore[misc]

    def _next(self) -> list[tuple[Pixels, asyncio.Future[Vectors]]]:
        """What is embedded in one call: what waits, fairly shared among the free lanes, without those who left."""
        rows = sum(len(pictures) for pictures, future in self._waiting if not future.done())
        share = min(LARGEST, -(-rows // self._free))
        batch: list[tuple[Pixels, asyncio.Future[Vectors]]] = []
        taken = 0
        while self._waiting and (not batch or taken + len(self._waiting[0][0]) <= share):
            pictures, future = self._waiting.popleft()
            if not future.done():
                batch.append((pictures, future))
                taken += len(pictures)
        return batch

    def _call(self, batch: list[tuple[Pixels, asyncio.Future[Vectors]]]) -> Vectors:
        parts = [pictures for pictures, _ in batch]
        return self._embed(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def _done(self, call: asyncio.Future[Vectors], batch: list[tuple[Pixels, asyncio.Future[Vectors]]]) -> None:
        self._free += 1
        at = 0
        for pictures, future in batch:
            if future.done():  # its request was given up
                pass
            elif call.cancelled():
                future.cancel()
            elif (error := call.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(call.result()[at : at + len(pictures)])
            at += len(pictures)
        self._start()
