from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekin import evaluation
from imagekin.errors import InputError, UnknownNameError
from imagekin.evaluation import evaluate, gallery, labelled
from tests.clouds import clusters
from tests.test_metrics_ranking import slow

# Six pictures on a line, worked by hand (distances are differences):
#   id     0    1    2    3    4    5
#   place  0    1    3    7    8    12        nearest of each, itself left out:
#   label  a    a    b    b    b    a         0: 1 2 3 4 5  ->  a b b b a
LINE = np.array([[0.0], [1], [3], [7], [8], [12]])  # 1: 0 2 3 4 5 -> a b b b a
LETTERS = ["a", "a", "b", "b", "b", "a"]  #           2: 1 0 3 4 5 -> a a b b a
#                                                     3: 4 2 5 1 0 -> b b a a a   (2 is at 4, 5 is at 5)
#                                                     4: 3 5 2 1 0 -> b a b a a   (3 at 1, 5 at 4, 2 at 5)
#                                                     5: 4 3 2 1 0 -> b b b a a
HAND: dict[str, list[float]] = {
    "precision@2": [1 / 2, 1 / 2, 0, 1, 1 / 2, 0],
    "hit_rate@2": [1, 1, 0, 1, 1, 0],
    "recall@2": [1 / 2, 1 / 2, 0, 1, 1 / 2, 0],
    "mAP@2": [1 / 2, 1 / 2, 0, 1, 1 / 2, 0],
    "kNN@2": [1, 1, 0, 1, 1, 0],  # of one vote each the nearest wins
    "kNN by distance@2": [1, 1, 0, 1, 1, 0],
    "R-precision": [1 / 2, 1 / 2, 0, 1, 1 / 2, 0],
    "mAP@R": [1 / 2, 1 / 2, 0, 1, 1 / 2, 0],
    "MRR": [1, 1, 1 / 3, 1, 1, 1 / 4],
}


def line(**options: Any) -> evaluation.Evaluation:
    return evaluate(LINE, LETTERS, **{"k": 2, "metric": "euclidean", **options})


@pytest.mark.parametrize("name", HAND)
def test_figures_match_the_line_worked_by_hand(name: str) -> None:
    found = line().figure(name)
    assert found.value == pytest.approx(sum(HAND[name]) / 6)
    pairs = list(zip(HAND[name], LETTERS, strict=True))
    means = [sum(figure for figure, letter in pairs if letter == one) / 3 for one in "ab"]
    assert found.class_mean == pytest.approx(sum(means) / 2)
    # over two classes the ends of the interval are their means, see test_metrics_voting
    assert [found.low, found.high] == pytest.approx(sorted(means))


def test_the_classes_and_confusions_of_the_line() -> None:
    found = line()
    assert (found.images, found.classes, found.queries, found.searched, found.dim) == (6, 2, 6, 5, 1)
    assert [(one.label, one.images, one.correct, one.taken_for, one.taken) for one in found.per_class] == [
        ("a", 3, 2, "b", 1),
        ("b", 3, 2, "a", 1),
    ]
    assert found.per_class[0].precision == pytest.approx(1 / 3)
    assert [(pair.label, pair.taken_for, pair.count) for pair in found.confusions] == [("a", "b", 1), ("b", "a", 1)]
    assert found.confusions[0].share == pytest.approx(1 / 3)
    example = found.confusions[0].examples[0]
    assert (example.id, example.neighbours, example.distances) == (5, (4, 3, 2, 1, 0), (4, 5, 9, 11, 12))
    labels, matrix = found.confusion_matrix()
    assert (labels, matrix.tolist()) == (("a", "b"), [[2, 1], [1, 2]])


def test_a_split_searches_only_those_who_do_not_ask() -> None:
    found = line(split=np.array([True, False, True, False, False, False]))
    # 0 asks 1 3 4 5 -> a b b a; 2 asks 1 3 4 5 -> a b b a
    assert (found.queries, found.searched) == (2, 4)
    assert found.figure("precision@2").value == (1 / 2 + 1 / 2) / 2
    assert found.figure("recall@2").value == (1 / 2 + 1 / 2) / 2
    assert found.figure("MRR").value == (1 + 1 / 2) / 2


