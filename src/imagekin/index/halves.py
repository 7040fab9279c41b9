"""The exact scan of float16 rows by FAISS's vector code: at memory speed, in place, and proved to be exact.

FAISS's scanner reads the stored bytes where they lie, so it needs no copy and no index.  It ranks by ⟨q, x⟩ (or
‖q − x‖²) and keeps the best c > k; their true distances are computed anew, and the answer counts only if no row that
the scanner left out can be nearer than the k-th.  Where that cannot be shown, the caller's own scan answers.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.index.best import SLACK, Found, Task, lengths, rescored
from imagekin.index.rows import Mask
from imagekin.types import Distances, Vectors

_IMPORT: Final = 1 << 26
"""Elements scanned without FAISS after which its import (about 60 ms) pays."""

_EVEN: Final = 1.01
"""Largest ratio of row lengths at which ranking by ⟨q, x⟩ is tried for cosine."""

_MOST: Final = 0.25
"""Share of wanted rows from which all are scanned."""

_LABEL: Final = 1 << 32

FEW: Final = 16
"""Queries up to which it is quicker to read the rows anew for each than to convert them once for a matrix product."""

_scanned = [0]
_codecs: dict[int, Any] = {}


def pays(task: Task) -> bool:
    """Whether to try: few queries, float16 rows of nearly equal length, and FAISS loaded or worth loading."""
    rows = task.rows
    if len(task.queries) > FEW or task.k > 1000 or any(chunk.vectors.dtype != np.float16 for chunk in rows.chunks):
        return False
    if task.metric != "euclidean":
        low, high = rows.length_range()
        if not low <= high or (task.metric == "cosine" and high > _EVEN * low):
            return False
    if "faiss" in sys.modules:
        return True
    _scanned[0] += (len(rows) - task.start) * rows.dim
    return _scanned[0] > _IMPORT


def nearest(task: Task, parts: Iterable[tuple[int, int]], each: Callable[[Any, Any], object]) -> Found | None:
    """The task's answer, or None where it is not proved; *each* runs the scans of *parts* on all cores."""
    queries = normalized(task.queries) if task.metric == "cosine" else task.queries
    ranges = list(parts)
    for c, selected in _ways(task):
        lines = [[_Scan(task, query, part, c, selected) for part in ranges] for query in queries]
        each(_Scan.run, [scan for line in lines for scan in line])
        found = np.stack([np.concatenate([scan.rows() for scan in line]) for line in lines])
        if task.wanted is not None and selected is None:
            found[~task.wanted[found]] = -1
        limits = np.array([min(scan.limit() for scan in line) for line in lines])
        result = rescored(task.rows, task.queries, found, task.k, task.metric)
        if _proved(task, limits, result[1][:, -1]):
            return result
    return None


def _ways(task: Task) -> Iterator[tuple[int, Mask | None]]:
    """How many rows to keep, and flags of those to scan, None for all.

    Where most rows are wanted, it is quicker to scan them all and drop the others from some more of the best: a
    selector is asked at every row, and a processor cannot foresee its answers.
    """
    c = task.k + 16 + task.k // 4
    if task.wanted is not None:
        share = np.count_nonzero(task.wanted[task.start :]) / max(1, len(task.wanted) - task.start)
        if share >= _MOST:
            yield int((c + 4 * c**0.5) / share), None
    yield c, task.wanted


class _Scan:
    """The c best rows of a range by FAISS's key.

    Everything is set up on the calling thread: two threads that both run Python code wait for each other more than
    the scan takes.
    """

    def __init__(self, task: Task, query: Vectors, part: tuple[int, int], c: int, selected: Mask | None) -> None:
        faiss: Any = importlib.import_module("faiss")
        rows, self._inner = task.rows, task.metric != "euclidean"
        metric = faiss.METRIC_INNER_PRODUCT if self._inner else faiss.METRIC_L2
        self._numbers = np.full(c, -1, np.int64)
        self._keys = np.full(c, -np.inf if self._inner else np.inf, np.float32)
        heap = faiss.swig_ptr(self._keys), faiss.swig_ptr(self._numbers), c
        codec = _codec(faiss, rows.dim)
        self._starts: list[int] = []
        self._held: list[Any] = [query]
        self._jobs: list[tuple[Any, tuple[Any, ...]]] = []
        for start, view in rows.spans(*part, 1 << 31):
            selector = self._selector(faiss, selected, start, len(view))
            scanner = codec.select_InvertedListScanner(metric, None, True, selector, False)
            scanner.set_query(faiss.swig_ptr(query))
            scanner.set_list(0, 0.0)
            self._jobs.append((scanner, (len(view), faiss.swig_ptr(view.view(np.uint8)), None, *heap)))
            self._starts.append(start)

    def _selector(self, faiss: Any, wanted: Mask | None, start: int, count: int) -> Any:
        """FAISS's form of the flags; it points at bytes that are held as long as the scan."""
        if wanted is None:
            return None
        bits = np.packbits(wanted[start : start + count], bitorder="little")
        self._held += [bits, faiss.IDSelectorBitmap(bits)]
        return self._held[-1]

    def run(self) -> None:
        """Scan; FAISS lets other threads run meanwhile."""
        for number, (scanner, arguments) in enumerate(self._jobs):
            try:
                scanner.scan_codes(*arguments)
            finally:
                scanner.__swig_destroy__(scanner)  # FAISS gives it away and Python does not know: nobody else frees it
            # FAISS labels a hit by its place in the view; say in which view before the next one is scanned (its own
            # way to do so, a list number, is also what it would ask the selector for)
            new = (self._numbers >= 0) & (self._numbers < _LABEL)
            self._numbers[new] += (number + 1) * _LABEL
        self._jobs.clear()

    def rows(self) -> NDArray[np.int64]:
        """Row numbers, ``(c,)``, in no order, −1 for none."""
        labels = self._numbers
        starts = np.asarray([0, *self._starts])
        return np.where(labels < 0, np.int64(-1), starts[np.maximum(labels, 0) // _LABEL] + labels % _LABEL)

    def limit(self) -> float:
        """The key that every row left out has at least: −⟨q, x⟩ or ‖q − x‖²; ``inf`` if none was."""
        if self._numbers.min() < 0:
            return float("inf")
        return -float(self._keys.min()) if self._inner else float(self._keys.max())


def _codec(faiss: Any, dim: int) -> Any:
    """FAISS's float16 codec, kept."""
    if dim not in _codecs:
        _codecs[dim] = faiss.ScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16)
    return _codecs[dim]


def _proved(task: Task, limits: NDArray[np.float64], last: Distances) -> bool:
    """Whether no row that was left out, all of which have keys of at least *limits*, can reach the k-th hit."""
    low, high = task.rows.length_range()
    bounds, slack = limits, np.full(len(limits), SLACK)
    if task.metric == "euclidean":
        bounds, slack = np.sqrt(limits), SLACK * (last + 1e-6)
    elif task.metric == "inner":
        slack = SLACK * high * lengths(task.queries)
    else:
        bounds = 1 + limits / np.where(limits < 0, low, high)
    return bool((np.isinf(limits) | (last + slack < bounds)).all())
