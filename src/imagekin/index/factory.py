"""What a FAISS factory string implies, and the search settings that reach a recall target on the rows themselves."""

from __future__ import annotations

import math
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.index import scan
from imagekin.index.best import rescored
from imagekin.index.rows import Rows

_K: Final = 10
_TOGETHER: Final = 64
"""Queries of a pass of the exact scan over all rows; more are little quicker and take memory for each row."""

_MANY: Final = 100
_QUERIES: Final = 256
"""What the exact scan answers in one pass over the rows."""

_FEW: Final = 20
"""Held-out rows below which nothing is learnt."""

_ERRORS: Final = 1.5
"""Standard errors by which the target must be passed."""

_FACTORS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 28, 40, 60, 100)


@dataclass(frozen=True)
class Factory:
    """A FAISS factory string, read as far as searching needs."""

    text: str

    @cached_property
    def lists(self) -> int:
        """Inverted lists of an IVF index; 0 without."""
        found = re.search(r"IVF(\d+)", self.text)
        return int(found[1]) if found else 0

    @cached_property
    def graph(self) -> bool:
        """Whether the rows themselves lie in an HNSW graph."""
        return "HNSW" in self.text and not self.lists

    @cached_property
    def clusters(self) -> bool:
        """Whether rows are coded by lists or codebooks, which are clusters."""
        return bool(self.lists) or "PQ" in self.text

    @cached_property
    def exact_codes(self) -> bool:
        """Whether vectors are kept as float32, so that re-ranking changes nothing but the last digits."""
        plain = re.fullmatch(r"(IVF\d+(_HNSW\d+)?,)?Flat|HNSW\d+(,Flat)?", self.text)
        return plain is not None

    @cached_property
    def filters(self) -> bool:
        """Whether FAISS honours a selector here: fast-scan codes refuse it or, worse, pass over it."""
        if "fs" in self.text or "fsr" in self.text:
            return False
        return bool(self.lists) or self.graph or re.fullmatch(r"(.*,)?(Flat|SQ\w+)", self.text) is not None

    @cached_property
    def least_rows(self) -> int:
        """Rows that training needs: 39 a centroid, FAISS's own minimum for a good clustering."""
        codes = [1 << int(found or 8) for found in re.findall(r"PQ\d+(?:x(\d+))?", self.text)]
        return max([1, *(39 * count for count in [self.lists, *codes])])

    def code_bytes(self, dim: int, index: Any) -> int:
        """Bytes a row takes in the index."""
        size = 4 * dim if self.exact_codes else index.sa_code_size()
        graph = re.search(r"HNSW(\d+)", self.text)
        return int(size) + (8 * int(graph[1]) if graph and self.graph else 0) + (8 if self.lists else 0)


@dataclass(frozen=True, slots=True)
class Tuned:
    """Search settings: ``width`` is nprobe or ef, ``rerank`` candidates a hit, ``recall`` what they reached.

    ``width`` is for up to 10 hits and ``wide`` for 100; 0 where nothing was measured for so many.
    """

    width: int
    rerank: int
    recall: float | None
    wide: int = 0

    def width_for(self, hits: float) -> int:
        """The width for so many hits: by the power law through the two that were measured."""
        if hits <= _K or self.wide <= self.width:
            return self.width
        grown: float = (hits / _K) ** math.log(self.wide / self.width, _MANY / _K)
        return math.ceil(self.width * grown)


