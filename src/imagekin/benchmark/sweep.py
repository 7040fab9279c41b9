"""A sweep: every build with every setting measured, one after the other, each result kept the moment it is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from imagekin.benchmark import grid, machine, memory, process, records
from imagekin.benchmark.grid import Absent, Build
from imagekin.benchmark.process import Limits, Refused
from imagekin.benchmark.records import Folder, Record
from imagekin.benchmark.sources import Data
from imagekin.benchmark.workspace import Workspace
from imagekin.errors import IndexingError, InputError

SECONDS: Final = 1.0
_GUESS: Final = 6.0
"""Seconds that a build is thought to take before any has been seen."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a measurement is.

    Attributes:
        done: records that there are.
        total: records that there will be.
        what: the engine being measured, with its parameters.
        left: seconds left, by what the builds so far took; None while that is not known.
    """

    done: int
    total: int
    what: str
    left: float | None


Watch = Callable[[Progress], None]


@dataclass(slots=True)
class Outcome:
    """What a sweep found.

    Attributes:
        data: name, size, metric, fingerprint, k.
        records: in the order of the plan, failed ones among them.
        absent: engines that could not be measured at all, with the reason.
        total: records that were wanted.
        measured: records that are new; the others were known.
        notes: what a reader must know, in sentences.
        interrupted: whether it was stopped early.
    """

    data: dict[str, Any]
    records: list[Record] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)
    total: int = 0
    measured: int = 0
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    def summary(self) -> dict[str, int]:
        """Counts: measured now, known before, failed, absent."""
        failed = sum(record.failed for record in self.records)
        known = len(self.records) - self.measured
        return {"measured": self.measured, "known": known, "failed": failed, "absent": len(self.absent)}


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure.

    Attributes:
        k: hits wanted of each search.
        seconds: for each setting, in single queries and again in batches.
        limits: of each worker; by default ten minutes, and nine tenths of the memory that is there.
        retry: measure again what failed before.
        again: measure everything again.
    """

    k: int = 10
    seconds: float = SECONDS
    limits: Limits | None = None
    retry: bool = False
    again: bool = False


def run(
    data: Data,
    folder: Path,
    *,
    engines: Sequence[str] = ("all",),
    specs: Sequence[str] = (),
    options: Options = Options(),  # noqa: B008 - immutable
    watch: Watch | None = None,
) -> Outcome:
    """Measure engines on *data*, and keep a record of each in *folder*; what is there already is not measured again.

    Args:
        data: see ``sources``.
        folder: of the records; made if it is absent.
        engines: names for a whole sweep each; ``all`` for every engine that is installed.
        specs: engines to be measured as they are, such as ``hnswlib(M=16, ef=40)``.
        options: how to measure.
        watch: called often.

    Returns:
        The records.  After Ctrl-C ``interrupted`` is True, and what was measured so far is there.

    Raises:
        UnknownNameError: an engine that does not exist.
        MissingPackageError: an engine that was named is not installed.
        InputError: an option makes no sense.
        StoreError: the folder cannot be written, or is in use.
    """
    check(options)
    builds, absent = grid.plan(engines, specs, n=len(data.train), dim=data.dim, describe=process.describe)
    known = Folder(folder / "records")
    outcome = Outcome({}, absent=absent, total=sum(len(build.settings) for build in builds))
    try:
        with Workspace(data, options.k, folder, step=_counting(outcome.total, watch)) as space:
            outcome.data = space.describe()
            outcome.notes = list(_notes(space))
            _Sweep(space, known, outcome, options=options, watch=watch or (lambda progress: None)).run(builds)
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


def _counting(total: int, watch: Watch | None) -> Callable[[int], None] | None:
    """What the search for true neighbours calls."""
    if watch is None:
        return None
    return lambda done: watch(Progress(0, total, f"true neighbours of {done:,} queries", None))


def check(options: Options) -> None:
    """Refuse options that make no sense.

    Raises:
        InputError: one does not.
    """
    if not 0 < options.seconds <= 3600:
        raise InputError(f"seconds must be above 0 and at most 3600, not {options.seconds}.")
    if options.limits is not None and options.limits.seconds <= 0:
        raise InputError(f"the time limit must be above 0 seconds, not {options.limits.seconds}.")


