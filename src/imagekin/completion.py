"""Bringing a further model up to date: items that it has not looked at get its vector, from their file.

The first model and the scan of the folders decide which items there are and what they contain (``ingest``).  This reads
what they say, embeds it, and writes durable batches; stopping at any moment loses at most what is in flight.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from imagekin.embed.base import Embedder
from imagekin.ingest import WRITE_SECONDS, WRITE_SIZE
from imagekin.loader import Work, embedded
from imagekin.progress import Progress
from imagekin.store.base import Known, Made, Store
from imagekin.types import FileInfo, Report, Skipped, Vectors


class Completion:
    """One run over the items that a further model lacks.

    Args:
        store: the collection as that model sees it.
        embedder: makes the embedder when the first item needs it.
        report: of the run that this is a part of; it is continued.
        progress: called after each batch, from the calling thread.
        force: embed again what the model has a vector of.
        workers: threads; by default one a core.
    """

    def __init__(
        self,
        store: Store,
        embedder: Callable[[], Embedder],
        report: Report,
        *,
        progress: Callable[[Progress], None] | None = None,
        force: bool = False,
        workers: int | None = None,
    ) -> None:
        self.store = store
        self.report = report
        self._make_embedder = embedder
        self._progress = progress
        self._force = force
        self._workers = workers
        self._made: list[Made] = []
        self._written = time.monotonic()
        self._inflight: dict[bytes, Work] = {}
        self._done = 0
        self._total: int | None = None
        self._name = ""

    def run(self) -> None:
        """Embed what lacks a vector; after Ctrl-C ``report.interrupted`` is True and what was done is kept."""
        begun = time.monotonic()
        try:
            if next(self.store.lacking(force=self._force), None) is not None:
                self._process()
        except KeyboardInterrupt:
            self.report.interrupted = True
        finally:
            self._flush()
            self.report.seconds += time.monotonic() - begun
        self.report.skipped.sort(key=lambda skip: skip.path)

    def _process(self) -> None:
        embedder = self._make_embedder()
        self._name = embedder.name
        if self._progress is not None:
            self._total = sum(1 for _ in self.store.lacking(force=self._force))
        find = None if self._force else self.store.find
        for batch, vectors in embedded(self._works(), embedder, self._chosen, find=find, workers=self._workers):
            self._take(batch, vectors)
            self._flush_when_due()
            self._tell(batch[-1].info.path)

    def _works(self) -> Iterator[Work]:
        for known in self.store.lacking(force=self._force):
            self._done += 1
            info = FileInfo(known.path, known.size, known.mtime_ns, known.device)
            yield Work(info, known, known.label, known.metadata)

    def _chosen(self, loaded: Iterator[Work]) -> Iterator[Work]:
        """Pass on what has to be embedded; settle what failed, is known, or is a copy of something in flight."""
        for work in loaded:
            if work.known is None:
                continue
            if work.reason and not work.lasting:
                self._skip(work, work.reason)
            elif work.digest != work.known.hash:
                self._skip(work, "it has changed since the folders were looked at; index them again")
            elif work.reason:
                self._skip(work, work.reason)
                self._add(work.known, None, f"{work.reason}.")
            elif work.twin is not None:
                self._add(work.known, work.twin[1])
            elif work.digest in self._inflight:
                self._inflight[work.digest].copies.append(work)
            else:
                self._inflight[work.digest] = work
                yield work
            self._flush_when_due()

    def _take(self, batch: list[Work], vectors: Vectors) -> None:
        for original, vector in zip(batch, vectors, strict=True):
            del self._inflight[original.digest]
            for work in (original, *original.copies):
                if work.known is not None:
                    self._add(work.known, vector)
            original.pixels = None

    def _add(self, known: Known, vector: Vectors | None, reason: str | None = None) -> None:
        self._made.append(Made(known.id, known.hash, vector, reason))
        self.report.completed += vector is not None

    def _skip(self, work: Work, reason: str) -> None:
        self.report.skipped.append(Skipped(work.info.path, f"{self._name}: {reason}"))

    def _flush_when_due(self) -> None:
        if len(self._made) >= WRITE_SIZE or time.monotonic() - self._written > WRITE_SECONDS:
            self._flush()

    def _flush(self) -> None:
        if self._made:
            made, self._made = self._made, []
            self.store.complete(made)
        self._written = time.monotonic()

    def _tell(self, path: str) -> None:
        if self._progress is not None:
            report = self.report
            self._progress(Progress(self._done, self._total, report.completed, 0, len(report.skipped), path))