# -- against a slow loop -----------------------------------------------------------------------------------------------


def distance(metric: str, one: Any, other: Any) -> float:
    if metric == "euclidean":
        return math.dist(one, other)
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    if metric == "inner":
        return -product
    lengths = math.hypot(*one) * math.hypot(*other)
    return 1 - product / lengths if lengths else 1.0


def by_a_loop(vectors: Any, labels: list[str], asking: list[int], searched: list[int], metric: str, k: int) -> Any:
    """Every measure by its definition, over pictures ranked one by one; ties by id."""
    sums: Counter[str] = Counter()
    asked = 0
    for query in asking:
        ranked = sorted(
            (distance(metric, vectors[query], vectors[other]), other) for other in searched if other != query
        )
        flags = [int(labels[other] == labels[query]) for _, other in ranked]
        if not sum(flags):
            continue
        asked += 1
        names = {"mAP": "average_precision", "nDCG": "ndcg"}
        for name in ("precision", "hit_rate", "recall", "mAP", "nDCG"):
            sums[f"{name}@{k}"] += slow(f"{names.get(name, name)}@{k}", flags, sum(flags))  # type: ignore[assignment]
        for name, base in {"R-precision": "r_precision", "mAP@R": "average_precision_at_r"}.items():
            sums[name] += slow(base, flags, sum(flags))  # type: ignore[assignment]
        sums["MRR"] += slow("reciprocal_rank", flags, 0)  # type: ignore[assignment]
        votes = Counter(labels[other] for _, other in ranked[:k])
        first = [labels[other] for _, other in ranked[:k]]
        sums[f"kNN@{k}"] += max(first, key=lambda label: (votes[label], -first.index(label))) == labels[query]
    return asked, {name: total / asked for name, total in sums.items()}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_figures_agree_with_a_slow_loop(data: st.DataObject) -> None:
    """Small whole numbers, so that there are many exact ties, and float32 is exact where the metric is."""
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    count = data.draw(st.integers(4, 25))
    metric = data.draw(st.sampled_from(["euclidean", "inner"]))
    vectors = random.integers(-2, 3, (count, 2))
    labels = [str(code) for code in random.integers(0, 3, count)]
    labels[:3] = ["0", "0", "1"]
    k = data.draw(st.integers(1, 2))
    flags = random.random(count) < 0.4
    flags[:2] = [True, False]
    for split in (None, flags):
        asking = list(range(count)) if split is None else np.flatnonzero(split).tolist()
        searched = list(range(count)) if split is None else np.flatnonzero(~split).tolist()
        if len(searched) < k:
            continue
        asked, expected = by_a_loop(vectors.tolist(), labels, asking, searched, metric, k)
        found = evaluate(vectors, labels, k=k, metric=metric, split=split)
        assert found.queries == asked
        for name, value in expected.items():
            assert found.figure(name).value == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_real_numbers_agree_with_a_slow_loop(metric: str) -> None:
    vectors, labels = clusters(150, 6, 5)
    asked, expected = by_a_loop(vectors.tolist(), labels, list(range(150)), list(range(150)), metric, 7)
    found = evaluate(vectors, labels, k=7, metric=metric)
    assert found.queries == asked == 150
    assert {name: found.figure(name).value for name in expected} == pytest.approx(expected)
    assert 0.3 < expected["precision@7"] < 0.95  # the case tells good from bad


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_blocks_change_nothing(metric: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gallery too large to be kept, in blocks of 16 rows, three queries at a time."""
    vectors, labels = clusters(200, 8, 6)
    whole = evaluate(vectors.astype(kind), labels, metric=metric)
    monkeypatch.setattr(gallery, "CELLS", 600)
    monkeypatch.setattr(gallery, "_KEPT", 0)
    monkeypatch.setattr(gallery, "_BLOCK", 1)
    parts = evaluate(vectors.astype(kind), labels, metric=metric)
    assert [one.name for one in parts.figures] == [one.name for one in whole.figures]
    assert [one.value for one in parts.figures] == pytest.approx([one.value for one in whole.figures])
    assert [(pair.label, pair.taken_for, pair.count) for pair in parts.confusions] == [
        (pair.label, pair.taken_for, pair.count) for pair in whole.confusions
    ]


# -- copies and ties ---------------------------------------------------------------------------------------------------


def test_the_query_is_left_out_by_its_id_and_not_as_the_first_hit() -> None:
    """Copies with another label tie with the query; with the first hit dropped instead, b would find b at once."""
    vectors = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    found = evaluate(vectors, ["a", "b", "a", "b"], k=1)
    assert found.figure("precision@1").value == 0
    assert found.figure("MRR").value == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 1 / 3) / 4)  # ids 1 | 2 3, then the rest


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_equal_vectors_are_ordered_by_id(metric: str) -> None:
    """Forty copies each of seven vectors: every query's nearest are the other copies, by id, whatever rounding does."""
    base = np.random.default_rng(1).normal(size=(7, 33)).astype(np.float32)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    vectors, labels = np.repeat(base, 40, axis=0), [f"{number * number % 7}" for number in range(280)]
    total = 0
    for query in range(280):
        start = query // 40 * 40
        others = [row for row in range(start, start + 40) if row != query]
        total += sum(labels[row] == labels[query] for row in others[:10])
    found = evaluate(vectors, labels, metric=metric).figure("precision@10")
    assert found.value == pytest.approx(total / 2800)


def test_ids_decide_ties_and_not_the_order_of_rows() -> None:
    vectors, labels = np.ones((4, 2)), ["a", "b", "a", "b"]
    found = labelled.of_vectors(vectors, labels, ids=[40, 30, 20, 10])
    assert found.ids.tolist() == [10, 20, 30, 40]
    assert [found.labels[code] for code in found.codes] == ["b", "a", "b", "a"]


# -- samples, splits, notes --------------------------------------------------------------------------------------------


def test_a_share_of_each_class_asks_and_the_same_seed_asks_the_same() -> None:
    vectors, labels = clusters(300, 6, 4)
    found = evaluate(vectors, labels, split=0.25, seed=3)
    sizes = Counter(labels)
    assert {one.label: one.queries for one in found.per_class} == {
        label: round(size / 4) for label, size in sizes.items()
    }
    assert {one.label: one.images + one.queries for one in found.per_class} == sizes
    assert found.split == "queries: a random 25% of each class"
    same = evaluate(vectors, labels, split=0.25, seed=3)
    assert same.figures == found.figures
    assert evaluate(vectors, labels, split=0.25, seed=4).figures != found.figures


def test_a_sample_of_queries_searches_everything() -> None:
    vectors, labels = clusters(300, 6, 4)
    found, every = evaluate(vectors, labels, queries=120), evaluate(vectors, labels)
    assert (found.queries, found.searched) == (120, 299)
    assert found.figure("mAP@R").value == pytest.approx(every.figure("mAP@R").value, abs=0.1)
    assert "120 queries were drawn at random of 300" in found.notes[0]


def test_what_has_no_label_or_no_other_of_its_class_is_told() -> None:
    vectors, labels = np.eye(6), ["a", "a", None, float("nan"), "b", "b"]
    found = evaluate(np.vstack([vectors, [[1, 1, 0, 0, 0, 0]]]), [*labels, "lone"], k=(2, 1))
    assert (found.images, found.queries, found.classes) == (5, 4, 2)
    assert found.notes[:2] == (
        "2 of 7 images have no label and were left out.",
        "1 of 5 queries have no other image of their class and did not ask.",
    )
    assert "2 classes have fewer than 2 other images to find, so that precision@2 cannot reach 100 %" in found.notes[2]
    assert "Only 2 classes ask" in found.notes[3]
    assert found.figure("precision@2").value == 0.25  # the lone one is found, and wrong


def test_labels_are_compared_as_python_compares_them() -> None:
    found = evaluate(np.eye(4), [1, "1", 1, "1"], k=1)
    assert {one.label for one in found.per_class} == {"1", "'1'"}


def test_inner_products_have_no_votes_by_distance_and_say_so() -> None:
    vectors, labels = clusters(60, 4, 3)
    found = evaluate(vectors, labels, metric="inner")
    assert not [one for one in found.figures if "distance" in one.name]
    assert found.notes[-1].startswith("kNN by distance is left out")


def test_progress_ends_at_the_last_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "CELLS", 60 * 25)
    seen: list[evaluation.Progress] = []
    vectors, labels = clusters(60, 4, 3)
    evaluate(vectors, labels, progress=seen.append)
    assert [(one.done, one.total) for one in seen] == [(25, 60), (50, 60), (60, 60)]


