from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier

from imagekin import metrics
from imagekin.errors import InputError


def test_votes_match_the_table_worked_by_hand() -> None:
    codes = [[1, 2, 2], [2, 1, 0], [0, 0, 0], [3, -1, -1], [-1, -1, -1]]
    assert metrics.vote(codes).tolist() == [2, 2, 0, 3, -1]  # of equally many votes the nearest one's class


def test_distance_gives_near_votes_more_weight() -> None:
    codes = [[1, 2, 2], [1, 2, 2], [1, 2, 2], [5, 5, 7]]
    distances = [[0.1, 0.5, 0.5], [0.3, 0.5, 0.5], [0.0, 1e-9, 1e-9], [0.0, 0.0, 0.0]]
    # 10 against 2 + 2; 3.3 against 4; an exact match against anything; three exact matches
    assert metrics.vote(codes, distances).tolist() == [1, 2, 1, 5]


def slow_vote(codes: list[int], distances: list[float]) -> int:
    votes: Counter[int] = Counter()
    for code, distance in zip(codes, distances, strict=True):
        votes[code] += 1 / distance  # type: ignore[assignment]
    return max(codes, key=lambda code: (votes[code], -codes.index(code)))


def test_votes_agree_with_a_slow_loop_and_with_scikit_learn() -> None:
    random = np.random.default_rng(3)
    vectors, labels, queries = random.random((300, 4)), random.integers(0, 6, 300), random.random((200, 4))
    gaps = np.linalg.norm(queries[:, None] - vectors[None], axis=2)
    nearest = np.argsort(gaps, axis=1)[:, :7]
    codes, distances = labels[nearest], np.take_along_axis(gaps, nearest, axis=1)
    weighed = metrics.vote(codes, distances)
    assert weighed.tolist() == [slow_vote(*row) for row in zip(codes.tolist(), distances.tolist(), strict=True)]
    judge = KNeighborsClassifier(7, weights="distance").fit(vectors, labels)
    assert weighed.tolist() == judge.predict(queries).tolist()
    assert (weighed != metrics.vote(codes)).any()


def test_many_votes_are_counted_in_parts() -> None:
    """More neighbours than fit in one piece of work: the answers do not change."""
    codes = np.random.default_rng(0).integers(0, 3, (40, 900))
    assert metrics.vote(codes).tolist() == [metrics.vote([row])[0] for row in codes.tolist()]


def test_confusion_matches_the_table_worked_by_hand() -> None:
    matrix = metrics.confusion_matrix([0, 0, 0, 2, 2], [0, 1, 1, 2, 0], 3)
    assert matrix.tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 1]]


def test_an_interval_over_two_classes_ends_at_their_means() -> None:
    """Of the draws AA, AB, BA, BB a quarter each is all A or all B, so both ends of 95 % are a class's own mean."""
    low, high = metrics.class_bootstrap([[1.0, 4.0], [18.0, 4.0]], [10, 20])
    assert low.tolist() == pytest.approx([0.1, 0.2])
    assert high.tolist() == pytest.approx([0.9, 0.4])


def test_an_interval_agrees_with_scipy_where_classes_are_equally_large() -> None:
    means = np.random.default_rng(5).random(60)
    low, high = metrics.class_bootstrap(means * 30, np.full(60, 30), resamples=20_000)
    judge = stats.bootstrap((means,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    assert (float(low), float(high)) == pytest.approx((judge.low, judge.high), abs=0.003)


def test_large_classes_weigh_more() -> None:
    """Means over queries, not over classes: a thousand queries of 1 against classes of one query of 0."""
    low, high = metrics.class_bootstrap([1000.0, 0, 0], [1000, 1, 1])
    assert 0 <= low < 0.01  # the draws without the large class
    assert high == 1


def test_an_interval_over_classes_is_wider_than_one_over_queries() -> None:
    """Queries of a class succeed together; forty classes of fifty are forty observations and not two thousand."""
    share = np.random.default_rng(0).beta(2, 1, 40)
    over_classes = np.subtract(*metrics.class_bootstrap(share * 50, np.full(40, 50))[::-1])
    overall = share.mean()
    over_queries = 2 * 1.96 * np.sqrt(overall * (1 - overall) / 2000)
    assert over_classes > 2 * over_queries
    assert over_classes == pytest.approx(2 * 1.96 * share.std() / np.sqrt(40), rel=0.1)


def test_an_interval_is_the_same_again_and_passes_empty_classes_over() -> None:
    first = metrics.class_bootstrap([3.0, 1.0, 2.0], [4, 4, 4], seed=9)
    assert metrics.class_bootstrap([3.0, 1.0, 2.0], [4, 4, 4], seed=9) == first
    assert metrics.class_bootstrap([3.0, 0.0, 1.0, 2.0], [4, 0, 4, 4], seed=9) == first
    assert [float(end) for end in metrics.class_bootstrap([5.0, 5.0], [10, 10])] == [0.5, 0.5]


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (8, 10), (10, 10), (1, 1), (50, 200)])
def test_wilson_agrees_with_scipy(hits: int, trials: int) -> None:
    judge = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    assert metrics.wilson(hits, trials) == pytest.approx((judge.low, judge.high), abs=1e-12)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: metrics.vote([1, 2]), r"shape \(2,\)"),
        (lambda: metrics.vote(np.empty((2, 0), int)), r"\(2, 0\)"),
        (lambda: metrics.vote([[1, 2]], [[0.5, -0.1]]), "0 or more"),
        (lambda: metrics.vote([[1, 2]], [[0.5, float("nan")]]), "0 or more"),
        (lambda: metrics.vote([[1, 2]], [[0.5]]), r"shape \(1, 2\)"),
        (lambda: metrics.confusion_matrix([0], [0, 1], 2), r"\(1,\) and \(2,\)"),
        (lambda: metrics.confusion_matrix([0], [2], 2), "0 … 1, not 0 … 2"),
        (lambda: metrics.class_bootstrap([1.0], [0]), "at least one query"),
        (lambda: metrics.class_bootstrap([1.0], [1, 2]), r"\(1,\) and \(2,\)"),
        (lambda: metrics.wilson(3, 2), "not 3 of 2"),
        (lambda: metrics.wilson(0, 0), "not 0 of 0"),
    ],
)
def test_wrong_input_is_refused_with_what_was_given(call: Callable[[], object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        call()
