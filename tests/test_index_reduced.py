"""An engine behind a reducer: candidates from short vectors, distances from whole ones, or a space of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.distance import normalized, pairwise
from imagekin.errors import IndexingError, InputError
from imagekin.index import create
from imagekin.index.reduced import Reduced
from imagekin.reduce.base import Reducer
from imagekin.reduce.lda import LDA
from imagekin.reduce.pca import PCA, WhitenedPCA
from imagekin.reduce.pq import ProductQuantizer
from imagekin.reduce.random import RandomProjection
from imagekin.types import Ids, Vectors

DIM = 32


def clouds(count: int, seed: int = 0) -> Vectors:
    """Rows of length 1 around 20 centres far from the origin, in 8 directions that matter; as float16 keeps them."""
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(9).standard_normal((9, DIM))
    centres = np.random.default_rng(8).standard_normal((20, 8))
    inner = centres[rng.integers(0, 20, count)] + 0.4 * rng.standard_normal((count, 8))
    rows = 3 * basis[8] + inner @ basis[:8] + 0.02 * rng.standard_normal((count, DIM))
    return normalized(rows.astype(np.float32)).astype(np.float16).astype(np.float32)


ROWS, QUERIES = clouds(2000), clouds(40, seed=1)
IDS: Ids = 3 * np.arange(2000) + 5


def made(spec: str, reducer: Reducer, metric: str = "cosine") -> Reduced:
    index = Reduced(spec, reducer, metric)
    index.build(IDS, ROWS.astype(np.float16))
    return index


@pytest.fixture(scope="module")
def pca() -> Reducer:
    return PCA(8).fit(ROWS)


def truth(queries: Vectors, k: int, keep: Any = slice(None), metric: str = "cosine") -> tuple[Ids, Vectors]:
    gaps = pairwise(queries, ROWS[keep], metric)
    order = np.argsort(gaps, axis=1, kind="stable")[:, :k]
    return IDS[keep][order], np.take_along_axis(gaps, order, axis=1)


def recall(index: Reduced, k: int = 10) -> float:
    found, right = index.search(QUERIES, k)[0], truth(QUERIES, k)[0]
    return float(np.mean([np.isin(one, two).mean() for one, two in zip(found, right, strict=True)]))


@pytest.mark.parametrize("spec", ["exact", "faiss:HNSW16"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_hits_have_their_true_distances_and_most_are_found(spec: str, metric: str, pca: Reducer) -> None:
    index = made(spec, pca, metric)
    assert index.engine == spec.partition(":")[0]
    assert index.effort.recall is not None and index.effort.recall > 0.99 and not index.effort.hopeless
    ids, distances = index.search(QUERIES, 10)
    everything = pairwise(QUERIES, ROWS, metric)
    np.testing.assert_allclose(distances, np.take_along_axis(everything, (ids - 5) // 3, axis=1), atol=2e-6)
    assert (np.diff(distances, axis=1) >= 0).all()
    right = truth(QUERIES, 10, metric=metric)[1]
    assert np.mean(distances <= right[:, -1:] + 1e-6) > 0.985


def test_more_candidates_are_taken_where_reduced_vectors_say_less(pca: Reducer) -> None:
    rough = made("exact", PCA(4).fit(ROWS))
    assert rough.effort.rerank > made("exact", pca).effort.rerank
    assert recall(rough) > 0.985
    asked = made("faiss(factory='Flat', recall=0.8)", PCA(4).fit(ROWS))
    assert asked.effort.rerank < rough.effort.rerank


def test_where_no_number_of_candidates_is_enough_whole_vectors_are_compared() -> None:
    index = made("exact", RandomProjection(1).fit(ROWS))
    assert index.effort.hopeless and index.effort.recall is not None and index.effort.recall < 0.98
    assert recall(index) == 1


def test_few_rows_are_all_compared(pca: Reducer) -> None:
    index = Reduced("exact", pca)
    index.build(IDS[:100], ROWS[:100])
    assert index.effort.recall is None
    np.testing.assert_array_equal(index.search(QUERIES, 10)[0], truth(QUERIES, 10, slice(0, 100))[0])
    empty = Reduced("exact", pca)
    assert empty.search(QUERIES, 3)[0].tolist() == [[-1] * 3] * 40 and len(empty) == 0


def test_another_space_has_its_own_distances_and_order() -> None:
    labels = np.arange(2000) % 7
    for reducer in (WhitenedPCA(6).fit(ROWS), LDA().fit(ROWS, labels)):
        index = made("exact", reducer)
        ids, distances = index.search(QUERIES, 10)
        gaps = pairwise(reducer.transform(QUERIES), reducer.transform(ROWS))
        np.testing.assert_allclose(distances, np.sort(gaps, axis=1)[:, :10], atol=2e-3)
        np.testing.assert_allclose(distances, np.take_along_axis(gaps, (ids - 5) // 3, axis=1), atol=2e-3)


def test_filters_choose_inside_the_search(pca: Reducer) -> None:
    index = made("exact", pca)
    for keep in (slice(0, 2000, 2), slice(40, 47), slice(0, 0)):
        ids, distances = index.search(QUERIES, 10, allow=IDS[keep])
        right_ids, right = truth(QUERIES, 10, keep)
        width = right.shape[1]
        assert np.isin(ids[:, :width], IDS[keep]).all() and (ids[:, width:] == -1).all()
        assert np.mean(distances[:, :width] <= right[:, -1:] + 1e-6) > 0.985 if width else np.isinf(distances).all()


@pytest.mark.parametrize("own", [False, True])
def test_rows_come_and_go(own: bool, pca: Reducer) -> None:
    index = made("exact", WhitenedPCA(8).fit(ROWS) if own else pca)
    fresh = clouds(50, seed=4)
    index.add(np.arange(50) + 10**6, fresh)
    ids, distances = index.search(fresh, 1)
    assert ids[:, 0].tolist() == list(range(10**6, 10**6 + 50)) and distances.max() < 2e-3
    assert index.remove(np.append(ids[:10, 0], 7)) == 10
    assert len(index) == 2040 and not np.isin(index.search(fresh, 20)[0], ids[:10, 0]).any()
    index.add(ids[:1, 0], fresh[:1])
    assert index.search(fresh[:1], 1)[0].item() == 10**6
    assert not index.wants_rebuild
    index.add(np.arange(600) + 2 * 10**6, clouds(600, seed=5))
    assert index.wants_rebuild


@pytest.mark.parametrize("own", [False, True])
def test_what_does_not_fit_changes_nothing(own: bool, pca: Reducer) -> None:
    index = made("exact", WhitenedPCA(8).fit(ROWS) if own else pca)
    before = index.search(QUERIES, 5)[0]
    for ids, vectors in (
        ([5], ROWS[:1]),
        ([1, 1], ROWS[:2]),
        ([1], ROWS[:2]),
        ([1], ROWS[:1, :-1]),
        ([1], np.full((1, DIM), np.nan)),
    ):
        with pytest.raises(InputError):
            index.add(ids, vectors)
    for queries, k in ((QUERIES[:, :-1], 3), (np.full((1, DIM), np.inf), 3), (QUERIES, 0), (QUERIES, 1.5)):
        with pytest.raises(InputError):
            index.search(queries, k)  # type: ignore[arg-type]
    assert len(index) == 2000
    np.testing.assert_array_equal(index.search(QUERIES, 5)[0], before)


def test_a_query_of_zeros_is_as_far_from_all(pca: Reducer) -> None:
    ids, distances = made("exact", pca).search(np.zeros((1, DIM)), 5)
    assert ids[0].tolist() == IDS[:5].tolist() and (distances == 1).all()


@pytest.mark.parametrize("spec", ["exact", "faiss:IVF16,Flat"])
@pytest.mark.parametrize("own", [False, True])
def test_saved_and_opened(spec: str, own: bool, tmp_path: Path, pca: Reducer) -> None:
    reducer = WhitenedPCA(8).fit(ROWS) if own else pca
    index = made(spec, reducer)
    index.save(tmp_path / "engine")
    chunks = [(IDS, ROWS.astype(np.float16))]
    opened = Reduced.open(tmp_path / "engine", spec, reducer, metric="cosine", chunks=chunks)
    assert (opened.effort, opened.built, len(opened)) == (index.effort, 2000, 2000)
    for ours, theirs in zip(opened.search(QUERIES, 10), index.search(QUERIES, 10), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    opened.add([7], QUERIES[:1])
    assert opened.search(QUERIES[:1], 1)[0].item() == 7
    assert (tmp_path / "engine/vectors.bin").stat().st_size == 2000 * 8 * 2
    for other in ([(IDS[::-1], ROWS)], [(IDS[:-1], ROWS[:-1])]):
        with pytest.raises(IndexingError, match="was made of other rows"):
            Reduced.open(tmp_path / "engine", spec, reducer, metric="cosine", chunks=other)
    with pytest.raises(IndexingError, match="has dim 8, not (9|16)|has metric"):
        Reduced.open(tmp_path / "engine", spec, WhitenedPCA(9).fit(ROWS), metric="cosine", chunks=chunks)


def test_a_saved_engine_that_says_nothing_of_its_candidates_is_refused(tmp_path: Path, pca: Reducer) -> None:
    for number, note in enumerate(("", "[]", '{"width": 1, "more": 2}', json.dumps(None))):
        plain = create("exact", 8, "euclidean")
        plain.build(IDS, np.zeros((2000, 8), np.float16))
        plain.save(tmp_path / str(number), note=note)
        with pytest.raises(IndexingError, match="says nothing about its candidates"):
            Reduced.open(tmp_path / str(number), "exact", pca, metric="cosine", chunks=[(IDS, ROWS)])


def test_what_cannot_serve_is_refused(pca: Reducer) -> None:
    with pytest.raises(InputError, match="what pq give"):
        Reduced("exact", ProductQuantizer(4).fit(ROWS))
    with pytest.raises(InputError, match="cannot serve the metric inner"):
        Reduced("exact", pca, "inner")
    with pytest.raises(InputError, match="FAISS cannot make 'PQ5' for vectors of 8"):
        Reduced("faiss:PQ5", pca)
    huge = PCA(8).fit(ROWS)
    huge.components_ = huge.components_ * np.float32(1e9)
    with pytest.raises(IndexingError, match="too large to compare"):
        made("exact", huge)
    with pytest.raises(IndexingError, match="too large to compare"):
        Reduced("exact", huge).add([1], ROWS[:1])
