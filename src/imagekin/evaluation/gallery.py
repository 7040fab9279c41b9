"""Exact rankings of whole galleries, some queries at a time: fixed memory, every core, ties by id.

A *key* orders as the distance does but is cheaper: −cos, −⟨q,x⟩ or ‖x‖² − 2⟨q,x⟩, in float32.  Equal vectors have equal
keys, whatever the matrix product's rounding makes of them, and equal keys are ordered by id; so an exact copy never
trades places with its original from run to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.index.rows import widen
from imagekin.pipeline import cores
from imagekin.types import Distances, Vectors

Positions: TypeAlias = NDArray[np.int64]
"""Row numbers of a gallery, ascending as the ids do."""

CELLS: Final = 1 << 26
"""Keys at a time: 256 MB.  A million vectors of 1,280 halves are 2.6 GB, so that all together stays below 4 GB."""

_QUERIES: Final = 512
"""Queries at a time at most; more do not make a matrix product quicker."""

_KEPT: Final = 1 << 27
"""Elements up to which a gallery is kept as prepared float32 (512 MB) instead of being converted for every batch."""

_BLOCK: Final = 1 << 22
"""Elements of gallery in a product: 16 MB of float32."""


class Gallery:
    """Vectors that are ranked by their nearness to queries.

    Args:
        vectors: ``(n, dim)`` float16 or float32, finite, rows in the order of their ids; held by reference.
        metric: of ``distance.py``.
        rows: of *vectors* that are searched, ascending; None for all.

    Raises:
        InputError: vectors so long that their squared length is no float32.
    """

    def __init__(self, vectors: NDArray[Any], metric: str, rows: Positions | None = None) -> None:
        self.metric = metric
        self.rows = np.arange(len(vectors)) if rows is None else rows
        self._vectors, self._whole = vectors, rows is None
        self._step = max(16, _BLOCK // max(1, vectors.shape[1]))
        self._blocks = None if len(self.rows) * vectors.shape[1] > _KEPT else list(self._prepared())
        self._twins = _twins(vectors, self.rows)

    def __len__(self) -> int:
        """Rows that are searched."""
        return len(self.rows)

    @property
    def batch(self) -> int:
        """How many queries ``keys`` should be asked at a time."""
        return int(min(_QUERIES, max(1, CELLS // max(1, len(self)))))

    def take(self, rows: Positions) -> Vectors:
        """Vectors by their row in all of them, float32."""
        return np.ascontiguousarray(self._vectors[rows], np.float32)

    def keys(self, queries: Vectors) -> Distances:
        """Keys of every searched row, ``(q, n)``; smaller is nearer.

        Args:
            queries: ``(q, dim)`` float32, finite.
        """
        asked = normalized(queries) if self.metric == "cosine" else queries
        keys = np.empty((len(asked), len(self)), np.float32)
        at = 0
        for block, squares in self._blocks if self._blocks is not None else self._prepared():
            into = keys[:, at : at + len(block)]
            np.matmul(asked, block.T, out=into)
            into *= -2 if self.metric == "euclidean" else -1
            into += squares
            at += len(block)
        copies, firsts = self._twins
        if len(copies):
            keys[:, copies] = keys[:, firsts]
        return keys

    def distances(self, keys: Distances, queries: Vectors) -> Distances:
        """Distances in the unit of ``distance.py`` from the keys ``(q, k)`` of each query."""
        if self.metric == "inner":
            return keys
        if self.metric == "cosine":
            return np.asarray(np.clip(np.float32(1) + keys, 0, 2), np.float32)
        squares: Distances = np.einsum("ij,ij->i", queries, queries)[:, None] + keys
        return np.asarray(np.sqrt(np.maximum(squares, 0)), np.float32)

    def _prepared(self) -> Iterator[tuple[Vectors, Distances | np.float32]]:
        """Blocks of the rows as float32, of length 1 under cosine, and what is added to their products."""
        for at in range(0, len(self.rows), self._step):
            some = slice(at, at + self._step)
            stored = self._vectors[some if self._whole else self.rows[some]]
            block = widen(stored, np.empty(stored.shape, np.float32))
            if self.metric == "cosine":
                yield normalized(block), np.float32(0)
                continue
            with np.errstate(over="ignore"):
                squares: Distances = np.einsum("ij,ij->i", block, block)
            if not np.isfinite(squares).all():
                raise InputError("the vectors are too long to be compared in float32; divide them all by one number.")
            yield block, squares if self.metric == "euclidean" else np.float32(0)


def nearest(keys: Distances, depth: int) -> Positions:
    """Positions of the *depth* smallest keys of each line, ascending by (key, position), ``(q, depth)``."""
    found = np.empty((len(keys), depth), np.int64)

    def rank(lines: range) -> None:
        for line in lines:
            found[line] = _smallest(keys[line], depth)

    each(rank, len(keys))
    return found


def each(work: Callable[[range], None], count: int) -> None:
    """Give every core a share of ``range(count)``."""
    threads = min(cores(), max(1, count))
    shares = [range(start, count, threads) for start in range(threads)]
    with ThreadPoolExecutor(threads, "imagekin-rank") as pool:
        list(pool.map(work, shares))


def _smallest(line: Distances, depth: int) -> Positions:
    if depth >= len(line):
        return np.argsort(line, kind="stable")
    near = np.flatnonzero(line <= np.partition(line, depth - 1)[depth - 1])
    return near[np.argsort(line[near], kind="stable")[:depth]]


def _twins(vectors: NDArray[Any], rows: Positions) -> tuple[Positions, Positions]:
    """Positions of the rows that equal an earlier one, and the position of the first of each."""
    marks = _marks(vectors, rows)
    _, first, group = np.unique(marks, return_index=True, return_inverse=True)
    firsts = first[group.reshape(-1)]
    copies = np.flatnonzero(firsts != np.arange(len(rows)))
    same = [bool(np.array_equal(vectors[rows[copy]], vectors[rows[firsts[copy]]])) for copy in copies]
    copies = copies[np.asarray(same, np.bool_)]
    return copies, firsts[copies]


def _marks(vectors: NDArray[Any], rows: Positions) -> NDArray[np.uint64]:
    """A number for each row that equal rows share and others hardly ever (who shares it is compared)."""
    marks = np.empty(len(rows), np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, vectors.shape[1], dtype=np.uint64)
    step = max(1, (1 << 21) // max(1, vectors.shape[1]))
    for at in range(0, len(rows), step):
        block = np.ascontiguousarray(vectors[rows[at : at + step]])
        bits = block.view(np.uint16 if block.dtype == np.float16 else np.uint32)
        marks[at : at + step] = bits.astype(np.uint64) @ factors
    return marks
