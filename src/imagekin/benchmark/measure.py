"""The stop-watch: building, opening and searching one index, in the process that it has to itself."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.benchmark import memory, truth
from imagekin.errors import IndexingError
from imagekin.index import ENGINES
from imagekin.index.base import Index
from imagekin.types import Distances, Ids, Vectors

ROUNDS: Final = 5
"""Turns that every setting has; rates are those of the best one, as in ann-benchmarks: disturbances only ever slow."""

_WARM: Final = 10
_FEWEST: Final = 3

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One index to measure.

    Attributes:
        engine: name in the registry.
        parameters: what it is built with, first settings included.
        train: ``(n, dim)``, mapped and read-only.
        queries: ``(q, dim)``.
        true: distances of the true neighbours, ``(q, k)``.
        metric: of ``distance.py``.
        folder: where the index is saved.
    """

    engine: str
    parameters: Mapping[str, Any]
    train: NDArray[Any]
    queries: Vectors
    true: truth.Doubles
    metric: str
    folder: Path

    @property
    def k(self) -> int:
        """Hits wanted."""
        return int(self.true.shape[1])

    def make(self) -> Index:
        """An empty index."""
        made: Index = ENGINES.load(self.engine)(self.train.shape[1], self.metric, **self.parameters)
        return made

    def open(self) -> Index:
        """The saved index, over the mapped rows."""
        engine: type[Index] = ENGINES.load(self.engine)
        chunks = [(np.arange(len(self.train)), self.train)]
        return engine.open(self.folder, self.train.shape[1], self.metric, chunks=chunks, **self.parameters)


@dataclass(slots=True)
class Lane:
    """What was measured of one setting.

    Attributes:
        settings: of searching.
        score: recall and so on.
        each: estimated seconds of one query.
        times: seconds of each single query, a list a round.
        batches: queries a second, in batches.
    """

    settings: Mapping[str, Any]
    score: truth.Score
    each: float
    times: list[list[float]] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)

    def figures(self) -> Figures:
        """As plain data; times in milliseconds."""
        taken = np.concatenate([np.asarray(turn) for turn in self.times]) * 1e3
        low, high = np.percentile(taken, [50, 99])
        return {
            "recall": self.score.recall,
            "recall_error": self.score.error,
            "first": self.score.first,
            "distance_error": self.score.distance_error,
            "p50_ms": float(low),
            "p99_ms": float(high),
            "single_qps": max(len(turn) / sum(turn) for turn in self.times),
            "batch_qps": max(self.batches, default=None),
        }


def build(task: Task) -> Figures:
    """Build and save the index: seconds, bytes in memory by two counts, bytes on disk."""
    task.make()  # loads the library, which is not the index's time or memory
    _touch(task.train)
    before = memory.anonymous()
    index = task.make()
    start = time.perf_counter()
    index.build(np.arange(len(task.train)), task.train, checked=True)
    seconds = time.perf_counter() - start
    _check_built(task, index)
    after = memory.anonymous()
    figures: Figures = {"build_s": seconds, "own_bytes": index.memory_bytes()}
    if before is not None and after is not None:
        figures["built_bytes"] = max(0, after - before)
    index.save(task.folder, vectors=False)
    figures["disk_bytes"] = sum(file.stat().st_size for file in task.folder.rglob("*") if file.is_file())
    return figures


def _check_built(task: Task, index: Index) -> None:
    """The exact scan, which answers where an engine does not, is not measured under that engine's name.

    Raises:
        IndexingError: it has built nothing, or finds too little.
    """
    if task.engine != "exact" and not index.built:
        raise IndexingError(
            f"{task.engine} builds nothing over {len(task.train):,} rows, which are compared one by one instead."
        )
    tuned = getattr(index, "tuned", None)
    if tuned is not None and tuned.hopeless:
        raise IndexingError(f"{task.engine} finds {tuned.recall:.3f} of the nearest at most; searches would be exact.")


def search(
    task: Task, settings: Sequence[Mapping[str, Any]], *, seconds: float, target: float | None = None, keep: int = 0
) -> tuple[Figures, list[Lane]]:
    """Open the index and measure settings in turns.

    Args:
        task: what was built.
        settings: of searching.
        seconds: to spend on each, in single queries and again in batches.
        target: measure the speed of those only that reach this recall; of the best one where none does.
        keep: measure the speed of that many of them only, the quickest at first sight; 0 = of all.

    Returns:
        Figures of the index, and the lanes that were measured.
    """
    task.make()
    _touch(task.train)
    before = memory.anonymous()
    start = time.perf_counter()
    index = task.open()
    figures: Figures = {"open_s": time.perf_counter() - start}
    lanes = _looked_at(task, index, settings, target=target, keep=keep)
    after = memory.anonymous()
    if before is not None and after is not None:
        figures["anonymous_bytes"] = max(0, after - before)
    lanes = _shortlist(lanes, target, keep)
    _race(task, index, lanes, seconds=seconds)
    return figures, lanes


