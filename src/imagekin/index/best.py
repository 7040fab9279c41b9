"""Candidates of an exact search, kept until rounding can no longer matter, and put in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import SMALL, normalized, rowwise
from imagekin.index.rows import BLOCK, Mask, Rows
from imagekin.index.workers import CORES, each, ranges
from imagekin.types import Distances, Vectors

Found: TypeAlias = tuple[NDArray[np.int64], Distances]
"""Row numbers and distances, both ``(q, k)``; −1 and ``inf`` where there is nothing."""

SLACK: Final = 4e-6
"""Bound on the relative rounding error of a float32 product of up to some thousand elements, with room."""

_PARALLEL: Final = 1 << 18
"""Keys from which a second core pays for its wake-up."""

_GLANCE: Final = 1024
"""Keys that tell a first bound."""

_WAITING: Final = 64
"""Candidates, besides some for each hit, that may wait before the best of them are looked for."""

_FINITE: Final = np.finfo(np.float32).max

_SHORT_LINE: Final = 128
"""Hits of one query up to which a list is read quicker than an array."""

_VECDOT: Final[Any] = getattr(np, "vecdot", None)  # NumPy 2; three times as fast as einsum


@dataclass(frozen=True, slots=True)
class Task:
    """What to find: the k nearest of each query among the rows from ``start`` on, or the ``wanted`` ones of these."""

    rows: Rows
    queries: Vectors
    k: int
    metric: str
    start: int = 0
    wanted: Mask | None = None


class Best:
    """The k nearest so far, and all that rounding might have put behind them.

    A *key* orders as the distance does but is cheaper: −cos, −⟨q,x⟩ or ‖x‖² − 2⟨q,x⟩.  Candidates within the rounding
    error of the k-th key are kept, and where these are many (equal vectors), exact distances decide.
    """

    def __init__(self, task: Task) -> None:
        self.rows, self.k, self.metric, self.given = task.rows, task.k, task.metric, task.queries
        queries = task.queries
        self.queries = normalized(queries) if task.metric == "cosine" else queries
        self.lengths = lengths(self.queries)
        self.largest = 0.0  # length of the longest row so far; the caller's to keep
        self.bounds = np.full(len(queries), np.inf)
        self.values: list[list[NDArray[np.float32]]] = [[] for _ in queries]
        self.numbers: list[list[NDArray[np.int64]]] = [[] for _ in queries]
        self.counts = [0 for _ in queries]

    def keys(self, vectors: Vectors, norms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Keys ``(q, b)`` of a block of rows."""
        return self.keyed(_products(self.queries, vectors), norms)

    def keyed(self, products: NDArray[np.float32], norms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Keys out of ⟨q, x⟩, ``(q, b)``; in place."""
        if self.metric == "euclidean":
            products *= -2
            products += norms * norms
            return products
        if self.metric == "cosine":
            products /= np.where(norms == 0, np.float32(1), norms)
        return np.negative(products, out=products)

    def offer(self, numbers: NDArray[np.int64], keys: NDArray[np.float32]) -> None:
        """Consider rows *numbers* ``(b,)`` with *keys* ``(q, b)``; infinite keys are not candidates."""
        cores = CORES if keys.size >= _PARALLEL else 1
        each(lambda part: self._consider(numbers, keys, part), ranges(0, len(keys), cores))

    def _consider(self, numbers: NDArray[np.int64], keys: NDArray[np.float32], part: tuple[int, int]) -> None:
        """Likewise for some of the queries."""
        low, lines, width = part[0], keys[slice(*part)], keys.shape[1]
        if np.isinf(self.bounds[slice(*part)]).any() and self.k <= _GLANCE < width:
            self._glance(low, lines[:, :_GLANCE])
        # a bound rounded up keeps a candidate more
        limits = np.nextafter(self.bounds[slice(*part)].astype(np.float32), np.float32(np.inf))
        at = np.flatnonzero(lines <= np.minimum(limits, _FINITE)[:, None])
        if not len(at):
            return
        line, column = np.divmod(at, width)
        values, found = lines[line, column], numbers[column]
        ends = np.searchsorted(line, np.arange(len(lines) + 1)).tolist()
        for i, (start, stop) in enumerate(pairwise(ends), low):
            if start < stop:
                self.values[i].append(values[start:stop])
                self.numbers[i].append(found[start:stop])
                self.counts[i] += stop - start
                if self.counts[i] > 8 * self.k + _WAITING:
                    self.shrink(i)

    def _glance(self, low: int, lines: NDArray[np.float32]) -> None:
        """Bounds for the first time, out of some of the keys: otherwise all of a stretch would be candidates."""
        for i, value in enumerate(np.partition(lines, self.k - 1, axis=1)[:, self.k - 1].tolist(), low):
            self.bounds[i] = min(self.bounds[i], value + self._slack(i))

    def _slack(self, i: int) -> float:
        if self.metric == "cosine":
            return SLACK
        reach = self.largest * float(self.lengths[i])
        return SLACK * (reach if self.metric == "inner" else self.largest**2 + 2 * reach)

    def shrink(self, i: int) -> NDArray[np.int64]:
        """Keep what may be among the k nearest of query *i*, and return their row numbers."""
        if not self.counts[i]:
            return np.empty(0, np.int64)
        values, numbers, k = np.concatenate(self.values[i]), np.concatenate(self.numbers[i]), self.k
        if len(values) > k:
            self.bounds[i] = float(np.partition(values, k - 1)[k - 1]) + self._slack(i)
            keep = np.flatnonzero(values <= self.bounds[i])
            if len(keep) > max(4 * k, 256):
                keep = keep[np.argsort(numbers[keep])]
                keep = keep[self._exactly(i, numbers[keep])]
            values, numbers = values[keep], numbers[keep]
        self.values[i], self.numbers[i], self.counts[i] = [values], [numbers], len(values)
        return numbers

    def _exactly(self, i: int, numbers: NDArray[np.int64]) -> NDArray[np.intp]:
        """Positions of the k best of *numbers* by (distance, id)."""
        query, step = self.given[i : i + 1], max(1, BLOCK // self.rows.dim)
        parts = [numbers[at : at + step] for at in range(0, len(numbers), step)]
        exact = [rowwise(query, self.rows.gather(part)[None], self.metric)[0] for part in parts]
        return np.lexsort((self.rows.ids[numbers], np.concatenate(exact)))[: self.k]


def merged(parts: Sequence[Best]) -> NDArray[np.int64]:
    """Candidates of all parts, ``(q, c)``, padded with −1."""
    queries = range(len(parts[0].counts))
    lines = [np.concatenate([part.shrink(i) for part in parts]) for i in queries]
    found = np.full((len(lines), max(map(len, lines))), -1, np.int64)
    for line, numbers in zip(found, lines, strict=True):
        line[: len(numbers)] = numbers
    return found


def rescored(rows: Rows, queries: Vectors, found: NDArray[np.int64], k: int, metric: str) -> Found:
    """The k best of each query's own candidates *found* ``(q, c)`` (−1 = none), with exact distances, in order."""
    step = max(1, 4 * BLOCK // max(1, found.shape[1] * rows.dim))
    if len(queries) <= step:
        return _rescored(rows, queries, found, k, metric)

    def work(part: tuple[int, int]) -> list[Found]:
        some = [slice(at, min(at + step, part[1])) for at in range(*part, step)]
        return [_rescored(rows, queries[lines], found[lines], k, metric) for lines in some]

    parts = [part for done in each(work, ranges(0, len(queries), CORES)) for part in done]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _rescored(rows: Rows, queries: Vectors, found: NDArray[np.int64], k: int, metric: str) -> Found:
    vectors = rows.gather(np.maximum(found, 0).ravel()).reshape(*found.shape, rows.dim)
    return ordered(rows, found, rowwise(queries, vectors, metric), k)


def settled(found: NDArray[np.int64], distances: Distances) -> bool:
    """Whether every line ascends strictly to a finite end and no row is missing, so that nothing is left to order."""
    if len(found) == 1 and distances.shape[1] <= _SHORT_LINE:
        last = -math.inf  # Python is quicker than NumPy on so few numbers
        for distance in distances.tolist()[0]:
            if not distance > last:
                return False
            last = distance
        return last < math.inf and -1 not in found.tolist()[0]
    ascending = bool((distances[:, :-1] < distances[:, 1:]).all())
    return ascending and bool((distances[:, -1] < np.inf).all()) and int(found.min()) >= 0


def ordered(rows: Rows, found: NDArray[np.int64], distances: Distances, k: int) -> Found:
    """Sort each line by (distance, id), drop what is −1, cut to k, pad."""
    if found.shape[1] >= k > 0 and len(found) and settled(found, distances):
        return (found, distances) if found.shape[1] == k else (found[:, :k], distances[:, :k])
    if len(found) == 1 and found.shape[1] >= k > 0 and int(found.min()) >= 0:
        line = _line(rows, found[0], distances[0], k)
        if line is not None:
            return line
    numbers = np.full((len(found), k), -1, np.int64)
    result = np.full((len(found), k), np.inf, np.float32)
    if not found.shape[1] or not len(rows):
        return numbers, result
    distances = np.where(found < 0, np.float32(np.inf), distances)
    order = np.lexsort((rows.named(found), distances), axis=1)[:, :k]
    lines, width = np.arange(len(found))[:, None], order.shape[1]
    numbers[:, :width], result[:, :width] = found[lines, order], distances[lines, order]
    return numbers, result


def _line(rows: Rows, found: NDArray[np.int64], distances: Distances, k: int) -> Found | None:
    """The k best of one query's candidates, in order; of many, those that are no farther than the k-th are sorted."""
    if len(found) > 4 * k:
        near = np.flatnonzero(distances <= np.partition(distances, k - 1)[k - 1])
        if len(near) < k:
            return None
        found, distances = found[near], distances[near]
    order = np.lexsort((rows.named(found), distances))[:k]
    return found[order][None], distances[order][None]


def _products(queries: Vectors, vectors: Vectors) -> NDArray[np.float32]:
    """⟨q, x⟩ of every query and row, ``(q, n)``; for one or two queries without BLAS's threads, which cost more."""
    if len(queries) > 2:
        return queries @ vectors.T
    result = np.empty((len(queries), len(vectors)), np.float32)
    for line, query in zip(result, queries, strict=True):
        if _VECDOT is not None:
            _VECDOT(vectors, query, out=line)
        else:
            np.einsum("ij,j->i", vectors, query, out=line)
    return result


def lengths(vectors: Vectors) -> NDArray[np.float32]:
    """Euclidean length of each row, ``(n,)``; of rows so short that their squares vanish too."""
    result: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    if len(result) and not result.min() > SMALL:
        short = np.flatnonzero(result <= SMALL)
        result[short] = np.linalg.norm(vectors[short].astype(np.float64), axis=1)
    return result