def limits(given: Limits | None) -> Limits:
    """The limits of a worker; where none is given for memory, nine tenths of what is free."""
    chosen = given or Limits()
    free = memory.available()
    if chosen.bytes is None and free is not None:
        return replace(chosen, bytes=max(1 << 28, free * 9 // 10))
    return chosen


def _notes(space: Workspace) -> list[str]:
    share = space.agreement()
    if share is None or share >= 0.99:
        return []
    return [
        f"The distances that the file states are not those of its own vectors for {1 - share:.0%} of the queries; "
        "the latter are used."
    ]


class _Sweep:
    """The builds one after the other."""

    def __init__(self, space: Workspace, known: Folder, outcome: Outcome, *, options: Options, watch: Watch) -> None:
        self.space, self.known, self.options, self.outcome, self.watch = space, known, options, outcome, watch
        self.limits = limits(options.limits)
        self._took: list[float] = []
        self._refused: dict[str, str] = {}
        self._waiting: list[Build] = []
        self._done = 0

    def run(self, builds: Sequence[Build]) -> None:
        self._waiting = list(builds)
        try:
            for build in builds:
                if build.engine in self._refused:
                    self._done += len(build.settings)
                else:
                    self._one(build)
                self._waiting.pop(0)
        except KeyboardInterrupt:  # what earlier runs have measured belongs to the outcome all the same
            for build in self._waiting:
                self._collect(build)
            raise
        self.outcome.absent += [grid.Absent(engine, reason) for engine, reason in self._refused.items()]

    def _one(self, build: Build) -> None:
        """Take what is known of a build, and measure the rest."""
        keys = [self._key(build, settings) for settings in build.settings]
        failure = self._key(build, [dict(settings) for settings in build.settings])
        found = [None if self.options.again else self.known.get(key) for key in keys]
        known_failure = None if self.options.again or self.options.retry else self.known.get(failure)
        missing = [settings for settings, record in zip(build.settings, found, strict=True) if record is None]
        if missing and known_failure is None:
            if not self._measure(replace(build, settings=missing), failure):
                self.outcome.records += [record for record in found if record is not None]
                self._failed(build, failure)
                return
        else:
            self._done += len(build.settings)
        if self._collect(build) < len(keys):
            self._failed(build, failure)

    def _failed(self, build: Build, failure: records.Key) -> None:
        """Give the outcome the reason, unless the whole engine is refused."""
        failed = self.known.get(failure)
        if failed is not None and build.engine not in self._refused:
            self.outcome.records.append(failed)

    def _collect(self, build: Build) -> int:
        """Give the outcome what is known of a build, and say of how many settings."""
        found = [self.known.get(self._key(build, settings)) for settings in build.settings]
        there = [record for record in found if record is not None]
        self.outcome.records += there
        return len(there)

    def _measure(self, build: Build, failure: records.Key) -> bool:
        """Measure a build; whether it went well."""
        begun, space, well = time.perf_counter(), self.space, False

        def beat() -> None:
            self.watch(Progress(self._done, self.outcome.total, build.spec, self._left(time.perf_counter() - begun)))

        beat()
        pace = machine.pace()
        try:
            index = space.build(build, self.limits, beat=beat)
            opened, lanes = space.search(build, self.limits, beat=beat, seconds=self.options.seconds)
            spent = time.perf_counter() - begun
            shared = {**index, **opened, "pace_ms": pace, "spent_s": spent / len(lanes)}
            for lane in lanes:
                self._keep(build, lane["settings"], figures={**shared, **lane["figures"]})
            well = True
        except Refused as error:
            self._refuse(build, str(error), failure)
        except IndexingError as error:
            self._keep(build, _named(build), reason=str(error), key=failure)
        finally:
            space.drop(build)
        self._took.append(time.perf_counter() - begun - 2 * self.options.seconds * len(build.settings))
        self._done += len(build.settings)
        return well

    def _refuse(self, build: Build, reason: str, failure: records.Key) -> None:
        """An engine that says no as it is by default says no to everything: one row for all of it."""
        if build.parameters or build.settings != [{}]:
            self._keep(build, _named(build), reason=reason, key=failure)
        else:
            self._refused[build.engine] = reason

    def _keep(self, build: Build, settings: dict[str, Any], *, key: records.Key = "", **found: Any) -> None:
        self.known.put(Record(
            engine=build.engine,
            parameters=dict(build.parameters),
            settings=settings,
            data=self.space.describe(),
            versions=machine.versions(build.engine),
            machine=dict(machine.hardware()),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            key=key or self._key(build, settings),
            **found,
        ))  # fmt: skip
        self.outcome.measured += 1

    def _key(self, build: Build, settings: Any) -> records.Key:
        depends = {
            "data": self.space.fingerprint,
            "k": self.space.k,
            "seconds": self.options.seconds,
            "versions": machine.versions(build.engine),
            "machine": dict(machine.hardware()),
        }
        return records.key(build.engine, dict(build.parameters), settings=settings, **depends)

    def _left(self, spent: float) -> float:
        """Seconds left: what the settings take, and what the builds took on average."""
        settings = sum(len(build.settings) for build in self._waiting)
        each = sum(self._took) / len(self._took) if self._took else _GUESS
        return max(0.0, 2 * self.options.seconds * settings + max(0.0, each) * len(self._waiting) - spent)


def _named(build: Build) -> dict[str, Any]:
    """What of the settings stands beside a failure: all, where there is one choice of them."""
    return dict(build.settings[0]) if len(build.settings) == 1 else {}
