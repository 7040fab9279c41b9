"""The exact scan: conversion, blocks, ties, and the proof behind the quick path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imagekin.distance import METRICS, pairwise
from imagekin.errors import InputError
from imagekin.index import halves, scan
from imagekin.index.best import Best, Task
from imagekin.index.rows import Rows, as_stored, widen
from imagekin.types import Vectors


def oracle(queries: Vectors, vectors: Any, ids: Any, k: int, metric: str) -> tuple[Any, Any]:
    """Rows and distances by sorting everything."""
    distances = pairwise(queries, vectors.astype(np.float32), metric)
    rows = np.stack([np.lexsort((ids, line))[:k] for line in distances])
    return rows, np.take_along_axis(distances, rows, axis=1)


def rows_of(vectors: NDArray[Any], *, chunks: int = 1) -> Rows:
    rows = Rows(vectors.shape[1])
    for part in np.array_split(np.arange(len(vectors)), chunks):
        piece = vectors[part]
        piece.setflags(write=False)
        rows.append(part, piece)
    return rows


@pytest.fixture
def unit() -> NDArray[np.float16]:
    vectors = np.random.default_rng(0).standard_normal((20_000, 64))
    halved: NDArray[np.float16] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    return halved


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Records whether each attempt of the quick path was proved, and makes it try at once."""
    pytest.importorskip("faiss")
    proved: list[bool] = []
    original = halves.nearest

    def spy(*arguments: Any) -> Any:
        result = original(*arguments)
        proved.append(result is not None)
        return result

    monkeypatch.setattr(halves, "nearest", spy)
    yield proved