def trial(
    task: Task, settings: Sequence[Mapping[str, Any]], *, seconds: float, target: float | None = None, keep: int = 0
) -> tuple[Figures, list[Lane]]:
    """Build and ``search`` at once, nothing saved: for a first impression."""
    task.make()
    _touch(task.train)
    before, start = memory.anonymous(), time.perf_counter()
    index = task.make()
    index.build(np.arange(len(task.train)), task.train, checked=True)
    figures: Figures = {"build_s": time.perf_counter() - start, "own_bytes": index.memory_bytes()}
    after = memory.anonymous()
    if before is not None and after is not None:
        figures["anonymous_bytes"] = max(0, after - before)
    lanes = _shortlist(_looked_at(task, index, settings, target=target, keep=keep), target, keep)
    _race(task, index, lanes, seconds=seconds)
    return figures, lanes


def _looked_at(
    task: Task, index: Index, settings: Sequence[Mapping[str, Any]], *, target: float | None, keep: int
) -> list[Lane]:
    """A lane for each of the settings; along one ladder no further than *keep* beyond the target."""
    lanes: list[Lane] = []
    for each in settings:
        good = [lane for lane in lanes if target is not None and lane.score.recall >= target]
        if keep and len(good) >= keep and len(each) == 1:
            break
        lanes.append(_first_look(task, index, each))
    return lanes


def _first_look(task: Task, index: Index, settings: Mapping[str, Any]) -> Lane:
    """Recall over all queries, and what a query costs about."""
    index.adjust(settings)
    each = min(_clocked(lambda query: index.search(query, task.k), task.queries[:_WARM])[1:] or [0.0])
    found, told = _all(index, task)
    score = truth.score(task.true, truth.distances(task.train, task.queries, found, metric=task.metric), told)
    return Lane(settings, score, max(each, 1e-6))


def _all(index: Index, task: Task) -> tuple[Ids, Distances]:
    return index.search(task.queries, task.k)


def _shortlist(lanes: list[Lane], target: float | None, keep: int) -> list[Lane]:
    if target is not None:
        good = [lane for lane in lanes if lane.score.recall >= target]
        lanes = good or [max(lanes, key=lambda lane: (lane.score.recall, -lane.each))]
    return sorted(lanes, key=lambda lane: lane.each)[:keep] if keep else lanes


def _race(task: Task, index: Index, lanes: Sequence[Lane], *, seconds: float) -> None:
    """Every setting has its turn in every round, each time after another one.

    One that another setting clearly beats in both respects gets a tenth of the time: nobody will choose it.
    """
    share = {id(lane): seconds / 10 if any(_beats(other, lane) for other in lanes) else seconds for lane in lanes}
    gc.collect()
    gc.disable()
    try:
        for turn in range(ROUNDS):
            for lane in (*lanes[turn % len(lanes) :], *lanes[: turn % len(lanes)]):
                index.adjust(lane.settings)
                some = task.queries[: max(_FEWEST, round(share[id(lane)] / ROUNDS / lane.each))]
                _clocked(lambda query: index.search(query, task.k), some[:_FEWEST])
                lane.times.append(_clocked(lambda query: index.search(query, task.k), some))
                if turn < ROUNDS - 2:
                    lane.batches.append(_batched(index, task, lane, seconds=share[id(lane)] / (ROUNDS - 2)))
    finally:
        gc.enable()


def _beats(one: Lane, other: Lane) -> bool:
    return one.score.recall >= other.score.recall and one.each < 0.6 * other.each


def _batched(index: Index, task: Task, lane: Lane, *, seconds: float) -> float:
    """Queries a second, given all at once: as many as fit in *seconds* when each takes as long as alone, or more."""
    some = task.queries[: max(32, round(2 * seconds / lane.each))]
    start, done = time.perf_counter(), 0
    while True:
        index.search(some, task.k)
        done += len(some)
        taken = time.perf_counter() - start
        if taken > seconds / 4:
            return done / taken


def _clocked(ask: Callable[[Vectors], object], queries: Vectors) -> list[float]:
    times = []
    for query in queries:
        start = time.perf_counter()
        ask(query)
        times.append(time.perf_counter() - start)
    return times


def _touch(train: NDArray[Any]) -> None:
    """Read every row once, so that no index pays for the disk."""
    step = max(1, (1 << 24) // max(1, train.shape[1]))
    for at in range(0, len(train), step):
        train[at : at + step].view(np.uint8).max()
