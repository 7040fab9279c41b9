"""Recall, 1-R@1 and distances of a benchmark, against hand-worked tables and slow loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from imagekin.benchmark import truth
from imagekin.benchmark.pareto import front, quickest
from imagekin.benchmark.records import Record


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def slow(query: Any, row: Any, metric: str) -> float:
    """The distance of distance.py's table, in plain Python."""
    product: float = sum(float(a) * float(b) for a, b in zip(query, row, strict=True))
    if metric == "inner":
        return -product
    if metric == "euclidean":
        squares: float = sum((float(a) - float(b)) ** 2 for a, b in zip(query, row, strict=True))
        return math.sqrt(squares)
    lengths: float = sum(float(a) ** 2 for a in query) * sum(float(b) ** 2 for b in row)
    return 1 - product / math.sqrt(lengths) if lengths else 1.0


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_the_nearest_are_those_of_a_slow_loop(metric: str, kind: Any) -> None:
    train = rng(1).standard_normal((120, 7)).astype(kind)
    train[5] = 0
    queries = rng(2).standard_normal((4, 7)).astype(np.float32)
    found = truth.nearest(train, queries, 6, metric=metric)
    for line, query in zip(found, queries, strict=True):
        assert line == pytest.approx(sorted(slow(query, row, metric) for row in train)[:6], abs=1e-9)


def test_progress_is_told_by_the_hundred() -> None:
    steps: list[int] = []
    vectors = rng().random((250, 4), np.float32)
    truth.nearest(vectors, vectors[:230], 1, metric="cosine", step=steps.append)
    assert steps == [100, 200, 230]


def test_distances_of_no_row_and_of_a_row_told_twice_are_infinite() -> None:
    train = np.array([[1, 0], [0, 1], [3, 4]], np.float32)
    query = np.array([[1, 0]], np.float32)
    found = truth.distances(train, query, np.array([[2, 0, 2, -1, 1]]), metric="euclidean")
    assert found[0].tolist() == pytest.approx([20**0.5, 0, np.inf, np.inf, 2**0.5])


def test_a_zero_vector_has_cosine_distance_one() -> None:
    train = np.array([[0, 0], [2, 0]], np.float32)
    found = truth.distances(train, np.array([[1, 0], [0, 0]], np.float32), np.array([[0, 1], [0, 1]]), metric="cosine")
    assert found.tolist() == [[1, 0], [1, 1]]


def test_recall_counts_ties_with_the_last_true_neighbour_and_nothing_beyond() -> None:
    true = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    found = np.array([[1.0, 3.0, 3.0000001], [1.0, 1.1, np.inf]])
    scored = truth.score(true, found, found.astype(np.float32))
    assert scored.recall == pytest.approx((3 / 3 + 1 / 3) / 2)
    assert scored.error == pytest.approx((1 / 3) / 2**0.5)  # the shares are 1 and 1/3: a deviation of 1/3


def test_first_asks_only_for_the_nearest_wherever_it_stands_in_the_answer() -> None:
    true = np.array([[1.0, 2.0], [1.0, 2.0], [5.0, 6.0]])
    found = np.array([[2.0, 1.0], [2.0, 3.0], [np.inf, np.inf]])
    assert truth.score(true, found, found.astype(np.float32)).first == pytest.approx(1 / 3)


def test_distances_that_an_engine_makes_up_are_seen() -> None:
    true = np.array([[1.0, 4.0]])
    told = np.array([[1.0, 6.0]], np.float32)
    assert truth.score(true, true, told).distance_error == pytest.approx(0.5)
    assert truth.score(true, true, true.astype(np.float32)).distance_error == 0


# -- the front ---------------------------------------------------------------------------------------------------------


def record(recall: float, speed: float, engine: str = "a", reason: str = "") -> Record:
    figures = {} if reason else {"recall": recall, "single_qps": speed, "batch_qps": None}
    return Record(
        engine, {"at": recall, "speed": speed}, {}, {}, {}, {}, figures, reason, key=f"{engine}{recall}{speed}"
    )


def test_the_front_is_what_comparing_every_pair_finds() -> None:
    random = rng(3)
    records = [record(round(float(x), 2), round(float(y), 2)) for x, y in random.random((300, 2))]
    records = list({each.key: each for each in records}.values())

    def beaten(one: Record) -> bool:
        x, y = one.figure("recall"), one.figure("single_qps")
        others = [(other.figure("recall"), other.figure("single_qps")) for other in records if other is not one]
        return any(a >= x and b >= y and (a > x or b > y) for a, b in others)

    expected = sorted((each for each in records if not beaten(each)), key=lambda each: each.figure("recall"))
    assert front(records) == expected
    assert 2 < len(expected) < 40


def test_failed_records_and_missing_figures_are_on_no_front() -> None:
    assert front([record(1, 9, reason="it crashed")]) == []
    assert front([record(1, 9)], "batch_qps") == []
    assert front([]) == []


def test_of_equal_records_the_front_has_one() -> None:
    assert [each.engine for each in front([record(0.9, 5, "a"), record(0.9, 5, "b")])] == ["a"]


def test_the_quickest_reaches_the_recall_or_comes_nearest() -> None:
    records = [record(0.90, 100), record(0.95, 50), record(0.99, 60), record(1, 0.1, reason="it crashed")]
    assert [quickest(records, recall) for recall in (0.9, 0.91, 0.99)] == [records[0], records[2], records[2]]
    assert quickest(records, 0.999) is records[2]
    assert quickest([], 0.5) is None
