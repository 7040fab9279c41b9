"""What a head learns from, and how it is parted."""

from __future__ import annotations

import numpy as np
import pytest

from imagekin.train import examples
from imagekin.train.examples import Examples


def given(codes: list[int]) -> Examples:
    labels = tuple(f"class {code}" for code in range(max(codes) + 1))
    vectors = np.random.default_rng(0).normal(size=(len(codes), 4)).astype(np.float32)
    return Examples(vectors, np.array(codes), labels, ())


def test_halves_part_every_class_and_repeat() -> None:
    found = given([0] * 7 + [1] * 4 + [2])
    rows = np.arange(12)
    learn, held = examples.halves(found, rows, 3)
    assert sorted([*learn, *held]) == rows.tolist()
    assert np.bincount(found.codes[learn]).tolist() == [4, 2, 1]
    assert np.bincount(found.codes[held]).tolist() == [3, 2]
    np.testing.assert_array_equal(examples.halves(found, rows, 3)[0], learn)
    draws = {tuple(examples.halves(found, rows, seed)[0]) for seed in range(9)}
    assert len(draws) > 3


def test_halves_of_some_rows() -> None:
    found = given([0, 1] * 10)
    learn, held = examples.halves(found, np.arange(4, 20), 0)
    assert sorted([*learn, *held]) == list(range(4, 20))
    assert np.bincount(found.codes[learn]).tolist() == [4, 4]


@pytest.mark.parametrize(("classes", "count"), [(4, 2), (12, 2), (30, 6)])
def test_a_fifth_of_the_classes_is_held_out_whole(classes: int, count: int) -> None:
    found = given(list(range(classes)) * 3)
    fresh = examples.unseen(found, np.arange(3 * classes), 1)
    assert fresh is not None
    chosen = set(found.codes[fresh].tolist())
    assert len(chosen) == count
    assert fresh.tolist() == [row for row in range(3 * classes) if found.codes[row] in chosen]


def test_classes_of_one_are_never_held_out_and_few_classes_not_at_all() -> None:
    found = given([0, 0, 1, 1, 2, 2, 3])
    assert examples.unseen(found, np.arange(7), 0) is None
    found = given([0, 0, 1, 1, 2, 2, 3, 4, 4])
    for seed in range(9):
        fresh = examples.unseen(found, np.arange(9), seed)
        assert fresh is not None and 3 not in found.codes[fresh]


def test_copies_are_taken_once_and_not_at_all_where_they_contradict_each_other() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0], [1, 1], [0, 1], [1, 1]], np.float16)
    rows, contradicted = examples._distinct(vectors, np.array([0, 0, 0, 1, 1, 1]))
    assert (rows.tolist(), contradicted) == ([0, 3], 2)