def test_an_evaluation_survives_json() -> None:
    vectors, labels = clusters(80, 4, 3)
    found = evaluate(vectors, labels)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert evaluation.of_dict(json.loads(text)) == found
    with pytest.raises(UnknownNameError, match=r"no figure is called 'accuracy'; known: precision@4"):
        found.figure("accuracy")


def test_the_given_arrays_are_left_as_they_were() -> None:
    vectors, labels = clusters(60, 4, 3)
    before = vectors.copy()
    vectors.flags.writeable = False
    evaluate(vectors, labels, metric="cosine")
    assert np.array_equal(vectors, before)


GOOD = np.eye(4)


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        ((GOOD,), {}, "give labels too"),
        ((GOOD, ["a", "b"]), {}, "2 labels were given for 4 vectors"),
        ((GOOD, [None] * 4), {}, "none of the 4 images of the vectors has a label"),
        ((GOOD, ["a"] * 4), {}, "are of one class, 'a'"),
        ((GOOD, [*"abcd"]), {}, "each of the 4 classes of the vectors has one image only"),
        ((np.empty((0, 4)), []), {}, "are none"),
        ((GOOD, [["a"], ["a"], ["b"], ["b"]]), {}, "not lists or arrays"),
        ((np.full((4, 2), np.nan), [*"aabb"]), {}, "row 0 holds NaN"),
        ((np.array([[1, 2], [3, np.inf]], np.float16), [*"aa"]), {}, "row 1 holds NaN or infinity"),
        (([["x"]], ["a"]), {}, "must be real numbers"),
        ((GOOD, [*"aabb"]), {"k": 4}, "k is 4; give whole numbers from 1 to the 3 images"),
        ((GOOD, [*"aabb"]), {"k": (1, 0)}, "k is 0"),
        ((GOOD, [*"aabb"]), {"k": ()}, "k holds no number"),
        ((GOOD, [*"aabb"]), {"k": 1, "queries": 0}, "queries must be 1 or more, not 0"),
        ((GOOD, [*"aabb"]), {"k": 1, "split": 1.5}, "lies between 0 and 1, such as 0.2, not 1.5"),
        ((GOOD, [*"aabb"]), {"k": 1, "split": True}, "between 0 and 1"),
        ((GOOD, [*"aabb"]), {"k": 1, "split": "label == 'a'"}, "needs a collection"),
        ((GOOD, [*"aabb"]), {"k": 1, "split": np.zeros(4, bool)}, "leaves no queries"),
        ((GOOD, [*"aabb"]), {"k": 1, "split": np.ones(4, bool)}, "leaves no images to search"),
        ((GOOD, [*"aabb"]), {"k": 1, "split": np.array([1, 0, 0, 0])}, "flags of shape"),
        ((GOOD, [*"aabb"]), {"k": 1, "split": np.array([True, True, False, False])}, "has an image of its class"),
        ((GOOD, [*"aabb"]), {"k": 1, "metric": "hamming"}, "no metric is called 'hamming'"),
        ((GOOD * 1e30, [*"aabb"]), {"k": 1, "metric": "euclidean"}, "too long to be compared"),
    ],
)
def test_bad_input_is_one_sentence(arguments: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        evaluate(*arguments, **options)
    assert "\n" not in str(caught.value)
