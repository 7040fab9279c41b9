"""Engines of the extra ``engines`` that search a graph or a forest: each library's traps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imagekin.errors import IndexingError, InputError
from imagekin.index import parse
from imagekin.testing.answers import check_answer, clustered
from tests.installed_engines import built, make

GRAPHS = ["annoy", "hnswlib", "ngt", "nmslib", "pynndescent", "usearch", "voyager"]


@pytest.mark.parametrize("engine", ["hnswlib", "ngt", "usearch", "voyager"])
def test_a_graph_grows_beyond_the_room_it_was_made_with(engine: str) -> None:
    vectors = clustered(2030, 16)
    index = make(f"{engine}:threads=1", 16)
    index.build(range(100), vectors[:100])
    for start in range(100, 2000, 100):
        index.add(range(start, start + 100), vectors[start : start + 100])
    assert index._built == 2000
    check_answer(
        index.search(vectors[2000:], 10), vectors[2000:], dict(enumerate(vectors[:2000])), "cosine", recall=0.95
    )


@pytest.mark.parametrize("engine", ["annoy", "nmslib", "pynndescent"])
def test_rows_added_to_a_library_that_would_lose_them_are_found(engine: str) -> None:
    vectors = clustered(700, 16)
    index = built(f"{engine}:threads=1", vectors[:600])
    index.add(range(600, 700), vectors[600:])
    ids, distances = index.search(vectors[600:], 1)
    assert ids[:, 0].tolist() == list(range(600, 700))
    assert distances.max() < 1e-6
    assert not index.wants_rebuild
    index.add([1000], vectors[:1])
    index.remove(range(100))
    assert index.wants_rebuild


def test_hnswlib_honours_its_filter_down_to_a_few_rows() -> None:
    rows, queries = np.split(clustered(3020, 16), [3000])
    index = built("hnswlib:threads=1", rows)
    for step in (2, 9, 50, 600):
        allowed = np.arange(0, 3000, step)
        known = {int(n): rows[n] for n in allowed}
        check_answer(index.search(queries, 10, allow=allowed), queries, known, "cosine", recall=0.97)


def test_voyager_and_ngt_are_given_rows_in_the_layout_they_read() -> None:
    # Voyager stores, and NGT searches, arrays of another layout wrongly and says nothing
    wide = np.zeros((800, 32), np.float32)
    wide[:, ::2] = clustered(800, 16)
    for engine in ("voyager", "ngt"):
        index = make(f"{engine}:threads=1", 16, "euclidean")
        index.build(range(800), wide[:, ::2])
        ids, distances = index.search(np.asfortranarray(wide[:50, ::2]), 1)
        assert ids[:, 0].tolist() == list(range(50)), engine
        assert distances.max() < 1e-3, engine


def test_usearch_writes_nothing_where_a_line_is_short() -> None:
    rows = clustered(400, 16)
    index = built("usearch:dtype=f32,threads=1", rows)
    index.remove(range(0, 390))
    ids, distances = index.search(rows[:20], 30)
    assert set(ids[:, :10].ravel().tolist()) == set(range(390, 400))
    assert (ids[:, 10:] == -1).all()
    assert np.isinf(distances[:, 10:]).all()


def test_usearch_is_mapped_when_opened_and_takes_changes_beside_the_file(tmp_path: Path) -> None:
    rows = clustered(700, 16)
    index = built("usearch:threads=1", rows[:600])
    index.save(tmp_path / "index")
    opened = type(index).open(tmp_path / "index", 16, **index.parameters)
    assert index.memory_bytes() > opened.memory_bytes() == opened._rows.memory_bytes()
    opened.add(range(600, 700), rows[600:])
    opened.remove([600, 3])
    known = {n: rows[n] for n in range(700) if n not in (600, 3)}
    check_answer(opened.search(rows[::70], 10), rows[::70], known, "cosine", recall=0.95)
    assert opened._built == 600
    opened.rebuild()
    assert opened._built == 698


@pytest.mark.parametrize(("spec", "metric"), [("usearch:dtype=f16", "euclidean"), ("usearch:dtype=f16", "inner")])
def test_numbers_beyond_float16_do_not_become_infinite(spec: str, metric: str) -> None:
    rows = clustered(600, 16)
    rows[::7] *= 1e6
    index = built(f"{spec},threads=1", rows, metric)
    ids, distances = index.search(rows[:30], 10)
    assert np.isfinite(distances).all()
    assert (ids >= 0).all()
    if metric == "euclidean":
        assert (distances[:, 0] <= 1).all()


@pytest.mark.parametrize("spec", ["usearch:dtype=i8", "voyager:dtype=e4m3", "voyager:dtype=f8"])
def test_short_codes_are_ranked_anew_by_the_stored_vectors(spec: str) -> None:
    rows, queries = np.split(clustered(2020, 32), [2000])
    index = built(f"{spec},recall=0.95,threads=1", rows)
    check_answer(index.search(queries, 10), queries, dict(enumerate(rows)), "cosine", recall=0.9)
    assert index._rerank() >= 1


def test_the_setting_of_nmslib_and_hnswlib_serves_every_k_at_once() -> None:
    # the breadth is one setting for all threads, and NMSLIB returns no more rows than its breadth
    rows, queries = np.split(clustered(1030, 16), [1000])
    for engine in ("nmslib", "hnswlib"):
        index = built(f"{engine}:ef=10,threads=1", rows)
        before = index.search(queries, 10)
        assert (index.search(queries, 200)[0] >= 0).all()
        assert np.array_equal(index.search(queries, 10)[0], before[0])


@pytest.mark.parametrize(
    "spec",
    ["hnswlib:M=0", "hnswlib:ef=1.5", "hnswlib:recall=0", "hnswlib:recall=1.1", "annoy:trees=-1", "ngt:epsilon=-1",
     "ngt:epsilon='wide'", "pynndescent:epsilon=-2", "pynndescent:neighbors=0",
     "usearch:dtype=f64", "voyager:dtype=f16", "nmslib:threads=-1"],
)  # fmt: skip
def test_a_parameter_without_sense_is_refused(spec: str) -> None:
    make(parse(spec)[0])
    with pytest.raises(InputError, match=parse(spec)[0] if "recall" not in spec else "recall"):
        make(spec)


@pytest.mark.parametrize("engine", GRAPHS)
def test_a_file_that_the_library_cannot_read_is_one_sentence(engine: str, tmp_path: Path) -> None:
    index = built(f"{engine}:threads=1", clustered(300, 16))
    folder = tmp_path / "index"
    index.save(folder)
    own = [file for file in folder.iterdir() if file.suffix not in (".npy", ".json", ".bin")]
    biggest = max(own, key=lambda file: file.stat().st_size)
    biggest.write_bytes(b"\0" * 1000)
    with pytest.raises(IndexingError, match=r"truncated or changed; delete"):
        type(index).open(folder, 16, **index.parameters)


TOGETHER = """
import sys
import numpy as np
from imagekin.index import create
for engine in sys.argv[2:]:
    index = create(f"{engine}:threads=1", 16)
    index.build(range(600), np.random.default_rng(0).standard_normal((600, 16)))
    index.save(f"{sys.argv[1]}/{engine}")
    type(index).open(f"{sys.argv[1]}/{engine}", 16, **index.parameters).search(np.ones(16), 3)
"""


def test_usearch_leaves_the_libraries_that_are_loaded_after_it_alone(tmp_path: Path) -> None:
    others = ["nmslib", "ngt", "lorann", "scann", "scalable-vs"]
    for engine in ("usearch", *others):
        make(engine)
    words = [sys.executable, "-c", TOGETHER, str(tmp_path), "usearch", *others]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
