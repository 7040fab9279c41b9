"""Few-shot classification by episodes: N classes, K examples of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import imagekin
from imagekin import evaluation
from imagekin.collection import Collection
from imagekin.errors import InputError
from imagekin.reduce.lda import LDA
from tests.people import PEOPLE, PHOTOS, opened, people, population, runner
from tests.shell import invoke

__all__ = ["people", "population"]

AXES = np.eye(6, dtype=np.float32)


@pytest.fixture
def photos(population: Path, tmp_path: Path) -> Iterator[Collection]:
    yield from opened(population, tmp_path)


def corners(each: int = 4) -> tuple[Any, list[str]]:
    """Six classes along six axes: whoever looks is right."""
    return np.repeat(AXES, each, axis=0), [f"axis {row // each}" for row in range(6 * each)]


def test_classes_that_lie_apart_are_told_from_one_example() -> None:
    found = evaluation.few_shot(*corners(), tasks=("2x1", "6x3"), episodes=5)
    assert [(str(each.task), each.accuracy, each.classes) for each in found.tasks] == [("2x1", 1, 6), ("6x3", 1, 6)]
    assert (found.task("6X3").low, found.task("6×3").high) == (1, 1)
    assert (found.images, found.dim, found.metric, found.episodes) == (24, 6, "cosine", 5)


def test_vectors_that_say_nothing_are_right_by_chance() -> None:
    random = np.random.default_rng(0)
    found = evaluation.few_shot(random.normal(size=(400, 8)), [row % 20 for row in range(400)], tasks="4x1")
    one = found.tasks[0]
    assert one.low < 0.25 < one.high and one.high - one.low < 0.03


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_an_episode_is_that_of_a_slow_loop(metric: str) -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(12, 3)).astype(np.float32)
    codes = np.repeat([0, 1], 6)
    episodes = 40
    found = evaluation.few_shot(vectors, codes, tasks="2x2", episodes=episodes, queries=3, metric=metric, seed=7)
    draws, shares = np.random.default_rng([7, 2, 2]), []
    for _ in range(episodes):
        parts = [draws.permutation(np.flatnonzero(codes == code))[:5] for code in draws.permutation(2)]
        given = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if metric == "cosine" else vectors
        means = [given[rows[:2]].mean(axis=0) for rows in parts]
        right = []
        for own, rows in enumerate(parts):
            for row in rows[2:]:
                gaps = {
                    "cosine": [-given[row] @ mean / np.linalg.norm(mean) for mean in means],
                    "euclidean": [np.linalg.norm(given[row] - mean) for mean in means],
                    "inner": [-given[row] @ mean for mean in means],
                }
                right.append(int(np.argmin(gaps[metric])) == own)
        shares.append(np.mean(right))
    assert found.tasks[0].accuracy == pytest.approx(float(np.mean(shares)))
    half = 1.96 * np.std(shares, ddof=1) / np.sqrt(episodes)
    assert found.tasks[0].high - found.tasks[0].accuracy == pytest.approx(half)


def test_examples_are_never_asked_for_and_every_class_counts_alike() -> None:
    # class 0: five copies of one vector, class 1: the same vector once too, and it is nobody's neighbour otherwise
    vectors = np.array([[1, 0]] * 20 + [[-1, 0], [0, 1]], np.float32)
    codes = [0] * 20 + [1, 1]
    found = evaluation.few_shot(vectors, codes, tasks="2x1", episodes=200, queries=15)
    # class 0 is always right; of class 1, the example is (-1, 0), (0, 1) is as near to both, and the first drawn class
    # wins; or it is (0, 1), and (-1, 0) is nearer to it: 1/2 · 1/2 + 1/2 = 3/4
    assert found.tasks[0].accuracy == pytest.approx((1 + 0.75) / 2, abs=0.06)


def test_usual_tasks_are_those_that_there_are_classes_for() -> None:
    assert [str(each.task) for each in evaluation.few_shot(*corners(), episodes=2).tasks] == ["5x1"]
    assert [str(each.task) for each in evaluation.few_shot(*corners(6), episodes=2).tasks] == ["5x1", "5x5"]
    few = evaluation.few_shot(AXES[[0, 0, 1, 1, 2]], list("aabbc"), episodes=2)
    assert [(str(each.task), each.classes) for each in few.tasks] == [("2x1", 2)]


def test_the_same_seed_draws_the_same_episodes() -> None:
    random = np.random.default_rng(1)
    vectors, codes = random.normal(size=(60, 4)), np.repeat(np.arange(6), 10)
    first, again, other = (
        evaluation.few_shot(vectors, codes, tasks="5x1", episodes=20, seed=seed) for seed in (0, 0, 1)
    )
    assert first.tasks == again.tasks != other.tasks


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ("5", "'5' is no task; write classes x examples of each, such as 5x1"),
        ("ax1", "is no task; write classes x examples"),
        ("1x1", "1x1 is no task: it needs two classes or more"),
        ("2x0", "2x0 is no task"),
        ("7x1", "7x1 needs 7 classes with 2 pictures or more, 1 as examples.*the vectors has 6"),
        ("2x4", "2x4 needs 2 classes with 5 pictures.*has 0"),
        ([], "no task was given"),
    ],
)
def test_tasks_that_cannot_be_done_say_why(tasks: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        evaluation.few_shot(*corners(), tasks=tasks)


@pytest.mark.parametrize("option", [{"episodes": 0}, {"episodes": True}, {"queries": 10_001}])
def test_numbers_out_of_range_say_so(option: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"give a whole number from 1 to 10,000"):
        evaluation.few_shot(*corners(), **option)


def test_a_collection_is_asked_as_its_vectors_are(photos: Collection) -> None:
    ids, vectors = photos.vectors()
    labels = [item.label for item in photos.get(ids.tolist())]
    found, same = evaluation.few_shot(photos, tasks="5x1"), evaluation.few_shot(vectors, labels, tasks="5x1")
    assert found.tasks == same.tasks and found.model == "pixels" and found.images == PEOPLE * PHOTOS
    assert not found.notes


def test_what_labels_taught_is_asked_for_classes_that_it_does_not_know(photos: Collection) -> None:
    photos.reduce = "lda"
    found = evaluation.few_shot(photos, tasks="5x2", seed=4)
    ids, vectors = photos.vectors()
    labels = np.array([item.label for item in photos.get(ids.tolist())])
    known = np.unique(labels)[np.random.default_rng(4).permutation(PEOPLE)[: PEOPLE // 2]]
    taught = np.isin(labels, known)
    made = LDA().fit(vectors[taught], labels[taught]).transform(vectors[~taught])
    same = evaluation.few_shot(made, labels[~taught], tasks="5x2", seed=4)
    assert found.tasks[0].accuracy == pytest.approx(same.tasks[0].accuracy, abs=0.01)
    assert (found.images, found.tasks[0].classes) == (PEOPLE * PHOTOS // 2, PEOPLE // 2)
    assert "learned from 6 of the classes only, and episodes are of the other 6" in found.notes[0]


def test_the_command_prints_a_line_a_task(photos: Collection) -> None:
    run = runner(photos)
    done = run("evaluate", "--episodes", "5x1,12x4", "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.output)
    assert [each["task"] for each in data["tasks"]] == [{"way": 5, "shot": 1}, {"way": 12, "shot": 4}]
    lines = run("evaluate", "--episodes", "5x1,12x4").output.splitlines()
    assert lines[0].startswith("c: 60 images, pixels, cosine, ")
    words = [line.split() for line in lines]
    assert words[3][:3] == ["5", "x", "1"] and words[3][-2:] == ["20.00%", "12"]
    assert words[4][3] == f"{data['tasks'][1]['accuracy']:.2%}"


@pytest.mark.parametrize("beside", [("--pca", "4"), ("--edits", "all"), ("--plot", "a.png"), ("--sheets", "a")])
def test_episodes_go_alone(beside: tuple[str, str], photos: Collection) -> None:
    done: Result = runner(photos)("evaluate", "--episodes", "5x1", *beside)
    assert done.exit_code == 2 and f"--episodes goes without {beside[0]}" in done.output


def test_a_collection_without_labels_says_so(tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels"):
        pass
    done = invoke("-c", tmp_path / "c", "evaluate", "--episodes", "5x1")
    assert done.exit_code == 1 and "has no pictures" in done.output
