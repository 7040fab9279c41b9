"""What runs in the background: one job at a time for each collection, watched by whoever likes, stopped on demand."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from imagekin.collection import Collection
from imagekin.errors import ImagekinError
from imagekin.server.problems import Problem

log = logging.getLogger(__name__)

KEPT: Final = 20
"""Jobs that are remembered."""

PATIENCE: Final = 10.0
"""Seconds that the end of the server waits for a run that is told to stop."""

State = Literal["running", "done", "cancelled", "failed"]
Kind = Literal["index", "map", "duplicates", "act", "undo", "learn"]

Step: TypeAlias = Callable[[Any], None]
"""Takes a dataclass that says how far a job is; raises KeyboardInterrupt where the job is to stop, as Ctrl-C does."""

Work: TypeAlias = Callable[[Step], Mapping[str, Any]]
"""Does what a job is for and reports it as plain data; ``interrupted`` in it says that it was stopped."""

_LONG: Final = ("skipped", "refused")
"""Lists of a report that may be long: told where one job is asked for, and elsewhere by their length."""

_DOING: Final = {
    "index": "is being indexed",
    "map": "is being laid out",
    "duplicates": "is being searched for duplicates",
    "act": "is being cleared of duplicates",
    "undo": "is being given back what was taken out of it",
    "learn": "is being learned from",
}


@dataclasses.dataclass(slots=True)
class Job:
    """Something that runs in the background.

    Attributes:
        id: its name.
        kind: what it does.
        folders: what a run of indexing looks at; none stands for every indexed folder.
        state: ``running``, then ``done``, ``cancelled`` or ``failed``.
        begun: seconds since 1970.
        ended: the same, or None while it runs.
        progress: how far it is.
        report: what it did, once it has ended well or was cancelled.
        error: why it failed, in one sentence.
        changes: how often any of this has changed.
    """

    id: str
    kind: Kind
    folders: tuple[str, ...] = ()
    state: State = "running"
    begun: float = dataclasses.field(default_factory=time.time)
    ended: float | None = None
    progress: Any = None
    report: Mapping[str, Any] | None = None
    error: str | None = None
    changes: int = 0
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    def plain(self, *, whole: bool = False) -> dict[str, Any]:
        """It as JSON data; *whole*: with every file that it could do nothing with."""
        report = None
        if self.report is not None:
            long = {name: self.report[name] for name in _LONG if name in self.report}
            report = {name: value for name, value in self.report.items() if name not in long}
            report |= {f"{name}_count": len(files) for name, files in long.items()}
            report |= long if whole else {}
        return {
            "id": self.id,
            "kind": self.kind,
            "folders": list(self.folders),
            "state": self.state,
            "begun": self.begun,
            "ended": self.ended,
            "progress": None if self.progress is None else dataclasses.asdict(self.progress),
            "report": report,
            "error": self.error,
        }


class Jobs:
    """The jobs of one collection.

    Args:
        collection: what is filled.
        allowed: folders that may be indexed besides those that have been.
        on_end: called after each job, in its thread.
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
        """Begin to index.

        A request's folders are compared with those that the owner has named, and no others are looked at.

        Raises:
            Problem: 403, a folder is none of the owner's; 409, a job is on its way.
        """
        known = {*self._collection.roots(), *self._allowed}
        for folder in folders:
            if folder not in known:
                raise Problem(
                    403, f"{folder!r} is not among the folders of this collection; only its owner adds one, on the "
                    "machine itself, with: imagekin index FOLDER.",
                )  # fmt: skip

        def work(step: Step) -> Mapping[str, Any]:
            report = self._collection.index(*folders, progress=step, label_from=label_from, force=force)
            return dataclasses.asdict(report)

        return self.begin("index", work, folders)

    def begin(self, kind: Kind, work: Work, folders: Sequence[str] = ()) -> Job:
        """Begin any job.

        Raises:
            Problem: 409, one is on its way.
        """
        with self._guard:
            if (running := self.running()) is not None:
                raise Problem(
                    409, f"the collection {_DOING[running.kind]} already, by job {running.id}; wait or cancel it."
                )
            job = Job(secrets.token_hex(8), kind, tuple(folders))
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)
            self._thread = threading.Thread(target=self._run, args=(job, work), name="imagekin-job", daemon=True)
            self._thread.start()
        return job

    def running(self) -> Job | None:
        """The job that is on its way."""
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

    def _run(self, job: Job, work: Work) -> None:
        def step(progress: Any) -> None:
            job.progress = progress
            job.changes += 1
            if job.stop.is_set() and getattr(progress, "phase", "index") == "index":
                raise KeyboardInterrupt  # as jobs are interrupted anywhere: what is done is kept

        state: State = "failed"
        try:
            job.report = work(step)
            state = "cancelled" if job.report.get("interrupted") else "done"
        except KeyboardInterrupt:
            state = "cancelled"
        except ImagekinError as error:
            job.error = str(error)
        except Exception as error:
            log.exception("the job %s failed", job.kind)
            job.error = f"unexpected {type(error).__name__}; the server's log says where."
        try:
            self._on_end()
        except Exception:
            log.exception("after the job %s", job.kind)
        job.ended = time.time()
        job.state = state
        job.changes += 1
