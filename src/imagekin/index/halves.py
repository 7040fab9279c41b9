"""The exact scan of float16 rows by FAISS's vector code: at memory speed, in place, and proved to be exact.

FAISS's scanner reads the stored bytes where they lie, so it needs no copy and no index.  It ranks by ⟨q, x⟩ (or
‖q − x‖²) and keeps the best c > k; their true distances are computed anew, and the answer counts only if no row that
the scanner left out can be nearer than the k-th.  Where that cannot be shown, the caller's own scan answers.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
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

_Part = tuple[int, int]
_scanned = [0]


def pays(task: Task) -> bool:
    """Whether to try: one or two queries, float16 rows of nearly equal length, and FAISS loaded or worth loading."""
    rows = task.rows
    if len(task.queries) > 2 or task.k > 1000 or any(chunk.vectors.dtype != np.float16 for chunk in rows.chunks):
        return False
    if task.metric != "euclidean":
        low, high = rows.length_range()
        if not low <= high or (task.metric == "cosine" and high > _EVEN * low):
            return False
    if "faiss" in sys.modules:
        return True
    _scanned[0] += (len(rows) - task.start) * rows.dim
    return _scanned[0] > _IMPORT


def nearest(task: Task, each: Callable[[Callable[[_Part], Any]], list[Any]]) -> Found | None:
    """The task's answer, or None where it is not proved; *each* runs a function over ranges of rows on all cores."""
    rows, c = task.rows, task.k + 16 + task.k // 4
    queries = normalized(task.queries) if task.metric == "cosine" else task.queries
    found = np.full((len(queries), 0), -1, np.int64)
    limits = np.full(len(queries), np.inf)
    for numbers, values in each(lambda part: _part(task, queries, part, c)):
        found = np.hstack([found, numbers])
        # a range that gave fewer than c has left nothing out
        limits = np.minimum(limits, np.where(numbers[:, -1] < 0, np.inf, values.max(axis=1)))
    result = rescored(rows, task.queries, found, task.k, task.metric)
    return result if _proved(task, limits, result[1][:, -1]) else None


def _part(task: Task, queries: Vectors, part: _Part, c: int) -> Found:
    """The c best rows of a range for each query, by FAISS's key (−⟨q, x⟩ or ‖q − x‖²), unordered."""
    numbers = np.full((len(queries), c), -1, np.int64)
    keys = np.full((len(queries), c), np.inf, np.float32)
    for line, query in enumerate(queries):
        _scan(task, query, part, (numbers[line], keys[line]))
    return numbers, keys


def _scan(task: Task, query: Vectors, part: _Part, heap: tuple[NDArray[np.int64], NDArray[np.float32]]) -> None:
    faiss: Any = importlib.import_module("faiss")
    inner = task.metric != "euclidean"
    metric = faiss.METRIC_INNER_PRODUCT if inner else faiss.METRIC_L2
    codec = faiss.ScalarQuantizer(task.rows.dim, faiss.ScalarQuantizer.QT_fp16)
    numbers, keys = heap
    if inner:
        np.negative(keys, out=keys)  # FAISS keeps the largest products
    starts: list[int] = []
    for start, view in task.rows.spans(*part, 1 << 31):
        selector, _held = _selector(task.wanted, start, len(view))
        scanner = codec.select_InvertedListScanner(metric, None, True, selector, False)
        scanner.set_query(faiss.swig_ptr(query))
        scanner.set_list(len(starts), 0.0)  # a hit's label is (this number << 32) + its place in the view
        pointers = faiss.swig_ptr(keys), faiss.swig_ptr(numbers)
        scanner.scan_codes(len(view), faiss.swig_ptr(view.view(np.uint8)), None, *pointers, len(keys))
        starts.append(start)
    if inner:
        np.negative(keys, out=keys)
    if starts:
        numbers[:] = np.where(numbers < 0, -1, np.asarray(starts)[numbers >> 32] + (numbers & 0xFFFFFFFF))


def _selector(wanted: Mask | None, start: int, count: int) -> tuple[Any, Any]:
    """FAISS's view of the flags, and the bytes that must outlive it."""
    if wanted is None:
        return None, None
    faiss: Any = importlib.import_module("faiss")
    bits = np.packbits(wanted[start : start + count], bitorder="little")
    return faiss.IDSelectorBitmap(bits), bits


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
