"""Trees of scikit-learn: exact; quick for a dozen elements, slower than a scan for hundreds.

A tree knows lengths of differences only.  Cosine and inner product become such lengths by one more element: rows of
one length, whose nearest by difference is the nearest by angle; and rows that the element makes as long as the longest
of them, whose nearest is the largest product (Bachrach et al. 2014, who did it for recommendations).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
import sklearn.neighbors
from numpy.typing import NDArray

from imagekin.index.base import Index
from imagekin.index.best import SLACK, Found
from imagekin.index.options import RULES, Rule, whole
from imagekin.index.rows import Mask
from imagekin.index.workers import CORES
from imagekin.types import Vectors

Points: TypeAlias = NDArray[np.float64]
"""What a tree holds, ``(n, width)``."""

_MORE: Final = 8
"""Further neighbours that show whether the k-th has rivals within rounding."""

_LEAST: Final = 64


class _Tree(Index):
    """The part that both trees share.

    Hits are those of the exact scan, ties included: the tree's own distances only choose candidates, and where more
    rows lie within rounding of the k-th than were fetched, the scan answers.  The tree is a float64 copy of the rows
    (8 bytes an element) and is not written to a file: opening builds it anew, which asks for no trust in a pickle.

    Parameters:
        leaf_size: rows below which a node is not split.
        threads: cores for batches; 0 = all.
    """

    options: ClassVar[Mapping[str, Any]] = MappingProxyType({"leaf_size": 40, "threads": 0})
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType({"leaf_size": whole(), "threads": RULES["threads"]})
    kind: ClassVar[str]

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._make: Any = getattr(sklearn.neighbors, self.kind)
        self._tree: Any = None
        self._reach = 1.0

    def _least(self) -> int:
        return _LEAST

    def _build(self) -> None:
        points = np.zeros((len(self._rows), self.dim + (self.metric != "euclidean")), np.float64)
        for start, block in self._blocks():
            points[start : start + len(block), : self.dim] = block
        if self.metric != "euclidean":
            squares = np.einsum("ij,ij->i", points, points)
            # a row of zeros is at right angles to everything: alone in a direction that no query has
            longest = squares.max() if self.metric == "inner" else np.where(squares > 0, squares, 1.0)
            points[:, -1] = np.sqrt(np.maximum(longest - squares, 0))
            self._reach = float(np.sqrt(np.max(longest)))
        self._tree = self._make(points, leaf_size=int(self.parameters["leaf_size"]))

    def _rerank(self) -> int:
        return 1

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        count = min(k + _MORE, self._built)
        lengths, found = self._ask(self._points(queries), count)
        unsure = np.flatnonzero(lengths[:, -1] ** 2 <= self._rival(lengths[:, k - 1]))
        if len(unsure) and count < self._built:
            found[unsure, :k], found[unsure, k:] = self._exactly(queries[unsure], k, None)[0], -1
        return found, lengths.astype(np.float32)

    def _points(self, queries: Vectors) -> Points:
        """Queries as the tree's rows are; the length of one, which orders nothing, is set to the rows' own."""
        points = queries.astype(np.float64)
        if self.metric == "euclidean":
            return points
        lengths = np.sqrt(np.einsum("ij,ij->i", points, points))
        points *= (self._reach / np.where(lengths > 0, lengths, 1.0))[:, None]
        return np.pad(points, ((0, 0), (0, 1)))

    def _rival(self, lengths: Points) -> Points:
        """The squared length up to which float32 may take a row for nearer than the k-th, which is at *lengths*."""
        if self.metric == "euclidean":
            return lengths**2 * (1 + 2 * SLACK)
        return lengths**2 + 2 * SLACK * self._reach**2

    def _ask(self, points: Points, k: int) -> tuple[Points, NDArray[np.int64]]:
        threads = min(int(self.parameters["threads"]) or CORES, len(points))
        if threads < 2:
            return _asked(self._tree, points, k)
        with ThreadPoolExecutor(threads) as pool:  # scikit-learn lets other threads run while it searches
            parts = list(pool.map(lambda part: _asked(self._tree, part, k), np.array_split(points, threads)))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _open(self, folder: Path) -> None:
        self._build()
        self._built = len(self._rows)  # those added since are in it too

    def _memory(self) -> int:
        return sum(np.asarray(array).nbytes for array in self._tree.get_arrays())


def _asked(tree: Any, points: Points, k: int) -> tuple[Points, NDArray[np.int64]]:
    lengths, found = tree.query(points, k)
    return lengths, found.astype(np.int64, copy=False)


class KDTree(_Tree):
    """A k-d tree: halves along the widest element (Bentley 1975, Multidimensional binary search trees)."""

    engine: ClassVar[str] = "kdtree"
    kind: ClassVar[str] = "KDTree"


class BallTree(_Tree):
    """A ball tree: nested balls around centres (Omohundro 1989, Five balltree construction algorithms)."""

    engine: ClassVar[str] = "balltree"
    kind: ClassVar[str] = "BallTree"
