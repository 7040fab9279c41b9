"""Quantised graphs, lists and flat codes of the extra ``engines``: each library's traps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from imagekin.errors import InputError
from imagekin.index import parse
from imagekin.testing.answers import check_answer, clustered
from tests.installed_engines import built, make, quick

ENGINE_NAMES = ["lorann", "pyglass-portable", "rabitq-ivf", "scalable-vs", "scann", "symphonyqg", "turbovec"]


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("dim", [3, 17, 66])
def test_any_dimension(engine: str, dim: int) -> None:
    # libraries want multiples of 8, at least 64, or even numbers
    rows, queries = np.split(clustered(720, dim), [700])
    for metric in sorted(make(engine).metrics):
        index = built(quick(engine), rows, metric)
        check_answer(index.search(queries, 10), queries, dict(enumerate(rows)), metric, recall=0.9)


@pytest.mark.parametrize("engine", ["rabitq-ivf", "scann", "turbovec", "scalable-vs:codes=float32"])
def test_rows_that_come_and_go_are_known_by_their_own_numbers(engine: str) -> None:
    # ScaNN and turbovec put the last row in the place of one that goes
    rows = clustered(1500, 32)
    index = built(engine, rows[:900])
    random = np.random.default_rng(4)
    known = dict(enumerate(rows[:900]))
    for start in range(900, 1500, 100):
        gone = random.choice(np.fromiter(known, np.int64), 60, replace=False)
        assert index.remove(gone) == 60
        index.add(range(start, start + 100), rows[start : start + 100])
        known = {n: v for n, v in known.items() if n not in set(gone.tolist())}
        known |= dict(enumerate(rows[start : start + 100], start))
        names = np.fromiter(known, np.int64)[-300::10]
        asked = np.stack([known[int(n)] for n in names])
        answer = index.search(asked, 5)
        assert (answer[0][:, 0] == names).mean() > 0.95
        check_answer(answer, asked, known, "cosine", recall=0.9)


@pytest.mark.parametrize("engine", ["lorann", "symphonyqg", "pyglass-portable", "scalable-vs"])
def test_rows_added_to_a_fixed_structure_are_found(engine: str) -> None:
    rows = clustered(700, 32)
    index = built(quick(engine), rows[:600])
    index.add(range(600, 700), rows[600:])
    assert index.search(rows[600:], 1)[0][:, 0].tolist() == list(range(600, 700))
    index.remove([650])
    assert index.search(rows[650], 1)[0][0, 0] != 650


def test_turbovec_answers_filters_itself_and_not_one_row_beside_them() -> None:
    rows, queries = np.split(clustered(2020, 32), [2000])
    index = built("turbovec", rows)
    index.remove(range(0, 100))
    for step in (2, 10, 60, 400):
        allowed = np.arange(0, 2000, step)
        known = {int(n): rows[n] for n in allowed if n >= 100}
        check_answer(index.search(queries, 10, allow=allowed), queries, known, "cosine", recall=0.97)


def test_turbovec_has_no_euclidean_distance() -> None:
    make("turbovec")
    with pytest.raises(InputError, match=r"turbovec does not know 'euclidean'; it knows cosine, inner"):
        make("turbovec", 32, "euclidean")


def test_glass_answers_one_thread_at_a_time() -> None:
    rows, queries = np.split(clustered(2040, 32), [2000])
    index = built("pyglass-portable:threads=1", rows)
    assert not index.thread_safe
    alone = [index.search(query, 10)[0] for query in queries]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = list(pool.map(lambda query: index.search(query, 10)[0], queries))
            assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_glass_writes_its_graph_and_not_the_empty_one(tmp_path: Path) -> None:
    index = built("pyglass-portable:threads=1", clustered(900, 32))
    index.save(tmp_path / "a")
    opened = type(index).open(tmp_path / "a", 32, **index.parameters)
    opened.save(tmp_path / "b")
    first, second = ((tmp_path / name / "engine.glass").read_bytes() for name in "ab")
    assert first == second
    assert len(first) > 900 * 32


@pytest.mark.parametrize("engine", ["pyglass-portable", "scann"])
def test_what_libraries_print_is_kept_from_the_terminal(engine: str, capfd: pytest.CaptureFixture[str]) -> None:
    index = built(quick(engine), clustered(900, 32))
    index.search(clustered(3, 32), 10)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("codes", ["LVQ4", "LeanVec"])
def test_svs_codes_that_end_the_process_elsewhere_are_not_offered(codes: str) -> None:
    make("scalable-vs")
    with pytest.raises(InputError, match=r"scalable-vs's codes must be one of"):
        make(f"scalable-vs(codes={codes!r})")


@pytest.mark.parametrize("engine", ["scalable-vs", "symphonyqg", "lorann", "scann", "rabitq-ivf"])
def test_large_and_small_numbers(engine: str) -> None:
    rows = clustered(900, 32)
    rows[::9] *= 1e5
    rows[1::9] *= 1e-5
    for metric in ("cosine", "euclidean", "inner"):
        ids, distances = built(quick(engine), rows, metric).search(rows[:40], 10)
        assert np.isfinite(distances).all()
        assert (ids >= 0).all()
        if metric == "cosine":
            assert (distances[:, 0] < 1e-5).mean() > 0.95


@pytest.mark.parametrize(
    "spec",
    ["lorann:rank=20", "lorann:lists=0", "pyglass-portable:codes=SQ4", "rabitq-ivf:bits=12", "scann:block=0",
     "symphonyqg:degree=33", "symphonyqg:rerank=0", "turbovec:bits=3", "scalable-vs:ef=0"],
)  # fmt: skip
def test_a_parameter_without_sense_is_refused(spec: str) -> None:
    make(parse(spec)[0])
    with pytest.raises(InputError, match=rf"{parse(spec)[0]}'s \w+ must be"):
        make(spec)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_memory_is_what_rows_take_and_not_another_order(engine: str) -> None:
    small, large = (built(quick(engine), clustered(count, 64)) for count in (1000, 3000))
    apiece = (large.memory_bytes() - small.memory_bytes()) / 2000
    assert 64 * 0.25 < apiece - 4 * 64 - 13 < 64 * 40, apiece


def deaf(call: Callable[[], object]) -> bool:
    try:
        call()
    except InputError:
        return False
    return True


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_no_number_that_kills_a_process_reaches_a_library(engine: str) -> None:
    rows = clustered(600, 32)
    bad = rows.copy()
    bad[300, 5] = np.nan
    index = make(quick(engine))
    assert not deaf(lambda: index.build(range(600), bad))
    assert len(index) == 0
    index.build(range(600), rows)
    assert not deaf(lambda: index.search(bad[300], 3))
    assert not deaf(lambda: index.search(rows[0, :31], 3))
