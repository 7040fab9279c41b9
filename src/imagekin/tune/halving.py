"""The search for the best engine: many tried on a sample, few on all vectors, two or three against each other.

Successive halving (Jamieson, Talwalkar 2016) with the number of vectors as its budget.  What decides is what a person
gets: the time of a search at the asked recall, not the recall at some setting.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from imagekin.benchmark import process
from imagekin.benchmark.grid import Absent, Build
from imagekin.benchmark.process import Limits
from imagekin.benchmark.sweep import Progress, Watch
from imagekin.benchmark.workspace import Workspace
from imagekin.errors import IndexingError
from imagekin.tune import ladder
from imagekin.tune.goal import Goal, Trial

_SAMPLE_SECONDS: Final = 20.0
"""Time for an engine to show itself on the sample; what needs longer for so few is not for this collection."""

_GLANCE: Final = 0.04
_LOOK: Final = 0.15
_RACE: Final = 0.4
"""Seconds for a setting on the sample, on all vectors, and against its last rivals."""

_FEW: Final = 200
"""Queries on the sample."""

_NEAR: Final = 2.5
_MOST: Final = 8
"""How much slower than the best of the sample a build may be to be tried on all vectors, and how many are."""

_DOUBT: Final = 1.15
"""How much a time on the sample may be too long by chance."""

_OUTRUN: Final = 2.0
"""How much slower than the best of the sample an engine may be to be tried there in more than one way."""

_PACED: Final = 3
"""Steps after which the time that is left can be told."""

_CLOSE: Final = 1.5
_FINALISTS: Final = 4
"""Likewise for the last race."""

_CHANCE: Final = 0.01
"""How far below the goal a recall may lie on the sample, by chance."""

_LITTLE: Final = 1.05
"""How much more an engine may cost that chooses its settings itself."""

_HALF: Final = 0.5


@dataclass(slots=True)
class Search:
    """One search for an engine.

    Attributes:
        goal: what it has to reach.
        sample: a part of the vectors; None where there are so few that a part says nothing.
        whole: all vectors.
        limits: of each worker on all vectors.
        watch: called often.
        trials: what was measured on all vectors, in the order in which it was.
        absent: engines and builds that were left out, with the reason.
    """

    goal: Goal
    sample: Workspace | None
    whole: Workspace
    limits: Limits
    watch: Watch
    trials: list[Trial] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)
    _ladders: dict[str, Sequence[ladder.Settings]] = field(default_factory=dict)
    _floors: dict[str, float] = field(default_factory=dict)
    _begun: float = field(default_factory=time.perf_counter)
    _done: int = 0
    _total: int = 0

    def run(self, builds: Sequence[Build]) -> list[Trial]:
        """The finalists on all vectors, best first; empty where nothing reaches the goal."""
        self._ladders = {build.spec: build.settings for build in builds}
        self._total = len(builds) + min(len(builds), _MOST) + _FINALISTS
        chosen, count = self._sampled(builds)
        self._done = len(builds)
        self._total = len(builds) + count + _FINALISTS
        found = self._on_all(chosen, count)
        return self._raced(found)

    def _sampled(self, builds: Sequence[Build]) -> tuple[list[Build], int]:
        """The builds that look good on the sample, best first, and how many of them are to be tried on all vectors."""
        if self.sample is None:
            return list(builds), len(builds)
        rows = len(self.sample.data.train)
        seen: list[Trial] = []
        refused: set[str] = set()
        for build in builds:
            if build.engine not in refused and not self._outrun(build, seen):
                found = self._tried(
                    build, self._glanced_at, refused, limits=self._sample_limits(), seconds=_GLANCE, rows=rows
                )
                seen += found[:1]
            self._done += 1
        self._floors = {trial.build.spec: trial.seconds for trial in seen}
        good = sorted(filter(self._hopeful, seen), key=self.goal.cost)
        if good:
            return [trial.build for trial in good], self._near(good)
        # then nothing will reach the goal, and what comes nearest is to be told
        return [trial.build for trial in sorted(seen, key=self.goal.gap)], _FINALISTS

    def _outrun(self, build: Build, seen: Sequence[Trial]) -> bool:
        """Whether the same engine, built in another way, was so slow that it need not be tried in this way too."""
        own = [trial.seconds for trial in seen if trial.build.engine == build.engine]
        return bool(own) and not self.goal.sparing and min(own) > _OUTRUN * min(trial.seconds for trial in seen)

    def _near(self, good: Sequence[Trial]) -> int:
        """How many of the trials, best first, are close enough to the best to be tried on all vectors."""
        most = math.inf if self.goal.sparing else _NEAR * self.goal.cost(good[0])
        return min(_MOST, sum(self.goal.cost(trial) <= most for trial in good))

    def _hopeful(self, trial: Trial) -> bool:
        """Whether a trial on the sample leaves hope: with more vectors recall falls, memory and time grow."""
        if trial.recall < self.goal.recall - _CHANCE:
            return False
        growth = len(self.whole.data.train) / trial.rows
        memory = self.goal.memory is None or trial.bytes * growth <= 1.5 * self.goal.memory
        latency = self.goal.latency is None or trial.seconds <= self.goal.latency
        return memory and latency

    def _on_all(self, builds: Sequence[Build], count: int) -> list[Trial]:
        """The best settings of the first *count* builds on all vectors; of further ones while none reaches the goal.

        Their saved indexes stay for the race.
        """
        refused: set[str] = set()
        rows = len(self.whole.data.train)
        for number, build in enumerate(builds[: 2 * max(count, _MOST)]):
            best = self.goal.best(self.trials)
            if number >= count and best is not None:
                break
            if build.engine not in refused and not self._beaten(build, best):
                how = self._built_and_searched
                self.trials += self._tried(build, how, refused, limits=self.limits, seconds=_LOOK, rows=rows)
            self._done += 1
        return list(self.trials)

    def _beaten(self, build: Build, best: Trial | None) -> bool:
        """Whether a build was slower on the sample already than the best is on all vectors."""
        floor = self._floors.get(build.spec, 0.0)
        return best is not None and not self.goal.sparing and floor > _DOUBT * best.seconds

    def _built_and_searched(
        self, build: Build, limits: Limits, *, beat: Callable[[], None], **words: Any
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        made = self.whole.build(build, limits, beat=beat)
        opened, lanes = self.whole.search(build, limits, beat=beat, **words)
        return {**made, **opened}, lanes

    def _glanced_at(self, build: Build, limits: Limits, **words: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        if self.sample is None:
            raise IndexingError("there is no sample")
        return self.sample.trial(build, limits, **{**words, "queries": [0, min(self.half, _FEW)]})

    def _tried(
        self, build: Build, how: Callable[..., Any], refused: set[str], *, limits: Limits, seconds: float, rows: int
    ) -> list[Trial]:
        """The settings of a build that reach the recall, the quickest first; none where the build fails."""
        try:
            made, lanes = how(
                build, limits, beat=self._beat(build.spec), seconds=seconds, target=self.goal.recall, keep=3,
                queries=[0, self.half],
            )  # fmt: skip
        except process.Refused as error:
            refused.add(build.engine)
            self.absent.append(Absent(build.engine, str(error)))
            return []
        except IndexingError as error:
            self.absent.append(Absent(build.spec, str(error)))
            return []
        found = [Trial(build, lane["settings"], {**made, **lane["figures"]}, rows) for lane in lanes]
        return sorted(found, key=lambda trial: trial.seconds)

    @property
    def half(self) -> int:
        """Queries that settings are chosen by; the others check the choice."""
        return max(1, int(len(self.whole.data.queries) * _HALF))

    def _raced(self, found: Sequence[Trial]) -> list[Trial]:
        """The last few, each with the settings between those that were tried, measured in turns."""
        there = sorted(filter(self.goal.met, found), key=self.goal.cost)
        close: dict[str, Trial] = {}
        for trial in there:
            if self.goal.cost(trial) <= _CLOSE * self.goal.cost(there[0]):
                close.setdefault(trial.build.spec, trial)
        raced: list[Trial] = []
        for trial in list(close.values())[:_FINALISTS]:
            raced += self._again(trial, ladder.between(self._ladders[trial.build.spec], trial.settings), keep=2)
            self._done += 1
        best = self._in_turns(raced)
        self.trials += best
        return [*sorted(filter(self.goal.met, best), key=self.goal.cost), *there]

    def _in_turns(self, rivals: Sequence[Trial], **words: Any) -> list[Trial]:
        """Each as it was at its quickest, measured again in turns, there and back: what disturbs only ever slows."""
        best = {trial.spec: trial for trial in rivals}
        for trial in [*reversed(rivals), *rivals]:
            for again in self._again(trial, [trial.settings], **words):
                if again.seconds < best[trial.spec].seconds:
                    best[trial.spec] = again
        return [*best.values()]

    def _again(self, trial: Trial, settings: Sequence[ladder.Settings], **words: Any) -> list[Trial]:
        """Search the saved index of a trial again; nothing where that fails."""
        build = trial.build.searched_with(settings)
        how = {"seconds": _RACE, "target": self.goal.recall, "queries": [0, self.half], **words}
        try:
            opened, lanes = self.whole.search(build, self.limits, beat=self._beat(trial.spec), **how)
        except IndexingError as error:
            self.absent.append(Absent(trial.spec, str(error)))
            return []
        figures = {**trial.figures, **opened}
        return [Trial(build, lane["settings"], {**figures, **lane["figures"]}, trial.rows) for lane in lanes]

    def checked(self, trial: Trial) -> Trial | None:
        """The trial measured on queries that it was not chosen by, or the next setting above that holds; None if none.

        A recall that is below the goal by less than its standard error holds.
        """
        settings = ladder.above(self._ladders[trial.build.spec], trial.settings)
        others = [self.half, len(self.whole.data.queries)]
        found = self._again(trial, settings, queries=others, target=None)
        return min(filter(self._holds, found), key=self.goal.cost, default=None)

    def living(self, fixed: Trial) -> Trial:
        """The same build with settings of its own choice for the asked recall, if that holds and costs little more.

        Such an engine chooses anew when it is built anew, so that it keeps the recall while the collection grows; fixed
        settings do not.
        """
        if not fixed.settings:
            return fixed
        build = Build(fixed.build.engine, {**fixed.build.parameters, "recall": self.goal.recall})
        words = {"seconds": _RACE, "queries": [self.half, len(self.whole.data.queries)]}
        try:
            made, lanes = self._built_and_searched(build, self.limits, beat=self._beat(build.spec), **words)
        except (process.Refused, IndexingError):
            return fixed
        found = Trial(build, {}, {**made, **lanes[0]["figures"]}, fixed.rows)
        rival, found = self._in_turns([fixed, found], queries=words["queries"])
        self.trials.append(found)
        return found if self._holds(found) and self.goal.cost(found) <= _LITTLE * self.goal.cost(rival) else fixed

    def _holds(self, trial: Trial) -> bool:
        recall = trial.recall + float(trial.figures["recall_error"])
        return self.goal.met(replace(trial, figures={**trial.figures, "recall": recall}))

    def _sample_limits(self) -> Limits:
        return replace(self.limits, seconds=min(self.limits.seconds, _SAMPLE_SECONDS))

    def _beat(self, what: str) -> Callable[[], None]:
        return lambda: self.watch(Progress(self._done, self._total, what, self._left()))

    def _left(self) -> float | None:
        """Seconds left, at the pace so far; None before there is one."""
        if self._done < _PACED:
            return None
        return (time.perf_counter() - self._begun) / self._done * (self._total - self._done)