def held_out_last(rows: Rows) -> tuple[NDArray[np.int64], int]:
    """An order of all rows, and how many at its end are a random sample to tune with before they are added.

    Rows that are in the index already are too easy as queries: a graph leads from each straight to its neighbours
    (measured: recall 0.995 where new queries reached 0.956).
    """
    live = np.flatnonzero(rows.live)
    count = min(_QUERIES, len(live) // 20)
    sample = np.sort(np.random.default_rng(1).choice(live, count, replace=False)) if count else live[:0]
    others = np.ones(len(rows), np.bool_)
    others[sample] = False
    return np.concatenate([np.flatnonzero(others), sample]).astype(np.int64), count


def tune(
    rows: Rows,
    metric: str,
    held_out: NDArray[np.int64],
    kind: Factory,
    parameters: Mapping[str, Any],
    *,
    candidates: Callable[..., NDArray[np.int64]],
) -> Tuned:
    """The quickest settings that find the asked share of the true 10 nearest of the held-out rows.

    Args:
        rows: what is indexed, all but the held-out ones.
        metric: of ``distance.py``.
        held_out: rows to ask for.
        kind: the index.
        parameters: of the engine; settings that are given there are kept.
        candidates: ``(queries, k=…, width=…)`` to row numbers, best first, −1 for none.
    """
    given = parameters["nprobe"] if kind.lists else parameters["ef"] if kind.graph else 0
    factors: Sequence[int] = (
        [parameters["rerank"]] if parameters["rerank"] is not None else [1] if kind.exact_codes else _FACTORS
    )
    factors = [factor for factor in factors if 4 * _K * factor <= len(rows)] or factors[:1]
    if len(held_out) < _FEW or (given is not None and len(factors) == 1):
        return Tuned(int(given or _widths(kind)[-1]), int(factors[-1]), None)
    probe = _Probe(rows, metric, held_out, candidates, most=int(factors[-1]))
    widths, target = [int(given)] if given is not None else _widths(kind), float(parameters["recall"])
    low = bisect_left(range(len(widths)), True, key=lambda at: probe.reaches(target, widths[at], factors[-1]))
    if low == len(widths):
        return Tuned(widths[-1], int(factors[-1]), probe.recall(widths[-1], factors[-1])[0])
    # a wider search needs fewer candidates; beyond a few steps it has become the slower way
    options = []
    for width in widths[low : low + (4 if len(factors) > 1 else 1)]:
        factor = next((each for each in factors if probe.reaches(target, width, each)), factors[-1])
        options.append(Tuned(width, int(factor), probe.recall(width, factor)[0]))
    best = min(options, key=probe.seconds) if len(options) > 1 else options[0]
    wider = [width for width in widths if width >= best.width]
    if len(wider) == 1 or len(rows) <= 4 * _MANY * best.rerank:
        return best
    at = bisect_left(range(len(wider)), True, key=lambda at: probe.reaches_many(target, wider[at], best.rerank))
    return replace(best, wide=wider[min(at, len(wider) - 1)])


def _widths(kind: Factory) -> list[int]:
    """Settings to try, ascending by a factor of about 1.4; 0 where the index has none."""
    if kind.lists:
        return sorted({min(kind.lists, round(2 ** (step / 2))) for step in range(2 * kind.lists.bit_length())})
    if kind.graph:
        return [round(16 * 2 ** (step / 2)) for step in range(13)]
    return [0]


class _Probe:
    """Recall@10 and time of settings, for the held-out rows as queries."""

    def __init__(
        self,
        rows: Rows,
        metric: str,
        held_out: NDArray[np.int64],
        candidates: Callable[..., NDArray[np.int64]],
        *,
        most: int,
    ) -> None:
        inside = rows.live.copy()
        inside[held_out] = False
        self._rows, self._metric, self._queries = rows, metric, rows.gather(held_out)
        self._candidates, self._most = candidates, most
        k = min(_MANY, int(inside.sum()))
        parts = range(0, len(self._queries), _TOGETHER)
        some = (self._queries[at : at + _TOGETHER] for at in parts)
        self._truth = np.concatenate([scan.nearest(rows, part, k, metric, allowed=inside)[0] for part in some])
        self._places: dict[int, NDArray[np.intp]] = {}

    def reaches(self, target: float, width: int, factor: int) -> bool:
        """Whether recall is at the target, with room for what so many queries leave to chance."""
        recall, error = self.recall(width, factor)
        return recall - _ERRORS * error >= target

    def recall(self, width: int, factor: int) -> tuple[float, float]:
        """Share of the true neighbours that are among ``10 x factor`` candidates, and its standard error.

        Re-ranking is exact and keeps them.
        """
        if width not in self._places:
            found = self._candidates(self._queries, k=_K * self._most, width=width)
            lines = [line == true[:_K, None] for line, true in zip(found, self._truth, strict=True)]
            self._places[width] = np.stack([np.where(at.any(axis=1), at.argmax(axis=1), 1 << 30) for at in lines])
        return _mean((self._places[width] < _K * factor).mean(axis=1))

    def reaches_many(self, target: float, width: int, factor: int) -> bool:
        """Likewise for the true 100 nearest, by a third of the queries."""
        some = slice(0, len(self._queries), 3)
        found = self._candidates(self._queries[some], k=_MANY * factor, width=width)
        lines = zip(found, self._truth[some], strict=True)
        recall, error = _mean(np.array([np.isin(true, line).mean() for line, true in lines]))
        return recall - _ERRORS * error >= target

    def seconds(self, tuned: Tuned) -> float:
        """Median time of one query, its candidates ranked anew."""
        times = []
        for query in self._queries[:31]:
            start = time.perf_counter()
            found = self._candidates(query[None], k=_K * tuned.rerank, width=tuned.width)
            rescored(self._rows, query[None], found, _K, self._metric)
            times.append(time.perf_counter() - start)
        return float(np.median(times))


def _mean(shares: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the queries' shares and its standard error; hits of one query are not independent."""
    return float(shares.mean()), float(shares.std()) / math.sqrt(len(shares))
