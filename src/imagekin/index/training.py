"""How FAISS learns lists and codes, and on how many threads it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from imagekin.types import Vectors


def train(faiss: Any, index: Any, data: Vectors) -> None:
    """Learn lists on all cores and codes on one.

    Codes are hundreds of tiny clusterings, and cores that wait for each other after every step of each take
    longer than one core alone (PQ320x4fs of 8,677 x 1280: 2.9 s on one, 17 to 78 s on two that others use too).
    """
    if hasattr(index, "pq"):
        # as good, measured, as FAISS's 25 rounds over twice the points, in a quarter of the time
        index.pq.cp.niter, index.pq.cp.max_points_per_centroid = 10, 128
    if hasattr(index, "train_q1"):
        index.cp.niter, index.cp.min_points_per_centroid = 6, 1  # the sample is small on purpose; say nothing of it
        index.train_q1(len(data), faiss.swig_ptr(data), False, index.metric_type)
    with threads(faiss, 1):
        index.train(data)


@contextmanager
def threads(faiss: Any, count: int) -> Iterator[None]:
    """OpenMP threads for this thread's calls (0 = as they are), set back afterwards."""
    before = faiss.omp_get_max_threads()
    if count and count != before:
        faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        if count and count != before:
            faiss.omp_set_num_threads(before)
