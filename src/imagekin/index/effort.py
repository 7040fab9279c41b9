"""How hard an engine looks: the quickest search settings that reach a recall target, measured on queries."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin.index import scan
from imagekin.index.best import rescored
from imagekin.index.rows import Rows
from imagekin.types import Distances, Vectors

log = logging.getLogger(__name__)

Ask: TypeAlias = Callable[[Vectors, int, float], NDArray[np.int64]]
"""``(queries, k, width)`` to row numbers ``(q, k)``, −1 for none."""

K: Final = 10
"""Hits that the recall target is about."""

MANY: Final = 100
"""Hits at which the target is looked at once more: more hits need a wider search."""

LEAST: Final = 500
"""Live rows below which nothing is measured: there the widest search takes no time."""

_QUERIES: Final = 256
"""What the exact scan answers in one pass over the rows."""

_TOGETHER: Final = 64
"""Queries of a pass; more are little quicker and take memory for each row."""

FEWER: Final = 100
"""Queries for 100 hits."""

_ERRORS: Final = 1.5
"""Standard errors by which the target must be passed: what is measured on 256 queries is to hold for all."""

SHORT: Final = 0.005
"""How far below the target the best may stay; further down the engine is not up to these vectors."""

_OPTIONS: Final = 4
"""Widths, each two steps wider, whose times are compared where candidates are re-ranked."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Search settings.

    Attributes:
        width: ef, nprobe … for up to 10 hits.
        wide: the same for 100 hits; None where no width is enough.
        rerank: candidates for each hit.
        recall: share of the 10 nearest that was reached; None where nothing was measured.
        count: rows among which they were found.
        hopeless: whether even the widest search stayed clearly below the target.
    """

    width: float = 0
    wide: float | None = 0
    rerank: int = 1
    recall: float | None = None
    count: int = 0
    hopeless: bool = False

    def for_hits(self, k: int) -> float | None:
        """The width for *k* hits; None where only the exact scan finds as many.

        From 10 to 100 hits it rises by their logarithm, which is above the power law that was measured (ef and
        candidates grow with the root of k); beyond, in proportion to k.
        """
        if k <= K or self.wide is None:
            return self.width if k <= K else None
        rise = max(0, self.wide - self.width)  # 0 in files of old stands for what was not measured
        return self.width + rise * (math.log(k / K, MANY / K) if k <= MANY else 1 + (k - MANY) / (MANY - K))


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings to choose from, each ascending in time and in recall, and the recall that is wanted."""

    widths: Sequence[float]
    reranks: Sequence[int]
    target: float


def judged(found: Effort, choice: Choice, engine: str, given: Collection[str], knob: str) -> Effort:
    """*found*, with a word in the log where it stays below the target; searches are exact then.

    What was given is used as it is: without a word where it is the *knob* itself, which decides the recall.
    """
    if not found.hopeless:
        return found
    if knob not in given:
        way = (
            f"leave {' and '.join(sorted(given))} out or give more"
            if given
            else ("searches are exact; ask for less or choose another engine")
        )
        words = "%s finds %.3f of the nearest at most, below the recall of %s that was asked for: %s"
        log.warning(words, engine, found.recall, choice.target, way)
    return replace(found, hopeless=not given)


