"""The short way of one query gives the long way's answer, to the last bit; candidates are ordered as by a slow sort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imagekin.errors import InputError
from imagekin.index.answer import Answering, checked
from imagekin.index.best import ordered
from imagekin.index.rows import Rows
from imagekin.testing.answers import clustered
from tests.installed_engines import built, quick

SPECS = ["exact", "annoy", "faiss:HNSW16,threads=1", "faiss:IVF8,Flat,threads=1", "faiss:IVF8,PQ8x4fs,threads=1",
         "hnswlib", "kdtree", "lorann", "nmslib", "ngt", "pyglass-portable", "symphonyqg",
         "scalable-vs(codes='float32',threads=1)", "usearch", "voyager"]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_the_short_way_is_the_long_way(spec: str, metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec if not spec.isalpha() or spec == "exact" else quick(spec)
    rows = clustered(700, 32)
    rows[300:320] = rows[300]  # ties, which the short way leaves to the long one
    index = built(spec, rows, metric)
    large = (1e18 if metric == "cosine" else 1e14) * rows[6]
    queries = [*(1.7 * clustered(720, 32)[700:]), rows[300], rows[0], np.zeros(32), 1e-20 * rows[5], large]
    asked = [np.asarray(query, np.float32)[None] for query in queries]
    short = [index.search(query, k) for query in asked for k in (1, 10, 30)]
    monkeypatch.setattr(Answering, "_one", lambda self, query, ready, k: self._nearest(query, k, None))
    long = [index.search(query, k) for query in asked for k in (1, 10, 30)]
    for mine, its in zip(short, long, strict=True):
        assert mine[0].dtype == its[0].dtype and mine[1].dtype == its[1].dtype
        np.testing.assert_array_equal(mine[0], its[0])
        np.testing.assert_array_equal(mine[1], its[1])


def test_the_short_way_is_for_rows_that_are_all_alive_and_built(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    short = Answering._one

    def noted(self: Any, query: Any, ready: Any, k: int) -> Any:
        taken.append(k)
        return short(self, query, ready, k)

    monkeypatch.setattr(Answering, "_one", noted)
    rows = clustered(700, 32)
    index = built("faiss:IVF8,Flat,threads=1", rows)
    index.search(rows[:1], 5)
    assert taken == [5]
    index.search(rows[:2], 5)
    index.search(rows[:1], 5, allow=[1, 2, 3])
    index.search(rows[:1], 700)
    index.search(rows[:1], 900)
    index.remove([3])
    index.search(rows[:1], 5)
    assert taken == [5]


def test_one_query_is_checked_and_brought_to_length_one_by_the_same_product() -> None:
    query = np.array([[3, 4]], np.float32)
    asked, ready = checked(query, 2, "cosine")
    assert asked is query
    assert ready is not None and ready.tolist() == [[np.float32(0.6), np.float32(0.8)]]
    assert checked(query, 2, "inner")[1] is query
    for other in (query[0], query.astype(np.float64), np.asfortranarray(np.ones((2, 2), np.float32)), [[3, 4]]):
        assert checked(other, 2, "cosine")[1] is None
    assert checked(np.zeros((1, 2), np.float32), 2, "cosine")[1] is None
    assert checked(np.full((1, 2), 3e38, np.float32), 2, "cosine")[1] is None  # finite, though its square is not
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="queries must be finite; row 0 holds NaN or infinity"):
            checked(np.array([[1, bad]], np.float32), 2, "cosine")
    with pytest.raises(InputError, match=r"queries must have shape \(n, 3\), not \(1, 2\)"):
        checked(query, 3, "cosine")


@pytest.mark.parametrize("count", [5, 12, 41, 300])
@pytest.mark.parametrize("missing", [False, True])
def test_candidates_of_one_query_are_ordered_as_a_slow_sort_does(count: int, missing: bool) -> None:
    random = np.random.default_rng(count)
    rows = Rows(2)
    rows.append(random.permutation(1000), np.ones((1000, 2)))
    found = random.choice(1000, (1, count), replace=False).astype(np.int64)
    distances = random.integers(0, max(2, count // 3), (1, count)).astype(np.float32)  # many are equal
    if missing:
        found[0, ::4] = -1
    there = [(d, rows.ids[f], f) for d, f in zip(distances[0].tolist(), found[0].tolist(), strict=True) if f >= 0]
    for k in (1, 5):
        expected: Any = sorted(there)[:k] + [(np.inf, -1, -1)] * (k - len(there))
        numbers, result = ordered(rows, found.copy(), distances.copy(), k)
        assert numbers.tolist() == [[line[2] for line in expected]]
        assert result.tolist() == [[line[0] for line in expected]]
