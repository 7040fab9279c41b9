from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from imagekin import metrics
from imagekin.errors import InputError

# Three queries with their five nearest, and R: how many items are relevant to each.  Worked by hand.
FLAGS = [[1, 0, 1, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
COUNTS = [4, 1, 2]
LOG3, LOG4, LOG5 = math.log2(3), math.log2(4), math.log2(5)

HAND = {
    "precision@1": [1, 0, 0],
    "precision@4": [3 / 4, 1 / 4, 0],
    "hit_rate@1": [1, 0, 0],
    "hit_rate@2": [1, 1, 0],
    "recall@2": [1 / 4, 1, 0],
    "recall@5": [3 / 4, 1, 0],
    "r_precision": [3 / 4, 0, 0],  # of the 4 nearest; of the 1 nearest; of the 2 nearest
    "average_precision_at_r": [(1 + 2 / 3 + 3 / 4) / 4, 0, 0],
    "average_precision@2": [1 / 2, (1 / 2) / 1, 0],  # divided by min(2, 4), min(2, 1)
    "average_precision@5": [(1 + 2 / 3 + 3 / 4) / 4, 1 / 2, 0],
    "ndcg@2": [1 / (1 + 1 / LOG3), 1 / LOG3, 0],
    "ndcg@4": [(1 + 1 / LOG4 + 1 / LOG5) / (1 + 1 / LOG3 + 1 / LOG4 + 1 / LOG5), 1 / LOG3, 0],
    "reciprocal_rank": [1, 1 / 2, 0],
}

WITH_COUNTS = {"recall", "r_precision", "average_precision_at_r", "average_precision", "ndcg"}


def measured(name: str, flags: Any, counts: Any) -> list[float]:
    """A measure by its name and cutoff, ``ndcg@4``."""
    base, _, k = name.partition("@")
    arguments = [flags, *([counts] if base in WITH_COUNTS else []), *([int(k)] if k else [])]
    scores = getattr(metrics, base)(*arguments)
    assert scores.dtype == np.float64
    assert scores.shape == (len(flags),)
    return list(scores.tolist())


@pytest.mark.parametrize("name", HAND)
def test_measures_match_the_table_worked_by_hand(name: str) -> None:
    assert measured(name, FLAGS, COUNTS) == pytest.approx(HAND[name], abs=1e-12)


def slow(name: str, flags: list[int], relevant: int) -> float:
    """The definition, one term at a time, and without a shared line with the library."""
    base, _, cut = name.partition("@")
    k = int(cut) if cut else len(flags)
    if base == "reciprocal_rank":
        return next((1 / rank for rank, flag in enumerate(flags, 1) if flag), 0.0)
    if base in ("r_precision", "average_precision_at_r"):
        k = relevant
    total = found = 0.0
    for rank in range(1, k + 1):
        if flags[rank - 1]:
            found += 1
            total += 1 / math.log(rank + 1, 2) if base == "ndcg" else found / rank
    if base == "ndcg":
        return total / sum(1 / math.log(rank + 1, 2) for rank in range(1, min(k, relevant) + 1))
    if base.startswith("average"):
        return total / min(k, relevant)
    if base == "hit_rate":
        return float(found > 0)
    return found / {"precision": k, "recall": relevant, "r_precision": relevant}[base]


@st.composite
def rankings(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Whole rankings with at least one relevant item each, and R."""
    queries, length = draw(st.integers(1, 8)), draw(st.integers(1, 14))
    flags = np.random.default_rng(draw(st.integers(0, 2**32))).random((queries, length)) < draw(st.floats(0.05, 0.9))
    flags[np.arange(queries), draw(st.integers(0, length - 1))] = True
    return flags, flags.sum(axis=1)


@settings(deadline=None, max_examples=60)
@given(rankings(), st.data())
def test_measures_agree_with_a_slow_loop(case: tuple[Any, Any], data: st.DataObject) -> None:
    flags, counts = case
    k = data.draw(st.integers(1, flags.shape[1]))
    missed = data.draw(st.integers(0, 5))  # relevant items that the ranking does not hold
    for base in ("precision", "hit_rate", "recall", "average_precision", "ndcg"):
        expected = [slow(f"{base}@{k}", row, n + missed) for row, n in zip(flags.tolist(), counts, strict=True)]
        assert measured(f"{base}@{k}", flags, counts + missed) == pytest.approx(expected, abs=1e-12)
    for base in ("r_precision", "average_precision_at_r", "reciprocal_rank"):
        expected = [slow(base, row, n) for row, n in zip(flags.tolist(), counts, strict=True)]
        assert measured(base, flags, counts) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(rankings(), st.data())
def test_whole_rankings_score_as_scikit_learn_says(case: tuple[Any, Any], data: st.DataObject) -> None:
    flags, counts = case
    length = flags.shape[1]
    nearness = np.arange(length, 0, -1.0)
    precise = [average_precision_score(row, nearness) for row in flags]
    assert metrics.average_precision(flags, counts, length).tolist() == pytest.approx(precise, abs=1e-12)
    if length > 1:
        k = data.draw(st.integers(1, length))
        gains = [ndcg_score([row], [nearness], k=k) for row in flags.astype(int)]
        assert metrics.ndcg(flags, counts, k).tolist() == pytest.approx(gains, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(rankings())
def test_the_best_order_scores_one_and_the_measures_keep_their_order(case: tuple[Any, Any]) -> None:
    flags, counts = case
    best = -np.sort(-flags.astype(int), axis=1)
    for name in ("r_precision", "average_precision_at_r", "reciprocal_rank", f"ndcg@{flags.shape[1]}"):
        assert measured(name, best, counts) == pytest.approx([1.0] * len(flags))
    sharp = metrics.average_precision_at_r(flags, counts)
    assert (sharp <= metrics.r_precision(flags, counts) + 1e-12).all()


def test_ndcg_counts_the_relevant_items_that_were_missed() -> None:
    """With an ideal made of the found items alone, one hit at the top would be perfect whatever was missed."""
    alone, many = metrics.ndcg([[1, 0, 0]], [1], 3)[0], metrics.ndcg([[1, 0, 0]], [3], 3)[0]
    assert alone == 1
    assert many == pytest.approx(1 / (1 + 1 / LOG3 + 1 / LOG4))


def test_map_at_k_is_not_divided_by_what_was_found() -> None:
    """Divided by the number found, one hit at the top of ten would be perfect; divided by R, k hits of R > k not."""
    assert metrics.average_precision([[1, 0, 0, 0]], [3], 4)[0] == pytest.approx(1 / 3)
    assert metrics.average_precision([[1, 1]], [9], 2)[0] == 1


def test_labels_become_relevance() -> None:
    flags = metrics.relevance([["a", None, "b"], ["b", "b", "a"]], ["a", "b"])
    assert flags.tolist() == [[True, False, False], [True, True, False]]
    assert flags.dtype == np.bool_


def test_no_queries_give_no_figures() -> None:
    for name in HAND:
        assert measured(name, np.empty((0, 5), bool), np.empty(0, int)) == []


Call = Callable[[], object]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: metrics.precision(FLAGS, 6), "k is 6; give a number from 1 to the 5"),
        (lambda: metrics.hit_rate(FLAGS, 0), "k is 0"),
        (lambda: metrics.ndcg(FLAGS, COUNTS, -1), "k is -1"),
        (lambda: metrics.precision([[0.5, 1]], 1), "true or false"),
        (lambda: metrics.precision([1, 0], 1), r"shape \(2,\)"),
        (lambda: metrics.recall(FLAGS, [1, 1], 1), r"shape \(3,\), not int64 of \(2,\)"),
        (lambda: metrics.recall(FLAGS, [4.0, 1, 2], 1), "whole number"),
        (lambda: metrics.recall(FLAGS, [4, 1, 0], 1), r"R = 0"),
        (lambda: metrics.ndcg(FLAGS, [2, 1, 1], 1), "query 0 found 3 relevant items, but its count says 2"),
        (lambda: metrics.r_precision(FLAGS, [6, 1, 1]), "6 relevant items, but only 5 neighbours are ranked"),
    ],
)
def test_wrong_input_is_refused_with_what_was_given(call: Call, says: str) -> None:
    with pytest.raises(InputError, match=says):
        call()