def test_widen_is_exact_for_every_half() -> None:
    every = np.arange(65536, dtype=np.uint32).astype(np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    result = widen(finite, np.empty(len(finite), np.float32))
    assert (result == finite.astype(np.float32)).all()
    assert (np.signbit(result) == np.signbit(finite)).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("chunks", [1, 3])
def test_scan_is_what_sorting_everything_gives(metric: str, chunks: int, unit: NDArray[np.float16]) -> None:
    rows, ids = rows_of(unit, chunks=chunks), np.arange(len(unit))
    for count in (1, 2, 5, 30):
        queries = unit[:count].astype(np.float32) + np.float32(0.01)
        found, distances = scan.nearest(rows, queries, 10, metric)
        expected = oracle(queries, unit, ids, 10, metric)
        np.testing.assert_allclose(distances, expected[1], atol=2e-6)
        assert (found == expected[0]).mean() > 0.999  # float32 sums in another order may swap a pair


@pytest.mark.parametrize("metric", METRICS)
def test_quick_path_is_proved_and_right(metric: str, unit: NDArray[np.float16], quick: list[bool]) -> None:
    rows, ids = rows_of(unit, chunks=2), np.arange(len(unit))
    scan.nearest(rows, unit[: halves.FEW + 1].astype(np.float32), 1, metric)  # lengths become known
    allowed = ids % 3 != 0
    for query in unit[100:120].astype(np.float32):
        found, distances = scan.nearest(rows, query[None], 10, metric)
        expected = oracle(query[None], unit, ids, 10, metric)
        assert found.tolist() == expected[0].tolist()
        np.testing.assert_allclose(distances, expected[1], atol=2e-6)
        some = scan.nearest(rows, query[None], 10, metric, allowed=allowed)[0]
        among = oracle(query[None], unit[allowed], ids[allowed], 10, metric)[0]
        assert some.tolist() == ids[allowed][among].tolist()
    assert len(quick) == 40
    assert all(quick)


@pytest.mark.parametrize("metric", METRICS)
def test_quick_path_of_several_queries_is_that_of_each(
    metric: str, unit: NDArray[np.float16], quick: list[bool]
) -> None:
    rows, queries = rows_of(unit, chunks=3), unit[: halves.FEW].astype(np.float32)
    scan.nearest(rows, unit[: halves.FEW + 1].astype(np.float32), 1, metric)
    for allowed in (None, np.arange(len(unit)) % 3 != 0, np.arange(len(unit)) % 50 == 0):
        found, distances = scan.nearest(rows, queries, 10, metric, allowed=allowed)
        each = [scan.nearest(rows, query[None], 10, metric, allowed=allowed) for query in queries]
        assert found.tolist() == [one[0][0].tolist() for one in each]
        assert distances.tolist() == [one[1][0].tolist() for one in each]
    assert all(quick)


def test_a_filter_that_leaves_the_farthest_rows_is_proved_as_well(unit: NDArray[np.float16], quick: list[bool]) -> None:
    rows, query = rows_of(unit), unit[:1].astype(np.float32)
    scan.nearest(rows, unit[: halves.FEW + 1].astype(np.float32), 1, "cosine")
    order = np.argsort(-(unit.astype(np.float32) @ query[0]), kind="stable")
    allowed = np.zeros(len(unit), np.bool_)
    allowed[order[len(unit) // 2 :]] = True  # none of them is among the best of all
    found, _ = scan.nearest(rows, query, 10, "cosine", allowed=allowed)
    assert quick == [True]
    assert (
        found[0].tolist()
        == [
            number for number in oracle(query, unit, np.arange(len(unit)), len(unit), "cosine")[0][0] if allowed[number]
        ][:10]
    )


def test_quick_path_gives_way_to_ties(unit: NDArray[np.float16], quick: list[bool]) -> None:
    vectors = unit.copy()
    vectors[5000:5100] = vectors[17]
    rows = rows_of(vectors)
    scan.nearest(rows, vectors[: halves.FEW + 1].astype(np.float32), 1, "cosine")
    found, _ = scan.nearest(rows, vectors[17:18].astype(np.float32), 10, "cosine")
    assert quick == [False]
    assert found.tolist() == [[17, *range(5000, 5009)]]


def test_quick_path_is_not_for_rows_of_unlike_length(unit: NDArray[np.float16], quick: list[bool]) -> None:
    vectors = unit.copy()
    vectors[::2] *= 2
    rows = rows_of(vectors)
    for _ in range(2):
        found, _ = scan.nearest(rows, vectors[3:4].astype(np.float32), 10, "cosine")
        assert (
            found.tolist()
            == oracle(vectors[3:4].astype(np.float32), vectors, np.arange(20_000), 10, "cosine")[0].tolist()
        )
    assert quick == []


def test_rows_far_from_the_origin_keep_their_order() -> None:
    # ‖x‖² − 2⟨q,x⟩ has no digits left here: exact differences must decide
    vectors = (1000 + np.random.default_rng(0).standard_normal((3000, 16))).astype(np.float32)
    found, distances = scan.nearest(rows_of(vectors), vectors[:4], 5, "euclidean")
    expected = oracle(vectors[:4], vectors, np.arange(3000), 5, "euclidean")
    assert found.tolist() == expected[0].tolist()
    assert distances.tolist() == expected[1].tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 6), st.integers(1, 12), st.integers(1, 4), st.sampled_from(METRICS),
    st.integers(0, 10**6), st.booleans(),
)  # fmt: skip
def test_small_integers_have_exact_answers(
    n: int, dim: int, k: int, chunks: int, metric: str, seed: int, halved: bool
) -> None:
    """Few different values make many ties and zero rows, and sums of small integers are exact."""
    random = np.random.default_rng(seed)
    vectors = random.integers(-1, 2, (n, dim)).astype(np.float16 if halved else np.float32)
    queries = random.integers(-1, 2, (3, dim)).astype(np.float32)
    rows = rows_of(vectors, chunks=min(chunks, n))
    dead = np.flatnonzero(random.random(n) < 0.3)
    rows.kill(dead)
    found, distances = scan.nearest(rows, queries, k, metric)
    live = np.setdiff1d(np.arange(n), dead)
    for line, gaps, query in zip(found, distances, queries, strict=True):
        true = pairwise(query[None], vectors[live].astype(np.float32), metric)[0] if len(live) else np.empty(0)
        order = np.lexsort((live, true.round(5)))[:k]
        assert line[: len(order)].tolist() == live[order].tolist()
        assert (line[len(order) :] == -1).all()
        np.testing.assert_allclose(gaps[: len(order)], true[order], atol=1e-6)


def test_best_keeps_little_however_much_is_offered() -> None:
    vectors = np.random.default_rng(0).standard_normal((5000, 8)).astype(np.float32)
    task = Task(rows_of(vectors), vectors[:1], 10, "inner")
    best = Best(task)
    for at in range(0, 5000, 100):
        best.offer(np.arange(at, at + 100), -(vectors[:1] @ vectors[at : at + 100].T))
        assert best.counts[0] <= 8 * 10 + 64 + 100
    assert 10 <= len(best.shrink(0)) <= 12


def test_mapped_rows_are_held_by_reference_and_others_copied() -> None:
    mine = np.ones((4, 3), np.float16)
    stored, owned = as_stored(mine, 3)
    assert owned
    assert not np.shares_memory(stored, mine)
    mine.setflags(write=False)
    stored, owned = as_stored(mine, 3)
    assert not owned
    assert np.shares_memory(stored, mine)
    rows = Rows(3)
    rows.append(range(4), mine)
    assert rows.memory_bytes() < 100


def test_small_adds_are_joined() -> None:
    rows = Rows(4)
    for number in range(300):
        rows.append([number], np.full((1, 4), number, np.float32))
    assert len(rows.chunks) < 10
    assert rows.gather(np.array([299, 0, 150]))[:, 0].tolist() == [299, 0, 150]
    assert [at for at, _ in rows.blocks(100, size=64)][0] == 100


@pytest.mark.parametrize("bad", [[0.5], [[1]], ["a"]])
def test_ids_are_whole_numbers(bad: Any) -> None:
    with pytest.raises(InputError, match="ids must be whole numbers"):
        Rows(2).append(bad, np.ones((1, 2)))
