"""Where an indexing run spends its processor time: clocks around the functions of each stage."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from imagekin import files, fingerprint, images
from imagekin.collection import Collection

STAGES = ("scan", "look up", "read", "hash", "decode", "prepare", "model", "write", "cache")


class Stages:
    """Processor seconds by stage, of all threads; a stage's clock is that of the thread that runs it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._guard = threading.Lock()

    def clocked(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """*work*, its processor time added to *stage*."""

        def clocked(*arguments: Any, **options: Any) -> Any:
            begun = time.thread_time()
            try:
                return work(*arguments, **options)
            finally:
                self.add(stage, time.thread_time() - begun)

        return clocked

    def add(self, stage: str, seconds: float) -> None:
        """Count seconds of any thread."""
        with self._guard:
            self.seconds[stage] += seconds

    @contextmanager
    def watching(self, photos: Collection) -> Iterator[None]:
        """Count what indexing into *photos* does inside; stages do not overlap."""
        places: list[tuple[Any, str, str]] = [
            (images, "read", "read"),
            (images, "decode", "decode"),
            (fingerprint, "of_bytes", "hash"),
            (photos.embedder, "prepare", "prepare"),
            (photos.embedder, "embed_prepared", "model"),
            (photos.store, "lookup", "look up"),
            (photos.store, "skipped", "look up"),
            (photos.store, "find", "look up"),
            (photos.store, "write", "write"),
            (photos.store, "refresh", "cache"),
        ]
        with ExitStack() as stack:
            for owner, name, stage in places:
                stack.enter_context(_replaced(owner, name, self.clocked(stage, getattr(owner, name))))
            stack.enter_context(_replaced(files.Scan, "__iter__", self._scan(files.Scan.__iter__)))
            yield

    def _scan(self, walk: Callable[[files.Scan], Iterator[Any]]) -> Callable[[files.Scan], Iterator[Any]]:
        def walked(scan: files.Scan) -> Iterator[Any]:
            step = self.clocked("scan", walk(scan).__next__)
            while True:
                try:
                    info = step()
                except StopIteration:
                    return
                yield info

        return walked


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Put *value* in place of an attribute for a while; a bound method is only shadowed on its instance."""
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)
