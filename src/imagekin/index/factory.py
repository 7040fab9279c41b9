"""What a FAISS factory string implies, and the search settings that reach a recall target on the rows themselves."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.index import scan
from imagekin.index.rows import Rows

_K: Final = 10
_QUERIES: Final = 300
_FACTORS: Final = (1, 2, 4, 7, 10, 20, 40, 100)


@dataclass(frozen=True, slots=True)
class Factory:
    """A FAISS factory string, read as far as searching needs."""

    text: str

    @property
    def lists(self) -> int:
        """Inverted lists of an IVF index; 0 without."""
        found = re.search(r"IVF(\d+)", self.text)
        return int(found[1]) if found else 0

    @property
    def graph(self) -> bool:
        """Whether the rows themselves lie in an HNSW graph."""
        return "HNSW" in self.text and not self.lists

    @property
    def exact_codes(self) -> bool:
        """Whether vectors are kept as float32, so that re-ranking changes nothing but the last digits."""
        plain = re.fullmatch(r"(IVF\d+(_HNSW\d+)?,)?Flat|HNSW\d+(,Flat)?", self.text)
        return plain is not None

    @property
    def filters(self) -> bool:
        """Whether FAISS honours a selector here: fast-scan codes refuse it or, worse, pass over it."""
        if "fs" in self.text or "fsr" in self.text:
            return False
        return bool(self.lists) or self.graph or re.fullmatch(r"(.*,)?(Flat|SQ\w+)", self.text) is not None

    @property
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
    """Search settings: ``width`` is nprobe or ef, ``rerank`` candidates a hit, ``recall`` what they reached."""

    width: int
    rerank: int
    recall: float | None


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
        candidates: ``(queries, k=…, width=…)`` to row numbers, −1 for none.
    """
    given = parameters["nprobe"] if kind.lists else parameters["ef"] if kind.graph else 0
    factors = [parameters["rerank"]] if parameters["rerank"] is not None else [1] if kind.exact_codes else _FACTORS
    if len(rows) <= 4 * _K * max(factors) or not len(held_out) or (given is not None and len(factors) == 1):
        return Tuned(int(given or 64), int(factors[0] if len(factors) == 1 else 10), None)
    probe = _Probe(rows, metric, held_out, candidates)
    best: tuple[float, Tuned] | None = None
    recall = 0.0
    for width in [int(given)] if given is not None else _widths(kind):
        recall = probe.recall(width, factors[-1])
        if best and (len(factors) == 1 or width > 4 * best[1].width):
            break
        if recall < parameters["recall"]:
            continue
        factor = next(factor for factor in factors if probe.recall(width, factor) >= min(recall, parameters["recall"]))
        seconds = probe.seconds(width, factor)
        if best is None or seconds < best[0]:
            best = seconds, Tuned(width, int(factor), probe.recall(width, factor))
        if factor == factors[0]:
            break
    return best[1] if best else Tuned(width, int(factors[-1]), recall)


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
        self, rows: Rows, metric: str, held_out: NDArray[np.int64], candidates: Callable[..., NDArray[np.int64]]
    ) -> None:
        inside = rows.live.copy()
        inside[held_out] = False
        self._rows, self._queries, self._candidates = rows, rows.gather(held_out), candidates
        self._truth = scan.nearest(rows, self._queries, _K, metric, allowed=inside)[0]
        self._known: dict[tuple[int, int], float] = {}

    def recall(self, width: int, factor: int) -> float:
        """Share of the true neighbours that are among ``10 x factor`` candidates; the exact re-ranking keeps them."""
        if (width, factor) not in self._known:
            found = self._candidates(self._queries, k=_K * factor, width=width)
            hits = [np.isin(true, line).mean() for line, true in zip(found, self._truth, strict=True)]
            self._known[width, factor] = float(np.mean(hits))
        return self._known[width, factor]

    def seconds(self, width: int, factor: int) -> float:
        """Median time of one query and of reading its candidates."""
        times = []
        for query in self._queries[:15]:
            start = time.perf_counter()
            found = self._candidates(query[None], k=_K * factor, width=width)[0]
            self._rows.gather(np.maximum(found, 0))
            times.append(time.perf_counter() - start)
        return float(np.median(times))
