"""Options without sense are refused when an engine is made, each in one sentence, before any picture is embedded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest

from imagekin.errors import InputError
from imagekin.index import ENGINES
from imagekin.index.base import Index
from imagekin.testing.answers import clustered
from tests.installed_engines import need

COUNTS: Final = {
    "M", "block", "construction", "degree", "edges", "ef", "ef_construction", "leaf_size", "lists", "neighbors",
    "nprobe", "rerank", "sample", "search_edges", "search_k", "threads", "trees",
}  # fmt: skip
CHOICES: Final = {"bits", "codes", "dtype", "gpu", "rank"}
NO_NUMBERS: Final[tuple[Any, ...]] = ("8", True, [8], {}, b"8", object, math.nan, math.inf, 1j)
NO_COUNTS: Final[tuple[Any, ...]] = (-4, -1, 1.5, 2.0, 2**40, 2**70, *NO_NUMBERS)
NO_TEXTS: Final[tuple[Any, ...]] = (5, True, "", " ", b"Flat", ["Flat"], 2.5)
ZERO_MEANS_ALL: Final = {"threads", "search_edges"}


def refused(name: str) -> tuple[Any, ...]:
    """Values that an option of that name must not have."""
    if name in COUNTS:
        return NO_COUNTS if name in ZERO_MEANS_ALL else (0, *NO_COUNTS)
    if name in CHOICES:
        return (-4, 3.5, 5000, "unknown", [], 8.0, b"")
    numbers = {"recall": (0, -0.1, 1.01, 7), "epsilon": (-1, -2.5, 1e9), "threshold": (-1.1, 2)}
    return (*numbers[name], *NO_NUMBERS) if name in numbers else NO_TEXTS


def options() -> Iterator[tuple[str, str]]:
    """Every option of every engine that is installed here."""
    for engine in ENGINES:
        if ENGINES[engine].installed():
            for name in ENGINES.load(engine).options:
                yield engine, name


def made(engine: str, **parameters: Any) -> Index:
    need(engine)
    here = {"devices": "cpu"} if engine == "torch" else {}
    return ENGINES.load(engine)(32, "cosine", **{**here, **parameters})  # type: ignore[no-any-return]


@pytest.mark.parametrize("engine", list(ENGINES))
def test_values_without_sense_are_refused_at_once(engine: str) -> None:
    accepted = []
    for name in made(engine).options:
        for value in refused(name):
            try:
                made(engine, **{name: value})
            except InputError as error:
                sentence = str(error)
                assert name in sentence and sentence.endswith("."), sentence
                assert "\n" not in sentence
            else:
                accepted.append((name, value))
    assert not accepted


@pytest.mark.parametrize("engine", list(ENGINES))
def test_a_refusal_says_what_was_given_and_what_is_expected(engine: str) -> None:
    rules = made(engine).rules
    for name, rule in rules.items():
        with pytest.raises(InputError) as told:
            made(engine, **{name: -4})
        assert str(told.value) == f"{engine}'s {name} must be {rule.words}, not -4."
    assert set(made(engine).options) == set(rules)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_an_unknown_name_is_refused_and_the_known_ones_are_told(engine: str) -> None:
    known = sorted(made(engine).options)
    with pytest.raises(InputError, match=f"{engine} has no parameter 'effort'; known: {', '.join(known) or 'none'}"):
        made(engine, effort=3)


@pytest.mark.parametrize("engine", list(ENGINES))
def test_none_stands_for_chosen_by_the_engine_and_for_nothing_else(engine: str) -> None:
    for name, default in made(engine).options.items():
        if default is None:
            made(engine, **{name: None}) if name != "devices" else None
        else:
            with pytest.raises(InputError, match=f"{name} must be"):
                made(engine, **{name: None})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"factory": "IVF999999,Flat"}, r"from 65,536 rows; take a sample of 999,999 or more, or fewer lists"),
        ({"factory": "IVF64,Flat", "sample": 63}, r"cannot learn IVF64,Flat from 63 rows; take a sample of 64 or more"),
        ({"factory": "PQ4", "sample": 255}, r"take a sample of 256 or more"),
        ({"factory": "HNSW32", "ef": "abc"}, r"faiss's ef must be a whole number of 1 or more"),
    ],
)
def test_faiss_refuses_what_it_could_not_train(words: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        made("faiss", **words)
    made("faiss", factory="IVF64,Flat", sample=64)


# -- changing a built one ----------------------------------------------------------------------------------------------


def filled(engine: str, **parameters: Any) -> Any:
    threads = {"threads": 1} if "threads" in ENGINES.load(engine).options else {}
    index = made(engine, **{**threads, **parameters})
    index.build(range(600), clustered(600, 32))
    return index


@pytest.mark.parametrize("engine", ["faiss", "hnswlib", "lorann", "exact"])
def test_only_what_acts_on_a_search_can_be_changed_and_by_the_same_rules(engine: str) -> None:
    need(engine)
    index = filled(engine)
    before, parameters = index.search(clustered(600, 32)[:3], 5), dict(index.parameters)
    fixed = next(iter(sorted(index.options.keys() - index.knobs())), "anything")
    with pytest.raises(InputError, match=f"{engine}'s {fixed} cannot be changed when it is built; these can: "):
        index.adjust({fixed: 3})
    for name in index.knobs():
        with pytest.raises(InputError, match=f"{name} must be a whole number"):
            index.adjust({name: -4})
    index.adjust({})
    after = index.search(clustered(600, 32)[:3], 5)
    assert index.parameters == parameters
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def test_a_change_before_the_build_counts_when_it_is_built() -> None:
    need("hnswlib")
    index = made("hnswlib", threads=1)
    index.adjust({"ef": 17})
    index.build(range(600), clustered(600, 32))
    assert (index.tuned.width, index.parameters["ef"]) == (17, 17)  # type: ignore[attr-defined]


def test_candidates_that_were_given_are_used_though_they_fall_short() -> None:
    need("turbovec")
    rows = np.random.default_rng(3).standard_normal((3_000, 48), np.float32)
    index: Any = made("turbovec", bits=2, rerank=1)
    index = type(index)(48, "cosine", bits=2, rerank=1)
    index.build(range(3_000), rows)
    queries = np.random.default_rng(4).standard_normal((40, 48), np.float32)
    limit = np.sort(
        1 - (queries / np.linalg.norm(queries, axis=1)[:, None]) @ (rows / np.linalg.norm(rows, axis=1)[:, None]).T
    )
    found = float((index.search(queries, 10)[1] <= limit[:, 9:10] + 1e-5).mean())
    assert 0.1 < found < 0.95, "one candidate for each hit cannot find them all: the exact scan must have answered"
    index.adjust({"rerank": 40})
    assert float((index.search(queries, 10)[1] <= limit[:, 9:10] + 1e-5).mean()) > found


def test_a_word_in_the_log_where_what_was_given_falls_short(caplog: pytest.LogCaptureFixture) -> None:
    rows = np.random.default_rng(3).standard_normal((2_000, 32), np.float32)
    index: Any = made("faiss", factory="IVF16,PQ4x4fs", rerank=1, threads=1)
    index.build(range(2_000), rows)
    assert "below the recall of 0.99 that was asked for: leave rerank out or give more" in caplog.text
    assert (index.tuned.rerank, index.tuned.hopeless) == (1, False)


def test_an_engine_that_is_not_up_to_its_rows_answers_exactly(caplog: pytest.LogCaptureFixture) -> None:
    rows, queries = np.split(np.random.default_rng(3).standard_normal((2_040, 32)).astype(np.float32), [2_000])
    index: Any = made("faiss", factory="PQ2x4fs", threads=1)
    index.build(range(2_000), rows)
    assert index.tuned.hopeless
    assert "searches are exact; ask for less or choose another engine" in caplog.text
    exact = ENGINES.load("exact")(32)
    exact.build(range(2_000), rows)
    for k in (3, 10, 150):
        assert np.array_equal(index.search(queries, k)[0], exact.search(queries, k)[0])
