"""Times of searches at several lengths, by a clock that only moves where it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from imagekin.distance import normalized
from imagekin.evaluation import stopwatch
from imagekin.evaluation.by_labels import prepared
from imagekin.evaluation.stopwatch import Stopwatch
from imagekin.index.exact import Exact
from imagekin.reduce.pca import PCA
from imagekin.types import Vectors
from tests.clouds import clusters


class Clock:
    """Time that passes only where somebody lets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_contestants_take_turns_and_each_gets_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = Clock(), list[str]()
    monkeypatch.setattr(stopwatch, "time", clock)

    def contestant(name: str, seconds: float) -> Any:
        def search(query: Vectors) -> None:
            calls.append(name)
            clock.now += seconds * float(query[0])

        return search

    queries = np.array([[1.0], [2], [3], [4]], np.float32)
    got = stopwatch._rounds((contestant("whole", 0.02), contestant("short", 0.01)), queries)
    np.testing.assert_allclose(got, [[0.02, 0.01], [0.04, 0.02], [0.06, 0.03], [0.08, 0.04]])
    assert calls == ["whole", "short", "short", "whole"] * 2


def test_slow_searches_end_after_five(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(stopwatch, "time", clock)

    def slow(query: Vectors) -> None:
        clock.now += 1.0

    assert stopwatch._rounds((slow, slow), np.zeros((50, 1), np.float32)).shape == (5, 2)


def told(times: Sequence[Any], monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """A stopwatch that measured *times*, one array ``(rounds, 2)`` a length."""
    vectors, labels = clusters(40, 6, 3)
    made, rest = Stopwatch(prepared(vectors, labels), 0), iter(times)
    monkeypatch.setattr(stopwatch, "_rounds", lambda *_: np.array(next(rest)))
    for dim in (1, 2):
        fitted = PCA(dim).fit(vectors)
        made.time(fitted.transform(vectors), fitted)
    return made


def test_medians_of_times_and_of_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    made = told(
        [[[0.01, 0.005], [0.02, 0.001], [0.03, 0.002]], [[0.04, 0.02], [0.05, 0.01], [0.06, 0.06]]], monkeypatch
    )
    assert made.dims == [1, 2]
    assert made.told(0) == pytest.approx((24, 35.0, 1.0))  # of 10 20 30 40 50 60
    assert made.told(1) == pytest.approx((4, 2.0, 15.0))  # of 5 1 2, and of 2 20 15
    assert made.told(2) == pytest.approx((8, 20.0, 2.0))  # of 20 10 60, and of 2 5 1


def test_what_is_timed_finds_what_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each contestant's search, for a query among the rows, gives that row first."""
    vectors, labels = clusters(40, 6, 3)
    seen: list[int] = []
    real = Exact.search

    def search(self: Any, queries: Any, k: int) -> Any:
        ids, distances = real(self, queries, k)
        seen.append(int(ids[0, 0]))
        return ids, distances

    monkeypatch.setattr(Exact, "search", search)
    data = prepared(vectors, labels)
    watch, unit = Stopwatch(data, 0), normalized(vectors)
    fitted = PCA(5).fit(unit)
    watch.time(fitted.transform(unit), fitted)
    asked = np.random.default_rng(0).permutation(data.asking)
    warm, rounds = seen[:6], np.array(seen[6:]).reshape(-1, 2)
    assert warm == np.repeat(asked[:3], 2).tolist()
    assert (rounds == asked[:, None]).all()
