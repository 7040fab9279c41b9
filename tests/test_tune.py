"""Choosing an engine: goals, what lies between two settings, and the choice among real engines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin.benchmark import Progress, ladders, of_vectors
from imagekin.benchmark.grid import Build
from imagekin.errors import InputError, MissingPackageError, UnknownNameError
from imagekin.index import ENGINES, create
from imagekin.tune import Choice, Goal, Trial, UnmetError, choose, ladder, tune
from tests.pictures import save


def trial(recall: float, seconds: float, size: float = 1e6, spec: str = "exact", **settings: Any) -> Trial:
    figures = {
        "recall": recall,
        "single_qps": 1 / seconds,
        "p50_ms": 1e3 * seconds,
        "own_bytes": 1,
        "anonymous_bytes": size,
    }
    return Trial(Build(spec, {}), settings, figures, 1000)


# -- goals -------------------------------------------------------------------------------------------------------------


def test_a_goal_is_met_when_all_of_it_is() -> None:
    goal = Goal(0.9, memory=2e6, latency=0.01)
    assert goal.met(trial(0.9, 0.01, 2e6))
    assert not goal.met(trial(0.8999, 0.01, 2e6))
    assert not goal.met(trial(0.9, 0.011, 2e6))
    assert not goal.met(trial(0.9, 0.01, 2.1e6))


def test_the_best_is_the_quickest_or_with_a_latency_alone_the_smallest() -> None:
    quick, small, poor = trial(0.95, 0.001, 9e6), trial(0.95, 0.004, 1e6), trial(0.5, 1e-6, 1)
    assert Goal(0.9).best([small, quick, poor]) is quick
    assert Goal(0.9, latency=0.005).best([quick, small, poor]) is small
    assert Goal(0.9, latency=0.005, memory=1e7).best([small, quick, poor]) is quick
    assert Goal(0.9, latency=0.002).best([quick, small, poor]) is quick
    assert Goal(0.99).best([quick, small, poor]) is None


def test_memory_is_the_engines_own_count_where_the_system_does_not_tell() -> None:
    told = trial(1, 1)
    assert told.bytes == 1e6
    silent = Trial(told.build, {}, {**told.figures, "anonymous_bytes": None}, 1000)
    assert silent.bytes == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"recall": 0}, "recall must be above 0 and at most 1, not 0"),
        ({"recall": 1.01}, "recall must be above 0 and at most 1, not 1.01"),
        ({"recall": math.nan}, "recall must be above 0"),
        ({"memory": 0}, "memory must be above 0, not 0"),
        ({"latency": -1}, "latency must be above 0, not -1"),
        ({"latency": math.inf}, "latency must be above 0"),
    ],
)
def test_goals_that_make_no_sense(words: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Goal(**words)  # type: ignore[arg-type]


def test_what_is_not_met_is_one_sentence_with_the_nearest() -> None:
    goal = Goal(0.99, memory=5e6, latency=0.001)
    trials = [trial(0.98, 0.0005, 4e6, "near"), trial(0.5, 0.0001, 1e6, "poor"), trial(1.0, 0.5, 1e6, "slow")]
    error = goal.unmet(trials)
    assert str(error) == (
        "no engine reaches recall 0.99, at most 1 ms a search, at most 5 MB of memory; nearest comes near with recall "
        "0.980, 0.5 ms and 4 MB. The collection is as it was."
    )
    assert error.trials == trials
    assert "none could be measured" in str(goal.unmet([]))


# -- between the rungs -------------------------------------------------------------------------------------------------


def test_whole_numbers_between_two_rungs() -> None:
    tried = [{"ef": value} for value in (10, 15, 22, 34)]
    assert ladder.between(tried, {"ef": 22}) == [{"ef": 17}, {"ef": 19}, {"ef": 21}, {"ef": 22}]
    assert ladder.between(tried, {"ef": 10}) == [{"ef": 10}]
    assert ladder.between([{"ef": 1}, {"ef": 2}], {"ef": 2}) == [{"ef": 2}]
    assert ladder.between([{}], {}) == [{}]


def test_fractions_between_two_rungs() -> None:
    found = ladder.between([{"epsilon": 0.0}, {"epsilon": 0.06}], {"epsilon": 0.06})
    assert [each["epsilon"] for each in found] == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])


def test_two_settings_are_varied_one_at_a_time() -> None:
    tried = [{"nprobe": a, "rerank": b} for a in (1, 4) for b in (2, 5)]
    assert ladder.between(tried, {"nprobe": 4, "rerank": 5}) == [
        {"nprobe": 2, "rerank": 5}, {"nprobe": 3, "rerank": 5}, {"nprobe": 4, "rerank": 3}, {"nprobe": 4, "rerank": 4},
        {"nprobe": 4, "rerank": 5},
    ]  # fmt: skip
    assert ladder.above(tried, {"nprobe": 1, "rerank": 2}) == [
        {"nprobe": 1, "rerank": 2}, {"nprobe": 4, "rerank": 2}, {"nprobe": 1, "rerank": 5},
    ]  # fmt: skip
    assert ladder.above(tried, {"nprobe": 3, "rerank": 5}) == [{"nprobe": 3, "rerank": 5}, {"nprobe": 4, "rerank": 5}]
    assert ladder.above(tried, {"nprobe": 4, "rerank": 5}) == [{"nprobe": 4, "rerank": 5}]


# -- with real engines -------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps that are quick."""

    def line(n: int, dim: int) -> Iterator[ladders.Line]:
        yield {"factory": "HNSW8"}, {"ef": (4, 16, 64, 256)}

    monkeypatch.setattr(ladders, "SWEEPS", {**ladders.SWEEPS, "faiss": line})


