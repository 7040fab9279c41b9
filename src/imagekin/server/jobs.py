"""Indexing in the background: one run at a time for each collection, watched by whoever likes, stopped on demand."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from imagekin.collection import Collection
from imagekin.errors import ImagekinError
from imagekin.progress import Progress
from imagekin.server.problems import Problem
from imagekin.types import Report

log = logging.getLogger(__name__)

KEPT: Final = 20
"""Jobs that are remembered."""

PATIENCE: Final = 10.0
"""Seconds that the end of the server waits for a run that is told to stop."""

State = Literal["running", "done", "cancelled", "failed"]


@dataclasses.dataclass(slots=True)
class Job:
    """A run of indexing.

    Attributes:
        id: its name.
        folders: what it looks at; none stands for every indexed folder.
        state: ``running``, then ``done``, ``cancelled`` or ``failed``.
        begun: seconds since 1970.
        ended: the same, or None while it runs.
        progress: how far it is.
        report: what it did, once it has ended well or was cancelled.
        error: why it failed, in one sentence.
        changes: how often any of this has changed.
    """

    id: str
    folders: tuple[str, ...]
    state: State = "running"
    begun: float = dataclasses.field(default_factory=time.time)
    ended: float | None = None
    progress: Progress | None = None
    report: Report | None = None
    error: str | None = None
    changes: int = 0
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    def plain(self, *, skipped: bool = False) -> dict[str, Any]:
        """It as JSON data; *skipped*: with every file that could not be indexed."""
        report = None
        if self.report is not None:
            report = dataclasses.asdict(self.report)
            report["skipped_count"] = len(report["skipped"])
            if not skipped:
                del report["skipped"]
        return {
            "id": self.id,
            "folders": list(self.folders),
            "state": self.state,
            "begun": self.begun,
            "ended": self.ended,
            "progress": None if self.progress is None else dataclasses.asdict(self.progress),
            "report": report,
            "error": self.error,
        }


class Jobs:
    """The indexing runs of one collection.

    Args:
        collection: what is filled.
        allowed: folders that may be indexed besides those that have been.
        on_end: called after each run, in its thread.
    """

    def __init__(
        self, collection: Collection, allowed: Sequence[str] = (), *, on_end: Callable[[], object] = lambda: None
    ) -> None:
        self._collection = collection
        self._allowed = tuple(allowed)
        self._on_end = on_end
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, folders: Sequence[str] = (), *, label_from: str | None = None, force: bool = False) -> Job:
        """Begin a run.

        A request's folders are compared with those that the owner has named, and no others are looked at.

        Raises:
            Problem: 403, a folder is none of the owner's; 409, a run is on its way.
        """
        known = {*self._collection.roots(), *self._allowed}
        for folder in folders:
            if folder not in known:
                raise Problem(
                    403, f"{folder!r} is not among the folders of this collection; only its owner adds one, on the "
                    "machine itself, with: imagekin index FOLDER.",
                )  # fmt: skip
        with self._guard:
            if (running := self.running()) is not None:
                raise Problem(409, f"the collection is being indexed already, by job {running.id}; wait or cancel it.")
            job = Job(secrets.token_hex(8), tuple(folders))
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)
            how = {"label_from": label_from, "force": force}
            self._thread = threading.Thread(target=self._run, args=(job, how), name="imagekin-job", daemon=True)
            self._thread.start()
        return job

    def running(self) -> Job | None:
        """The run that is on its way."""
        last = next(reversed(self._jobs.values()), None)
        return last if last is not None and last.state == "running" else None

    def all(self) -> list[Job]:
        """The remembered ones, the newest first."""
        return [*reversed(self._jobs.values())]

    def get(self, number: str) -> Job:
        """A job by its id.

        Raises:
            Problem: 404, there is none.
        """
        job = self._jobs.get(number)
        if job is None:
            raise Problem(404, f"there is no job {number[:40]!r}; jobs are forgotten when the server ends.")
        return job

    def close(self) -> None:
        """Stop what runs; what it has done is kept."""
        if (job := self.running()) is not None and self._thread is not None:
            job.stop.set()
            self._thread.join(PATIENCE)

    def _run(self, job: Job, how: dict[str, Any]) -> None:
        def step(progress: Progress) -> None:
            job.progress = progress
            job.changes += 1
            if job.stop.is_set() and progress.phase == "index":
                raise KeyboardInterrupt  # as indexing is interrupted anywhere: what is done is kept

        state: State = "failed"
        try:
            job.report = self._collection.index(*job.folders, progress=step, **how)
            state = "cancelled" if job.report.interrupted else "done"
        except ImagekinError as error:
            job.error = str(error)
        except Exception as error:
            log.exception("indexing failed")
            job.error = f"unexpected {type(error).__name__}; the server's log says where."
        try:
            self._on_end()
        except Exception:
            log.exception("after indexing")
        job.ended = time.time()
        job.state = state
        job.changes += 1
