"""Trees are exact: conformance, and the places where a tree of differences could go wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imagekin.errors import InputError
from imagekin.index import create
from imagekin.index.base import Index
from imagekin.testing.answers import clustered
from imagekin.testing.engines import check_engine
from tests.installed_engines import need

NAMES = ("kdtree", "balltree")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    need(request.param)
    return str(request.param)


def both(name: str, metric: str, vectors: np.ndarray, **parameters: int) -> tuple[Index, Index]:
    """The tree and the exact engine over the same rows, with ids in no order."""
    words = ",".join(f"{key}={value}" for key, value in parameters.items())
    tree, exact = create(f"{name}({words})", vectors.shape[1], metric), create("exact", vectors.shape[1], metric)
    ids = np.random.default_rng(5).permutation(len(vectors))
    tree.build(ids, vectors)
    exact.build(ids, vectors)
    return tree, exact


def same(tree: Index, exact: Index, queries: np.ndarray, k: int) -> None:
    ours, true = tree.search(queries, k), exact.search(queries, k)
    np.testing.assert_array_equal(ours[0], true[0])
    np.testing.assert_allclose(ours[1], true[1], rtol=1e-6, atol=1e-6)


def test_conformance(name: str, tmp_path: Path) -> None:
    check_engine(lambda dim, metric: create(f"{name}(threads=1)", dim, metric), tmp_path, recall=1.0)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_the_same_ids_as_exact_whatever_the_lengths(name: str, metric: str) -> None:
    rows = clustered(3000, 6) * np.random.default_rng(1).lognormal(0, 2, (3000, 1)).astype(np.float32)
    tree, exact = both(name, metric, rows)
    queries = clustered(3050, 6)[3000:] * np.float32(7)
    for k in (1, 10, 90):
        same(tree, exact, queries, k)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_ties_go_to_the_smallest_ids(name: str, metric: str) -> None:
    rows = np.repeat(clustered(40, 4), 30, axis=0)  # thirty of each: more than the tree is asked for
    tree, exact = both(name, metric, rows)
    same(tree, exact, rows[::100], 5)


def test_a_zero_row_is_at_right_angles_to_every_row_of_length_one(name: str) -> None:
    # as points, the zero row (at 1) would be nearer to the query than rows at 60 to 90 degrees (at 1 to 1.41)
    angles = np.deg2rad([10, *range(65, 89)] * 3)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    rows[0] = 0
    tree, _ = both(name, "cosine", rows, leaf_size=2)
    ids, distances = tree.search([1, 0], len(rows) - 20)
    zero = int(tree.ids[0])
    assert zero not in ids[0].tolist()
    assert distances[0, 0] == pytest.approx(1 - np.cos(np.deg2rad(10)), abs=1e-6)


def test_the_longest_row_wins_under_the_inner_product(name: str) -> None:
    rows = np.ones((100, 3), np.float32)
    rows[42] = 9, 0, 0
    tree = create(name, 3, "inner")
    tree.build(range(100), rows)
    ids, distances = tree.search([1, 0, 0], 2)
    assert ids[0].tolist() == [42, 0]
    assert distances[0].tolist() == [-9, -1]


def test_threads_share_a_batch(name: str) -> None:
    rows = clustered(900, 8)
    one, two = both(name, "cosine", rows, threads=1)[0], both(name, "cosine", rows, threads=3)[0]
    queries = clustered(907, 8)[900:]
    np.testing.assert_array_equal(one.search(queries, 10)[0], two.search(queries, 10)[0])


def test_memory_is_that_of_the_copy(name: str) -> None:
    tree, exact = both(name, "cosine", clustered(1000, 8))
    assert tree.memory_bytes() - exact.memory_bytes() >= 1000 * 9 * 8  # float64, and one element more


def test_opening_takes_in_the_rows_behind_it(name: str, tmp_path: Path) -> None:
    rows = clustered(500, 8).astype(np.float16)
    rows.setflags(write=False)
    tree = create(name, 8)
    tree.build(range(400), rows[:400])
    tree.save(tmp_path / "tree", vectors=False)
    opened = type(tree).open(tmp_path / "tree", 8, chunks=[(range(400), rows[:400]), (range(400, 500), rows[400:])])
    assert not opened.wants_rebuild
    assert opened.search(rows[450], 1)[0].tolist() == [[450]]
    assert sorted(file.name for file in (tmp_path / "tree").iterdir()) == ["ids.npy", "index.json", "live.npy"]


@pytest.mark.parametrize("words", ["leaf_size=0", "leaf_size='many'", "threads=-1", "threads=True"])
def test_bad_parameters_are_one_sentence(name: str, words: str) -> None:
    with pytest.raises(InputError, match=r"must be a whole number of \d or more, [\d,]+ at most, not"):
        create(f"{name}({words})", 8)
