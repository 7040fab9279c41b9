"""What a FAISS factory string implies, and how its search settings are measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.index import effort
from imagekin.index.effort import Ask, Choice, K, Probe, ladder
from imagekin.index.rows import Rows

_NOWHERE: Final = 1 << 30

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
    def knob(self) -> str:
        """The option that is its width; "" without one."""
        return "nprobe" if self.lists else "ef" if self.graph else ""

    @cached_property
    def fewest(self) -> int:
        """Rows that training cannot do without: one for each centroid."""
        return self.least_rows // 39

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

    def choice(self, parameters: Mapping[str, Any], count: int) -> Choice:
        """The search settings to choose from over *count* rows; those that are given stay."""
        given, rerank = parameters[self.knob] if self.knob else None, parameters["rerank"]
        factors = [factor for factor in _FACTORS if 4 * K * factor <= count] or [1]
        if rerank is not None or self.exact_codes:
            factors = [int(rerank or 1)]
        widths = self._widths() if given is None else [int(given)]
        return Choice(widths, factors, float(parameters["recall"]))

    def _widths(self) -> list[int]:
        if self.lists:
            return ladder(1, self.lists)
        return ladder(16, 1024) if self.graph else [0]


def probe(rows: Rows, metric: str, held_out: NDArray[np.int64], ask: Ask, most: int) -> Ordered:
    """A probe of FAISS, whose candidates come best first; *most* are the candidates for each hit, at the most."""
    plain = effort.probe(rows, metric, held_out, ask)
    return Ordered(rows, metric, plain.queries, plain.near, plain.true, ask, most=most)


@dataclass(slots=True)
class Ordered(Probe):
    """A probe of what finds candidates best first: one search says what fewer candidates would hold.

    Re-ranking is exact and keeps every true neighbour that is among the candidates, so it need not be done.

    Attributes:
        most: candidates for each hit, at the most.
    """

    most: int = 1
    _places: dict[float, NDArray[np.intp]] = field(default_factory=dict)

    def recall(self, width: float, rerank: int, k: int = K) -> tuple[float, float]:
        """Share of the true *k* nearest that are among ``k * rerank`` candidates, and its standard error."""
        if k == K:
            if width not in self._places:
                self._places[width] = self._looked_up(width)
            return effort.mean((self._places[width] < K * rerank).mean(axis=1))
        found = self.ask(self.queries[: effort.FEWER], k * rerank, width)
        lines = zip(found, self.near[: effort.FEWER], strict=True)
        return effort.mean(np.array([np.isin(near[:k], line).mean() for line, near in lines]))

    def _looked_up(self, width: float) -> NDArray[np.intp]:
        """Where among the candidates the first K are that are as near as the true K-th, ``(q, K)``."""
        found, ties = self.ask(self.queries, K * self.most, width), (self.true <= self.true[:, K - 1 : K]).sum(axis=1)
        lines = []
        for candidates, near, count in zip(found, self.near, ties, strict=True):
            there = candidates == near[:count, None]
            lines.append(np.sort(np.where(there.any(axis=1), there.argmax(axis=1), _NOWHERE))[:K])
        return np.stack(lines)
