"""``evaluation.by_dimension``: accuracy by length against PCA and evaluations done by hand, and where the knee is."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from imagekin import evaluation
from imagekin.distance import normalized
from imagekin.errors import InputError, UnknownNameError
from imagekin.evaluation import Length, Sweep, by_dimension, evaluate
from imagekin.evaluation.records import Figure
from imagekin.reduce.pca import PCA, WhitenedPCA
from imagekin.types import Vectors
from tests.clouds import clusters


def principal(vectors: Vectors, dim: int, *, of: Vectors | None = None) -> Vectors:
    """The first *dim* coordinates of PCA, by a singular value decomposition."""
    learned = (vectors if of is None else of).astype(np.float64)
    mean = learned.mean(axis=0)
    directions = np.linalg.svd(learned - mean, full_matrices=False)[2][:dim]
    return np.asarray((vectors - mean) @ directions.T, np.float32)


# -- figures -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_each_length_is_what_an_evaluation_of_its_pca_says(metric: str) -> None:
    vectors, labels = clusters(160, 10, 6)
    found = by_dimension(vectors * 3, (5, 1, 3), labels=labels, metric=metric, k=3, seed=7)
    base = normalized(vectors) if metric == "cosine" else vectors * 3
    assert [one.dim for one in found.lengths] == [1, 3, 5]
    for one in found.lengths:
        want = evaluate(principal(base, one.dim), labels, metric="euclidean", k=3, seed=7)
        for got, name in ((one.precision, "precision@3"), (one.map_r, "mAP@R")):
            assert got.name == name
            assert asdict(got) == pytest.approx(asdict(want.figure(name)), abs=2e-3)
    whole = evaluate(vectors, labels, metric=metric, k=3, seed=7)
    assert asdict(found.whole.precision) == pytest.approx(asdict(whole.figure("precision@3")))
    assert asdict(found.whole.map_r) == pytest.approx(asdict(whole.figure("mAP@R")))
    assert found.lengths[0].precision.value < found.lengths[2].precision.value  # the case tells short from long


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_at_full_length_nothing_is_lost(metric: str) -> None:
    vectors, labels = clusters(120, 8, 4)
    found = by_dimension(vectors, 8, labels=labels, metric=metric)
    (one,) = found.lengths
    assert one.precision.value == pytest.approx(found.whole.precision.value, abs=1e-3)
    assert one.map_r.value == pytest.approx(found.whole.map_r.value, abs=1e-3)
    assert one.variance == pytest.approx(1)


def test_the_change_is_of_the_same_classes_and_queries() -> None:
    vectors, labels = clusters(200, 12, 12)
    found = by_dimension(vectors, (2, 12), labels=labels)
    short, full = found.lengths
    for one in found.lengths:
        assert one.change.value == pytest.approx(one.precision.value - found.whole.precision.value)
        assert one.change.class_mean == pytest.approx(one.precision.class_mean - found.whole.precision.class_mean)
        assert one.change.low <= one.change.value <= one.change.high
    assert short.change.high < 0
    assert full.change.high - full.change.low < 0.2 * (full.precision.high - full.precision.low)
    assert asdict(found.whole.change) == {**dict.fromkeys(("value", "low", "high", "class_mean"), 0.0),
                                          "name": "change of precision@4"}  # fmt: skip


def test_whitening_is_another_reducer() -> None:
    vectors, labels = clusters(90, 6, 3)
    found = by_dimension(vectors, 4, labels=labels, reducer="pca-whiten", metric="euclidean")
    want = evaluate(WhitenedPCA(4).fit_transform(vectors), labels, metric="euclidean")
    assert found.lengths[0].precision.value == pytest.approx(want.figure("precision@4").value)
    assert (found.reducer, found.fitted) == ("pca-whiten", 90)


def test_with_a_split_pca_learns_from_what_is_searched_only() -> None:
    """Queries that lie along a direction of their own must not teach it to PCA."""
    vectors, labels = clusters(150, 6, 3)
    asks = np.arange(150) % 3 == 0
    vectors[asks, 0] += 40 * (np.arange(50) - 25).astype(np.float32)
    found = by_dimension(vectors, 2, labels=labels, split=asks, metric="euclidean")
    assert (found.queries, found.searched, found.fitted) == (50, 100, 100)
    for learned, same in ((vectors[~asks], True), (vectors, False)):
        short = principal(vectors, 2, of=learned)
        want = evaluate(short, labels, split=asks, metric="euclidean").figure("precision@4").value
        assert (found.lengths[0].precision.value == pytest.approx(want, abs=2e-3)) == same


def test_labels_are_not_learned_from() -> None:
    vectors, labels = clusters(60, 6, 3)
    one = by_dimension(vectors, (1, 3), labels=labels)
    other = by_dimension(vectors, (1, 3), labels=labels[::-1])
    assert [each.variance for each in one.lengths] == [each.variance for each in other.lengths]
    ratios = PCA().fit(normalized(vectors)).explained_variance_ratio_
    assert one.lengths[1].variance == pytest.approx(float(ratios[:3].sum()), abs=1e-6)


def test_half_precision_stays_and_is_told_as_bytes() -> None:
    vectors, labels = clusters(60, 6, 3)
    unit = normalized(vectors).astype(np.float16)
    for given, metric, whole, short in (
        (unit, "cosine", 12, 4), (vectors, "cosine", 24, 8), ((30 * unit), "euclidean", 12, 8),
    ):  # fmt: skip
        found = by_dimension(given, 2, labels=labels, metric=metric)
        assert (found.whole.bytes, found.lengths[0].bytes) == (whole, short)


def test_lengths_that_are_usual_end_where_the_vectors_do() -> None:
    vectors, labels = clusters(40, 30, 3)
    assert [one.dim for one in by_dimension(vectors, labels=labels).lengths] == [1, 2, 3, 4, 5, 10, 20]
    assert by_dimension(vectors, (3, 3, 2), labels=labels, queries=10).queries == 10


def test_progress_ends_at_the_last_query_of_the_last_length() -> None:
    vectors, labels = clusters(50, 4, 3)
    seen: list[evaluation.Progress] = []
    by_dimension(vectors, (1, 2), labels=labels, progress=seen.append)
    assert [(one.done, one.total) for one in seen] == [(50, 150), (100, 150), (150, 150)]


GOOD, PAIRS = np.eye(6), [*"aabbcc"]


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        ((GOOD, 7), {"labels": PAIRS}, "7 is no number of dimensions to keep; give whole numbers from 1 to 6"),
        ((np.ones((6, 90)), (2, 8)), {"labels": PAIRS}, r"from 1 to 6 \(PCA learns from 6 images with vectors of 90\)"),
        ((GOOD, 0), {"labels": PAIRS}, "0 is no number of dimensions"),
        ((GOOD, (2, True)), {"labels": PAIRS}, "True is no number of dimensions"),
        ((GOOD, (2, math.nan)), {"labels": PAIRS}, "nan is no number of dimensions"),
        ((GOOD, (2.5,)), {"labels": PAIRS}, "2.5 is no number of dimensions"),
        ((GOOD, ()), {"labels": PAIRS}, "dimensions hold no number"),
        (
            (GOOD, 4),
            {"labels": PAIRS, "k": 2, "split": [True, False] * 3},
            "4 is no number of dimensions .* from 1 to 3",
        ),
        ((GOOD, 2), {}, "give labels too"),
        ((GOOD, 2), {"labels": [None] * 6}, "none of the 6 images of the vectors has a label"),
        ((GOOD, 2), {"labels": ["a"] * 6}, "are of one class, 'a'"),
        ((GOOD, 2), {"labels": [*"abcdef"]}, "has one image only"),
        ((np.full((6, 2), np.nan), 2), {"labels": PAIRS}, "row 0 holds NaN"),
        ((GOOD, 2), {"labels": PAIRS, "k": 6}, "k is 6; give whole numbers from 1 to the 5 images"),
        ((GOOD, 2), {"labels": PAIRS, "metric": "inner"}, "keeps distances and not inner products"),
        ((GOOD, 2), {"labels": PAIRS, "reducer": "lda"}, "tried with pca or pca-whiten, not with 'lda'"),
        ((GOOD, 2), {"labels": PAIRS, "reducer": "pca:3"}, "names no reducer"),
    ],
)
def test_what_cannot_be_tried_is_one_sentence(arguments: Any, options: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        by_dimension(*arguments, **options)


def test_an_unknown_reducer_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="known: head, lda, pca"):
        by_dimension(GOOD, 2, labels=PAIRS, reducer="tsne")


def test_vectors_that_are_all_equal_do_no_harm() -> None:
    found = by_dimension(np.ones((6, 3)), (1, 2), labels=PAIRS, k=2)
    assert math.isfinite(found.lengths[0].precision.value)
    assert [one.variance for one in found.lengths] == [0.0, 0.0]


# -- the knee ----------------------------------------------------------------------------------------------------------


def figured(value: float, name: str = "precision@4") -> Figure:
    return Figure(name, value, value - 0.01, value + 0.01, value)


def length(dim: int, precision: float, whole: float, speed: float = 2.0) -> Length:
    return Length(dim, figured(precision), figured(precision / 2, "mAP@R"), figured(precision - whole, "change"), 0.5,
                  2 * dim, 1 / speed, speed)  # fmt: skip


def sweep(precisions: dict[int, float], whole: float = 0.9) -> Sweep:
    lengths = tuple(length(dim, value, whole, speed=1000 / dim) for dim, value in precisions.items())
    full = length(1000, whole, whole)
    return Sweep("photos", "model", 100, 5, 100, 99, "leave-one-out", "cosine", 4, "pca", 100, full, lengths,
                 ("a note",), 1.5, 0)  # fmt: skip


@pytest.mark.parametrize(
    ("precisions", "knee", "reaches"),
    [
        ({10: 0.5, 50: 0.89, 100: 0.896, 200: 0.9}, 100, True),  # 0.4 points are lost
        ({10: 0.5, 50: 0.8951, 100: 0.896}, 50, True),
        ({10: 0.91, 50: 0.5}, 10, True),
        ({10: 0.5, 50: 0.8, 100: 0.7}, 50, False),
        ({10: 0.8, 50: 0.8}, 10, False),
    ],
)
def test_the_knee_is_the_shortest_within_half_a_point(precisions: dict[int, float], knee: int, reaches: bool) -> None:
    found = sweep(precisions)
    assert (found.knee.dim, found.reaches) == (knee, reaches)
    assert found.kept == pytest.approx(precisions[knee] / 0.9)


def test_the_sentence() -> None:
    assert sweep({10: 0.5, 100: 0.897}).sentence == (
        "With 100 of 1,000 dimensions you keep 99.7% of the accuracy (precision@4) at 10.0 × the speed, in 10% of the "
        "memory."
    )
    assert sweep({10: 0.45}).sentence.startswith(
        "No length that was tried comes within 0.5 points of the whole vectors; with 10 of 1,000 dimensions you keep "
        "50.0% of the accuracy"
    )
    assert sweep({10: 0.0}, whole=0.0).kept == 1


def test_a_sweep_survives_json() -> None:
    vectors, labels = clusters(60, 5, 3)
    found = by_dimension(vectors, (1, 4), labels=labels)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (data["knee"], data["sentence"]) == (found.knee.dim, found.sentence)
    assert Sweep.of_dict(data) == found
