"""Fetching the pictures of a list: many at once, few from each host, each looked at before it counts."""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from queue import Empty, Queue
from typing import Final

from imagekin import images, replacement
from imagekin.datasets import transfer
from imagekin.datasets.base import FAILURES
from imagekin.datasets.hosts import Hosts, Row
from imagekin.datasets.job import IMAGES, Job, Step
from imagekin.datasets.web import Passing, Web, asked
from imagekin.errors import DatasetError, FetchError, ImageError, ImagekinError

SECONDS: Final = 60.0
"""The longest that one picture may take, however steadily it drips."""

_CHUNK: Final = 1 << 16
_BLINK: Final = 0.5
_PATIENCE: Final = 5.0
"""Seconds that a run which is stopped waits for pictures on their way; what they leave is swept by the next one."""
_PAGE: Final = frozenset({"text/html", "application/xhtml+xml", "application/json"})
_LOOK: Final = 64
"""Pixels of the short side that a JPEG is decoded at to see that it is whole."""

_DECODING: Final = threading.BoundedSemaphore(4)
"""Few at a time: the largest picture that is allowed takes 200 MB."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be had.

    Attributes:
        row: which.
        reason: why, in words.
        tries: how often it was asked for.
    """

    row: Row
    reason: str
    tries: int


def gather(rows: Iterable[Row], job: Job, *, total: int, web: Web) -> list[Failure]:
    """Fetch what is not there yet into ``images``; give what could not be had, also written to ``failures.csv``.

    A picture is written under its own name only when it has come whole and was decoded, so a run that was stopped
    goes on with the next.  Those that failed are tried again by each run.

    Args:
        rows: the list; their goals must differ.
        job: where they go, and how many at once.
        total: rows in the list.
        web: how the net is asked.

    Raises:
        DatasetError: the disk is full.
    """
    folder = job.folder / IMAGES
    folder.mkdir(exist_ok=True)
    _sweep(folder)
    run = _Run(job, web, total)
    hosts = Hosts(run.missing(rows), per_host=job.options.per_host)
    threads = [
        threading.Thread(target=run.work, args=(hosts,), name=f"imagekin-fetch-{number}", daemon=True)
        for number in range(min(job.options.workers, max(total, 1)))
    ]
    try:
        for thread in threads:
            thread.start()
        run.watch()
    finally:
        hosts.stop()
        _join(threads)
        _list(job.folder / FAILURES, run.failures)
    return run.failures


class _Run:
    """What the threads of one run share."""

    def __init__(self, job: Job, web: Web, total: int) -> None:
        self.folder = job.folder / IMAGES
        self.job = job
        self.web = web
        self.total = total
        self.there = 0
        self.failures: list[Failure] = []
        self._settled: Queue[Failure | ImagekinError | None] = Queue()

    def missing(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows whose picture is not there."""
        for row in rows:
            if (self.folder / row.goal).is_file():
                self._settled.put(None)
            else:
                yield row

    def watch(self) -> None:
        """Count what is settled until all is, and tell of it."""
        while self.there + len(self.failures) < self.total:
            try:
                settled = self._settled.get(timeout=_BLINK)
            except Empty:  # some systems let Ctrl-C through only here
                continue
            if isinstance(settled, ImagekinError):
                raise settled
            if settled is None:
                self.there += 1
            else:
                self.failures.append(settled)
            self.job.options.progress(Step("Fetching", self.there, self.total, "images", len(self.failures)))

    def work(self, hosts: Hosts) -> None:
        """Take rows until there are none; a thread must not die in silence, or the run would wait for ever."""
        try:
            while (turn := hosts.take()) is not None:
                self._one(hosts, *turn)
        except ImagekinError as error:
            self._settled.put(error)
            hosts.stop()
        except Exception as error:
            self._settled.put(DatasetError(f"the download failed unexpectedly ({error!r}); what has come is kept."))
            hosts.stop()

    def _one(self, hosts: Hosts, row: Row, tries: int) -> None:
        if hosts.is_dead(row):
            self._settled.put(Failure(row, "its host has stopped answering; run the same again to try", tries))
            hosts.done(row, answered=False)
            return
        try:
            data = _checked(images.read(row.url, images.UPLOAD)) if row.local else _picture(row.url, self.web)
        except Passing as error:
            self._later(hosts, row, tries=tries + 1, error=error)
        except (FetchError, ImageError) as error:
            self._settled.put(Failure(row, str(error), tries + 1))
            hosts.done(row, answered=True)
        else:
            self._keep(row, data)
            self._settled.put(None)
            hosts.done(row, answered=True)

    def _later(self, hosts: Hosts, row: Row, *, tries: int, error: Passing) -> None:
        seconds = self.web.before(tries, error.wait)
        if tries < self.web.attempts and seconds <= self.web.longest:
            paused = error.wait is not None
            hosts.again(row, tries, seconds=seconds, pause=paused, answered=not error.silent)
            return
        asks = f" and asks to wait {seconds:,.0f} s" if seconds > self.web.longest else ""
        self._settled.put(Failure(row, f"{error}{asks}", tries))
        hosts.done(row, answered=not error.silent)

    def _keep(self, row: Row, data: bytes) -> None:
        goal = self.folder / row.goal
        with transfer.room(self.folder, len(data)):
            goal.parent.mkdir(parents=True, exist_ok=True)
            replacement.replace(goal, data)


def _picture(url: str, web: Web) -> bytes:
    """The bytes of a picture that was decoded.

    Raises:
        Passing: it may come another time.
        FetchError: it may not be asked for, or is not there.
        ImageError: what came is no picture, or is damaged.
    """
    with asked(url, web, headers={"Accept": "image/*"}, seconds=SECONDS) as answer:
        answer.check()
        if answer.kind in _PAGE:
            raise FetchError(f"the server answers with {answer.kind!r}, not with an image")
        most = images.UPLOAD.bytes
        parts: list[bytes] = []
        size = 0
        while data := answer.read(_CHUNK):
            parts.append(data)
            size += len(data)
            if size > most:
                raise FetchError(f"it has more than {most:,} bytes")
        if answer.length is not None and size < answer.length:
            raise Passing(f"the connection broke after {size:,} of {answer.length:,} bytes")
    return _checked(b"".join(parts))


def _checked(data: bytes) -> bytes:
    with _DECODING:
        images.decode(data, target=_LOOK, limits=images.UPLOAD)
    return data


def _join(threads: list[threading.Thread]) -> None:
    end = time.monotonic() + _PATIENCE
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, end - time.monotonic()))


def _list(path: Path, failures: list[Failure]) -> None:
    """Write the failures in the order of the list, or remove the file where there are none."""
    if not failures:
        path.unlink(missing_ok=True)
        return
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "url", "label", "reason", "tries"))
    for failure in sorted(failures, key=lambda failure: failure.row.number):
        row = failure.row
        writer.writerow((row.id, row.url, row.label or "", failure.reason, failure.tries))
    with transfer.room(path.parent):
        replacement.replace(path, text.getvalue().encode("utf-8", "backslashreplace"))


def _sweep(folder: Path) -> None:
    """Remove what an earlier run was writing when it was killed."""
    for place in itertools.chain([folder], folder.iterdir()):
        if place.is_dir():
            for entry in place.glob(f".*{replacement.SUFFIX}"):
                with contextlib.suppress(OSError):
                    os.unlink(entry)