def test_the_chosen_engine_reaches_the_recall_on_queries_of_its_own(few: None) -> None:
    vectors = np.random.default_rng(0).standard_normal((4_000, 16)).astype(np.float32)
    data = of_vectors(vectors, queries=200)
    steps: list[Progress] = []
    choice = choose(data, Goal(0.9), engines=["faiss"], watch=steps.append)
    assert choice.trial.recall >= 0.9 - 2 * choice.trial.figures["recall_error"]
    assert choice.spec == choice.trial.spec
    assert {each.build.engine for each in choice.trials} == {"faiss"}
    assert choice.absent == []
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    index = create(choice.spec, 16)
    index.build(np.arange(len(data.train)), data.train)
    found = index.search(data.queries, 10)[0]
    exact = create("exact", 16)
    exact.build(np.arange(len(data.train)), data.train)
    true = exact.search(data.queries, 10)[0]
    own = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), true.tolist(), strict=True)])
    assert own >= 0.9 - 0.03


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for number in range(120):
        save(root / f"{number:03d}.png", number, width=12, height=8)
    return root


def test_a_collection_is_served_by_what_was_chosen(few: None, pictures: Path, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(pictures)
        tried = tune(photos, Goal(0.9), engines=["exact"], apply=False)
        assert photos.engine == tried.before == "auto"
        choice: Choice = tune(photos, Goal(0.9), engines=["faiss"])
        assert photos.engine == choice.spec
        assert choice.spec.startswith("faiss(factory='HNSW8'")
        hits = photos.search(pictures / "007.png", k=3)
        assert hits[0].path.endswith("007.png")
    with imagekin.open(tmp_path / "c") as photos:
        assert photos.engine == choice.spec


def test_nothing_reaches_it_and_the_collection_stays(few: None, pictures: Path, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels", engine="exact") as photos:
        photos.index(pictures)
        with pytest.raises(
            UnmetError, match=r"no engine reaches recall 0.9, at most 1e-06 ms a search; nearest comes exact"
        ):
            tune(photos, Goal(0.9, latency=1e-9), engines=["exact"])
        assert photos.engine == "exact"


def test_names_that_there_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = of_vectors(np.random.default_rng(0).random((200, 4), np.float32))
    with pytest.raises(UnknownNameError, match="no engine is called 'nothing'"):
        choose(data, Goal(), engines=["nothing"])
    monkeypatch.setattr(type(ENGINES["exact"]), "installed", lambda self: not self.requires)
    with pytest.raises(MissingPackageError, match="pip install"):
        choose(data, Goal(), engines=["annoy"])
    with (
        imagekin.open(tmp_path / "empty", model="pixels") as photos,
        pytest.raises(InputError, match="has 0 images; a measurement needs at least 100"),
    ):
        tune(photos)