def ladder(least: int, most: int) -> list[int]:
    """Whole numbers from *least* to *most*, each about a fifth above the one before."""
    steps = range(4 * max(1, most // max(1, least)).bit_length() + 1)
    return sorted({most, *(step for n in steps if (step := round(least * 2 ** (n / 4))) < most)})


def find(probe: Probe, choice: Choice) -> Effort:
    """The quickest settings that surely reach the target; the widest where none does."""
    widths, reranks, target = choice.widths, choice.reranks, choice.target
    low = _first(len(widths), lambda at: probe.reaches(target, widths[at], reranks[-1]))
    if low == len(widths):
        widest = Effort(widths[-1], widths[-1], reranks[-1])
        recall = probe.recall(widest.width, widest.rerank)[0]
        return replace(widest, recall=recall, hopeless=recall < target - SHORT)
    # a wider search needs fewer candidates; beyond a few steps it has become the slower way
    options = []
    for width in widths[low : low + 2 * _OPTIONS : 2] if len(reranks) > 1 else [widths[low]]:
        enough = [at for at in range(len(reranks) - 1) if probe.reaches(target, width, reranks[at])][:1] or [-1]
        rerank = reranks[enough[0]]
        options.append(Effort(width, width, rerank, probe.recall(width, rerank)[0]))
    best = min(options, key=probe.seconds) if len(options) > 1 else options[0]
    return replace(best, wide=_wide(probe, choice, best))


def _wide(probe: Probe, choice: Choice, best: Effort) -> float | None:
    """The width for 100 hits."""
    widths = [width for width in choice.widths if width >= best.width]
    if len(choice.widths) == 1:
        return best.width
    if not probe.many(best.rerank):
        return widths[-1]
    at = _first(len(widths), lambda at: probe.reaches(choice.target, widths[at], best.rerank, MANY))
    if at < len(widths):
        return widths[at]
    return widths[-1] if probe.recall(widths[-1], best.rerank, MANY)[0] >= choice.target - SHORT else None


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The first position that *holds*, where all behind it do; *count* if none.

    Positions 0, 1, 3, 7 … are looked at first: those further on take longer.
    """
    low, at = 0, 0
    while at < count and not holds(at):
        low, at = at + 1, 2 * at + 1
    high = min(at, count)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


@dataclass(slots=True)
class Probe:
    """Recall and time of settings, as a caller of ``search`` sees them.

    Attributes:
        rows: what is searched.
        metric: of ``distance.py``.
        queries: ``(q, dim)`` to ask.
        near: the true 100 nearest, ``(q, 100)``.
        true: their distances, a little more for rounding, ``(q, 100)``.
        ask: finds candidates.
    """

    rows: Rows
    metric: str
    queries: Vectors
    near: NDArray[np.int64]
    true: Distances
    ask: Ask
    _known: dict[tuple[float, int, int], tuple[float, float]] = field(default_factory=dict)

    def many(self, rerank: int) -> bool:
        """Whether there are enough rows to look at 100 hits."""
        return 4 * MANY * rerank <= len(self.rows)

    def reaches(self, target: float, width: float, rerank: int, k: int = K) -> bool:
        """Whether recall is surely at the target or above."""
        recall, error = self.recall(width, rerank, k)
        return recall - _ERRORS * error >= target

    def recall(self, width: float, rerank: int, k: int = K) -> tuple[float, float]:
        """Share of *k* hits that are as near as the true k-th, so that ties count, and its standard error."""
        key = width, rerank, k
        if key not in self._known:
            queries = self.queries if k == K else self.queries[:FEWER]
            found = self.ask(queries, k * rerank, width)
            distances = rescored(self.rows, queries, found, k, self.metric)[1]
            shares = (distances <= self.true[: len(queries), k - 1 : k]).mean(axis=1)
            self._known[key] = mean(shares)
        return self._known[key]

    def seconds(self, effort: Effort) -> float:
        """Median time of one query and of reading its candidates."""
        times = []
        for query in self.queries[:31]:
            start = time.perf_counter()
            found = self.ask(query[None], K * effort.rerank, effort.width)
            rescored(self.rows, query[None], found, K, self.metric)
            times.append(time.perf_counter() - start)
        return float(np.median(times))


def mean(shares: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the queries' shares and its standard error; hits of one query are not independent."""
    return float(shares.mean()), float(shares.std() / np.sqrt(len(shares)))


def held_out_last(rows: Rows) -> tuple[NDArray[np.int64], int]:
    """An order of all rows, and how many at its end are a random sample to ask for: up to 256, or a quarter of few.

    Rows that are in the structure already are too easy as queries: a graph leads from each straight to its neighbours
    (measured: recall 0.995 where new queries reached 0.956).  Made ones are no help: rows moved by the difference of
    two neighbours were as hard as new queries on real embeddings, but easier by 0.03 on rows in narrow clusters.
    """
    live = np.flatnonzero(rows.live)
    count = min(_QUERIES, len(live) // 4)
    sample = np.sort(np.random.default_rng(1).choice(live, count, replace=False))
    others = np.ones(len(rows), np.bool_)
    others[sample] = False
    return np.concatenate([np.flatnonzero(others), sample]).astype(np.int64), count


def probe(rows: Rows, metric: str, sample: NDArray[np.int64], ask: Ask, *, held: bool = True) -> Probe:
    """A probe whose queries are the rows of a sample, which the structure does not hold, unless not *held* out."""
    inside = rows.live.copy()
    inside[sample] = not held
    queries = rows.gather(sample)
    some = (queries[at : at + _TOGETHER] for at in range(0, len(queries), _TOGETHER))
    parts = [scan.nearest(rows, part, MANY, metric, allowed=inside) for part in some]
    near, true = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    # float32 products of one pair differ by the order of adding
    true += 1e-6 * np.maximum(1, np.abs(true))
    return Probe(rows, metric, queries, near, true, ask)
