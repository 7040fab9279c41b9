"""How far a run is, for somebody who watches."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagekin import files


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        done: files looked at.
        total: files in all, or None until they have been counted.
        embedded: images embedded.
        reused: images whose vector was known.
        skipped: files that could not be indexed.
        path: the file looked at last.
        phase: ``index``; ``learn`` while a model learns from pictures first; ``build`` while the search structures are
            made.
    """

    done: int
    total: int | None
    embedded: int
    reused: int
    skipped: int
    path: str
    phase: str = "index"


class Counter:
    """Counts the files of folders beside the work, so that the time left can be told.

    Attributes:
        total: None until every file has been counted.
    """

    def __init__(self) -> None:
        self.total: int | None = None

    @contextlib.contextmanager
    def counting(self, folders: Sequence[str]) -> Iterator[None]:
        """Count while the block runs; stop at its end."""
        stop = threading.Event()

        def count() -> None:
            total = 0
            for _ in files.Scan(folders):
                total += 1
                if stop.is_set():
                    return
            self.total = total

        thread = threading.Thread(target=count, name="imagekin-count", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
