"""Indexing: scan, skip what is known, load, embed, write; then sweep what is gone.

One pass, constant memory.  Every batch is one durable transaction, so stopping at any moment loses at most what is in
flight, and a second run does only what is left.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator

from imagekin import files, sweep
from imagekin.embed.base import Embedder
from imagekin.loader import Work, embedded
from imagekin.pipeline import batched
from imagekin.progress import Counter, Progress
from imagekin.roots import Roots
from imagekin.store.base import Batch, Known, Store, dump_metadata
from imagekin.types import Report, Skipped, Vectors

LOOKUP_SIZE = 512
WRITE_SIZE = 128
WRITE_SECONDS = 2.0


class Ingest:
    """One indexing run over some folders.

    Args:
        store: where items go.
        embedder: makes the embedder when the first new image needs it.
        progress: called after each batch, from the calling thread.
        force: embed again what is unchanged.
        workers: threads; by default one a core.
    """

    def __init__(
        self,
        store: Store,
        embedder: Callable[[], Embedder],
        *,
        progress: Callable[[Progress], None] | None = None,
        force: bool = False,
        workers: int | None = None,
    ) -> None:
        self.store = store
        self.report = Report()
        self._make_embedder = embedder
        self._progress = progress
        self._force = force
        self._workers = workers
        self._batch = Batch()
        self._written = time.monotonic()
        self._marks = sweep.Marks()
        self._moved: set[int] = set()
        self._inflight: dict[bytes, Work] = {}
        self._done = 0
        self._counter = Counter()

    def run(self, roots: Roots) -> Report:
        """Bring the store up to date with the folders of *roots*, which are remembered before anything is written."""
        begun = time.monotonic()
        last = int(self.store.info()["last_id"])
        scan = files.Scan(list(roots.labels), without=roots.closed)
        self._roots = roots
        self._drives = sweep.Drives(roots.known, scan)
        try:
            with self._counter.counting(scan.roots) if self._progress else contextlib.nullcontext():
                self._process(self._new(scan))
            self._flush()
            self._sweep(scan, last)
        except KeyboardInterrupt:
            self.report.interrupted = True
        finally:
            self._flush()
        if not self.report.interrupted:
            self._settle(scan)
        self.report.skipped.extend((*scan.skipped, *roots.skipped))
        self.report.skipped.sort(key=lambda skip: skip.path)
        self.report.ignored = dict(sorted(scan.ignored.items()))
        self.report.seconds = time.monotonic() - begun
        return self.report

    # -- which files need work ---------------------------------------------------------------------------------

    def _new(self, scan: files.Scan) -> Iterator[Work]:
        """The files that need work; those that are as the store knows them are only marked."""
        rules = self._roots.labels
        for chunk in batched(scan, LOOKUP_SIZE):
            paths = [info.path for info in chunk]
            known, failures = self.store.lookup(paths), self.store.skipped(paths)
            for info in chunk:
                rule = next(rules[root] for root in rules if files.inside(info.path, root))
                label, extra = rule(info.path)
                work = Work(info, known.get(info.path), label, dump_metadata(extra))
                if not self._settled(work, failures.get(info.path)):
                    yield work
                self._done += 1
            self._tell(chunk[-1].path)
            self._flush_when_due()

    def _settled(self, work: Work, failure: tuple[int, int, str] | None) -> bool:
        """Whether nothing has to be read, because neither file nor verdict changed."""
        info, known = work.info, work.known
        if self._force:
            return False
        if failure is not None and failure[:2] == (info.size, info.mtime_ns):
            self.report.skipped.append(Skipped(info.path, failure[2]))
            return True
        if known is None or (known.size, known.mtime_ns) != (info.size, info.mtime_ns):
            return False
        self._marks.add(known.id)
        if known.missing:
            self._batch.returned.append(known.id)
            self.report.returned += 1
        if known.device != info.device:
            self._batch.touches.append((known.id, info))
            self._drives.renumber(known.device, info.device)
        if (known.label, known.metadata) != (work.label, work.metadata):
            self._batch.relabels.append((known.id, work.label, work.metadata))
            self.report.relabelled += 1
        self.report.unchanged += 1
        return True

    # -- load, embed, write ------------------------------------------------------------------------------------

    def _process(self, works: Iterator[Work]) -> None:
        first = next(works, None)
        if first is None:
            return
        find = None if self._force else self.store.find
        works = itertools.chain([first], works)
        for batch, vectors in embedded(
            works, self._make_embedder(), self._embeddable, find=find, workers=self._workers
        ):
            self._take(batch, vectors)
            self._flush_when_due()
            self._tell(batch[-1].info.path)

    def _embeddable(self, loaded: Iterator[Work]) -> Iterator[Work]:
        """Pass on what needs a vector; settle what failed, is known, or is a copy of something in flight."""
        for work in loaded:
            if work.reason:
                self._fail(work)
            elif work.twin is not None:
                self._reuse(work, *work.twin)
            elif work.digest in self._inflight:
                self._inflight[work.digest].copies.append(work)
            else:
                self._inflight[work.digest] = work
                yield work

    def _fail(self, work: Work) -> None:
        self.report.skipped.append(Skipped(work.info.path, work.reason))
        if work.lasting:
            self._batch.skips.append((work.info, work.reason))
        elif work.known is not None and os.path.lexists(work.info.path):
            self._marks.add(work.known.id)  # perhaps only for now: keep what is known of it

    def _reuse(self, work: Work, twin: Known, vector: Vectors) -> None:
        """Take the vector of an item with the same content; the item itself, if its file has moved here."""
        self.report.reused += 1
        if work.known is not None and work.known.hash == work.digest:
            self._retouch(work, work.known)
            return
        number = work.known.id if work.known else None
        if number is None and twin.id not in self._moved and self._drives.moved(twin):
            number = twin.id
            self._moved.add(twin.id)
        if number is not None:
            self._marks.add(number)
        self._batch.puts.append(work.put(number, vector))

    def _retouch(self, work: Work, known: Known) -> None:
        """A file with another date but the same content."""
        self._marks.add(known.id)
        self._batch.touches.append((known.id, work.info))
        if known.missing:
            self._batch.returned.append(known.id)
        if (known.label, known.metadata) != (work.label, work.metadata):
            self._batch.relabels.append((known.id, work.label, work.metadata))

    def _take(self, batch: list[Work], vectors: Vectors) -> None:
        for original, vector in zip(batch, vectors, strict=True):
            del self._inflight[original.digest]
            for work in (original, *original.copies):
                if work.known is not None:
                    self._marks.add(work.known.id)
                    self.report.updated += 1
                else:
                    self.report.added += 1
                self._batch.puts.append(work.put(work.known.id if work.known else None, vector))
            original.pixels = None

    def _sweep(self, scan: files.Scan, last: int) -> None:
        failed = [*scan.failed, *self._roots.closed]
        for known in sweep.unseen(self.store, [*scan.roots, *self._roots.absent], failed, self._marks, last):
            if not self._drives.absent(known):
                self._batch.removed.append(known.id)
                self.report.removed += 1
                if known.path in self._roots.absent:  # a single file, which goes as one among others would
                    self.store.forget_root(known.path)
                continue
            self.report.missing += 1
            if not known.missing:
                self._batch.missing.append(known.id)

    def _settle(self, scan: files.Scan) -> None:
        """Make the store's list of skipped files that of this run, where the run could look."""
        failed = [*scan.failed, *self._roots.closed, *self._roots.absent]
        found = (*self.report.skipped, *scan.skipped, *self._roots.skipped)
        self._batch.unskips, self._batch.skips = sweep.skips(self.store, scan.roots, failed, found)
        self._flush()

    # -- writing and telling -----------------------------------------------------------------------------------

    def _flush_when_due(self) -> None:
        late = time.monotonic() - self._written > WRITE_SECONDS
        if len(self._batch.puts) >= WRITE_SIZE or (self._batch and late):
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._roots.remember()
            self.store.write(self._batch)
            self._batch = Batch()
        self._written = time.monotonic()

    def _tell(self, path: str) -> None:
        if self._progress is not None:
            self._progress(self.progress(path))

    def progress(self, path: str, phase: str = "index") -> Progress:
        """How far the run is, as it stands at *path*."""
        report = self.report
        embedded = report.added + report.updated
        return Progress(self._done, self._counter.total, embedded, report.reused, len(report.skipped), path, phase)
