"""Searching again and again takes no more memory: what native code gives away is freed."""

from __future__ import annotations

import sys
from pathlib import Path

import faiss  # noqa: F401  (with it loaded, float16 rows are scanned by its codec)
import numpy as np
import pytest

from imagekin import index
from imagekin.distance import METRICS

SEARCHES = 2_000
MOST = 3 << 20
"""Bytes; a copy of the query left behind by each search would be three times as many."""


def resident() -> int:
    """Bytes of this process's own memory."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("spec", ["exact", "faiss"])
def test_a_search_leaves_nothing_behind(spec: str, metric: str) -> None:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((300, 1_280)).astype(np.float16)
    vectors /= np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True).astype(np.float16)
    engine = index.create(spec, 1_280, metric)
    engine.build(np.arange(300), vectors)
    query = vectors[:1].astype(np.float32)
    for _ in range(300):
        engine.search(query, 5)
    before = resident()
    for _ in range(SEARCHES):
        engine.search(query, 5)
    assert resident() - before < MOST
