"""The engine for a collection, found by measuring on its own vectors: ``tune(photos, Goal(recall=0.95))``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagekin.benchmark import Absent, Limits, grid, of_collection, process
from imagekin.benchmark.grid import Build
from imagekin.benchmark.sources import Data
from imagekin.benchmark.sweep import Watch, limits
from imagekin.benchmark.workspace import Workspace
from imagekin.errors import InputError
from imagekin.tune.goal import Goal, Trial, UnmetError
from imagekin.tune.halving import Search

if TYPE_CHECKING:
    from imagekin.collection import Collection

__all__ = ["Choice", "Goal", "Trial", "UnmetError", "choose", "tune"]

_SAMPLE: Final = 8
_LEAST_SAMPLE: Final = 1_500
_LARGEST_SAMPLE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and what it was chosen from.

    Attributes:
        spec: the engine as ``Collection.engine`` takes it.
        trial: measured on all vectors, on queries that it was not chosen by.
        trials: everything that was measured on all vectors.
        absent: engines and builds that were left out, with the reason.
        data: name, size, metric, k.
        seconds: that it took.
        before: the engine that the collection had.
    """

    spec: str
    trial: Trial
    trials: Sequence[Trial]
    absent: Sequence[Absent]
    data: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    before: str = ""


def tune(
    photos: Collection,
    goal: Goal = Goal(),  # noqa: B008 - immutable
    *,
    engines: Sequence[str] = ("all",),
    queries: int = 1_000,
    seed: int = 0,
    worker: Limits | None = None,
    apply: bool = True,
    watch: Watch | None = None,
) -> Choice:
    """Find the engine that reaches a goal on a collection's vectors at the lowest cost, and let it serve from now on.

    The cost is the time of a search; memory, where a latency is all that is asked for besides recall.

    Args:
        photos: at least 100 images.
        goal: recall, and perhaps memory and latency.
        engines: names to choose from; ``all`` for every engine that is installed.
        queries: vectors held out at most, half of them to choose by and half to check the choice.
        seed: decides which.
        worker: limits of each process.
        apply: set ``photos.engine`` and build it now; otherwise the collection is only read.
        watch: called often.

    Raises:
        UnmetError: nothing reaches the goal; the collection is as it was.
        InputError: the collection is too small or goes through a reducer, or an argument makes no sense.
        UnknownNameError: an engine that does not exist.
        MissingPackageError: an engine that was named is not installed.
        StoreError: there is no room to work in, or the collection cannot be written.
    """
    if apply and photos.reduce is not None:
        raise InputError(
            f"{photos.location} compares vectors that {photos.reduce} made shorter, and engines are tuned on whole "
            "ones; take the reducer away first (imagekin index --reduce none), or only look (--dry-run, apply=False)."
        )
    data, before = of_collection(photos, queries=queries, seed=seed), photos.engine
    choice = replace(choose(data, goal, engines=engines, worker=worker, watch=watch), before=before)
    if apply:
        photos.engine = choice.spec
        photos.store.refresh()
    return choice


def choose(
    data: Data,
    goal: Goal,
    *,
    engines: Sequence[str] = ("all",),
    worker: Limits | None = None,
    watch: Watch | None = None,
) -> Choice:
    """``tune`` for any vectors: what would be chosen.

    Raises:
        UnmetError: nothing reaches the goal.
        ImagekinError: see ``tune``.
    """
    begun = time.perf_counter()
    found, absent = grid.plan(engines, (), n=len(data.train), dim=data.dim, describe=process.describe)
    builds = _candidates(found, goal)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="imagekin-tune-")))
        whole = held.enter_context(Workspace(data, goal.k, folder / "whole"))
        rows = min(_LARGEST_SAMPLE, max(_LEAST_SAMPLE, len(data.train) // _SAMPLE))
        sample = None
        if len(data.train) > 2 * rows:
            sample = held.enter_context(Workspace(data.sample(rows), goal.k, folder / "sample"))
        search = Search(goal, sample, whole, limits(worker), watch or (lambda progress: None))
        trial = _best(search, builds)
    trials, left_out = search.trials, [*absent, *search.absent]
    if trial is None:
        raise goal.unmet(trials)
    return Choice(trial.spec, trial, trials, left_out, whole.describe(), time.perf_counter() - begun)


def _candidates(builds: Sequence[Build], goal: Goal) -> list[Build]:
    """The builds of a sweep, less those that tune themselves where the ladder of the same engine is there.

    What tunes itself to a recall and has no ladder does so to the one that is asked for.
    """
    laddered = {build.engine for build in builds if any(build.settings)}
    found: list[Build] = []
    for build in builds:
        each = build
        if "recall" in build.parameters:
            each = Build(build.engine, {**build.parameters, "recall": goal.recall})
        elif build.engine in laddered and not any(build.settings):
            continue
        if each not in found:
            found.append(each)
    return found


def _best(search: Search, builds: Sequence[Build]) -> Trial | None:
    """The first of the finalists that holds on other queries."""
    for finalist in search.run(builds):
        checked = search.checked(finalist)
        if checked is not None:
            return search.living(checked)
    return None
