from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekin import metrics
from imagekin.errors import InputError

# Ranked labels of three queries, worked by hand:    relevant     P@1  P@2  P@4
TABLE = [
    ("cat", ["cat", "dog", "cat", "cat"]),  #        1 0 1 1      1    1/2  3/4
    ("dog", ["cat", "dog", "owl", "cat"]),  #        0 1 0 0      0    1/2  1/4
    ("owl", ["cat", "cat", None, None]),  #          0 0 - -      0    0    0
]
EXPECTED = {1: [1, 0, 0], 2: [1 / 2, 1 / 2, 0], 4: [3 / 4, 1 / 4, 0]}


@pytest.mark.parametrize("k", EXPECTED)
def test_precision_matches_the_table_worked_by_hand(k: int) -> None:
    queries, found = zip(*TABLE, strict=True)
    assert metrics.precision_at_k(found, queries, k).tolist() == EXPECTED[k]


def test_the_divisor_is_k_also_when_fewer_are_relevant() -> None:
    assert metrics.precision_at_k([["a", "b", "b", "b"]], ["a"], 4).tolist() == [0.25]


def test_numbers_and_text_are_different_labels() -> None:
    assert metrics.precision_at_k([[1, "1", 1.0, None]], [1], 4).tolist() == [0.5]
    assert metrics.precision_at_k(np.array([[7, 8], [8, 8]]), np.array([7, 8]), 2).tolist() == [0.5, 1.0]
    assert metrics.precision_at_k(np.array([["ab", "abc"]]), np.array(["abc"]), 2).tolist() == [0.5]


def slow_precision(found: list[list[int]], asked: list[int], k: int) -> list[float]:
    answers = []
    for row, label in zip(found, asked, strict=True):
        hits = 0
        for neighbour in row[:k]:
            hits += neighbour == label
        answers.append(hits / k)
    return answers


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 12), st.data())
def test_precision_agrees_with_a_slow_loop(seed: int, queries: int, neighbours: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 4, (queries, neighbours))
    asked = rng.integers(0, 4, queries)
    k = data.draw(st.integers(1, neighbours))
    measured = metrics.precision_at_k(found, asked, k)
    assert measured.dtype == np.float64
    assert measured.tolist() == pytest.approx(slow_precision(found.tolist(), asked.tolist(), k), abs=1e-12)


def test_no_queries_give_no_figures() -> None:
    assert metrics.precision_at_k(np.empty((0, 5)), np.empty(0), 4).shape == (0,)


@pytest.mark.parametrize(
    ("found", "asked", "k", "says"),
    [
        ([["a", "b"]], ["a"], 0, "k is 0"),
        ([["a", "b"]], ["a"], 3, "the 2 neighbours"),
        ([["a", "b"]], ["a", "b"], 1, r"\(1, 2\) and \(2,\)"),
        (["a", "b"], ["a", "b"], 1, r"\(2,\) and \(2,\)"),
        ([["a", "b"]], [None], 1, "no label"),
    ],
)
def test_wrong_input_is_refused_with_what_was_given(found: list[Any], asked: list[Any], k: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        metrics.precision_at_k(found, asked, k)
