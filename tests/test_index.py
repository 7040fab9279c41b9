"""The contract: what the base does for every engine, whatever the engine can do."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from imagekin.distance import pairwise
from imagekin.errors import IndexingError, InputError, MissingPackageError, UnknownNameError, UnsupportedError
from imagekin.index import ENGINES, Index, create, default, parse, saved
from imagekin.index.best import Found
from imagekin.index.exact import Exact
from imagekin.index.rows import Mask
from imagekin.types import Vectors


class Static(Index):
    """A toy that can nothing but search what it was built of, and counts how often it is asked."""

    engine: ClassVar[str] = "static"
    thread_safe: ClassVar[bool] = False
    asked = 0
    inside = 0

    def _build(self) -> None:
        self.data = np.concatenate([block for _, block in self._blocks()])

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        assert allowed is None
        assert self.inside == 0, "two searches at once in an engine that is not thread-safe"
        self.inside += 1
        self.asked += 1
        time.sleep(0.001)
        distances = pairwise(queries, self.data, self.metric)
        rows = np.argsort(distances, axis=1)[:, :k]
        self.inside -= 1
        return rows, np.take_along_axis(distances, rows, axis=1)


class Lossy(Static):
    """Answers with candidates at made-up distances, the right ones among them."""

    engine: ClassVar[str] = "lossy"

    def _rerank(self) -> int:
        return 4

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        rows, distances = super()._search(queries, k, allowed)
        return rows[:, ::-1], np.zeros_like(distances)


class Blind(Static):
    """Finds the first three rows only."""

    engine: ClassVar[str] = "blind"

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        rows, distances = super()._search(queries, k, allowed)
        return np.where(rows < 3, rows, -1), distances


@pytest.fixture
def vectors() -> Vectors:
    return np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)


def exact_of(ids: Any, vectors: Any, metric: str = "cosine") -> Exact:
    index = Exact(8, metric)
    index.build(ids, vectors)
    return index


def same(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    assert ours[0].tolist() == theirs[0].tolist()
    np.testing.assert_allclose(ours[1], theirs[1], atol=2e-6)


@pytest.mark.parametrize("engine", [Static, Lossy, Blind])
@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_a_static_engine_adds_removes_and_filters(engine: type[Static], metric: str, vectors: Vectors) -> None:
    index, oracle = engine(8, metric), exact_of(range(100), vectors[:100], metric)
    index.build(range(100), vectors[:100])
    queries = vectors[95:105] + np.float32(0.1)
    same(index.search(queries, 5), oracle.search(queries, 5))
    changed: tuple[Index, ...] = index, oracle
    for one in changed:
        one.add(range(100, 150), vectors[100:150])
        assert one.remove(range(0, 100, 2)) == 50
    assert index.asked > 0
    same(index.search(queries, 7), oracle.search(queries, 7))
    allow = np.arange(90, 120)
    same(index.search(queries, 40, allow=allow), oracle.search(queries, 40, allow=allow))
    before = index.wants_rebuild
    index.rebuild()
    assert (before, index.wants_rebuild) == (True, False)
    assert index.data.shape == (100, 8)
    same(index.search(queries, 7), oracle.search(queries, 7))


def test_a_lossy_engine_is_re_ranked_to_true_distances(vectors: Vectors) -> None:
    index = Lossy(8, "euclidean")
    index.build(range(200), vectors)
    ids, distances = index.search(vectors[7], 3)
    assert ids[0, 0] == 7
    assert distances[0, 0] == 0
    assert distances[0, 1] == pytest.approx(np.sort(np.linalg.norm(vectors - vectors[7], axis=1))[1], abs=1e-6)


def test_searches_of_an_unsafe_engine_take_turns(vectors: Vectors) -> None:
    index = Static(8)
    index.build(range(200), vectors)
    threads = [threading.Thread(target=index.search, args=(vectors[i], 3)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.asked == 8


def test_hand_worked_distances() -> None:
    rows = np.array([[3, 4], [4, 3], [-3, -4], [0, 5]], np.float32)
    expected = {
        "cosine": ([10, 20, 40, 30], [0, 0.04, 0.2, 2]),
        "euclidean": ([10, 20, 40, 30], [0, np.sqrt(2), np.sqrt(10), 10]),
        "inner": ([10, 20, 40, 30], [-25, -24, -20, 25]),
    }
    for metric, (ids, distances) in expected.items():
        index = Exact(2, metric)
        index.build([10, 20, 30, 40], rows)
        found = index.search([3, 4], 5)
        assert found[0].tolist() == [[*ids, -1]]
        np.testing.assert_allclose(found[1][0], [*distances, np.inf], atol=1e-6)


def test_ties_are_in_the_order_of_ids() -> None:
    row = np.full((9000, 8), 0.3, np.float16)
    ids = np.random.default_rng(0).permutation(9000)
    for metric in ("cosine", "euclidean", "inner"):
        assert exact_of(ids, row, metric).search(row[:3], 12)[0].tolist() == [list(range(12))] * 3


def test_an_id_can_be_removed_and_given_again(vectors: Vectors) -> None:
    index = exact_of(range(10), vectors[:10])
    for other in (50, 51):
        index.remove([3])
        index.add([3], vectors[other : other + 1])
        assert index.search(vectors[other], 1)[0].tolist() == [[3]]
    assert len(index) == 10
    assert sorted(index.ids) == list(range(10))
    assert index.search(vectors[3], 1)[0].tolist() != [[3]]
    assert index.search(vectors[51], 1, allow=[3])[1][0, 0] == pytest.approx(0, abs=1e-6)


def test_parameters_and_metrics_are_checked() -> None:
    with pytest.raises(InputError, match="faiss has no parameter 'fast'; known: ef, factory"):
        create("faiss(fast=1)", 8)
    with pytest.raises(InputError, match="exact has no parameter 'ef'; known: none"):
        create("exact(ef=1)", 8)
    with pytest.raises(InputError, match="dim must be a whole number of 1 or more, not 0"):
        create("exact", 0)
    with pytest.raises(UnknownNameError, match="no metric is called 'l2'"):
        create("exact", 8, "l2")
    with pytest.raises(UnknownNameError, match="no engine is called 'fais'"):
        create("fais", 8)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("exact", ("exact", {})),
        ("exact()", ("exact", {})),
        ("faiss(factory='HNSW32', ef=80)", ("faiss", {"factory": "HNSW32", "ef": 80})),
        ("faiss:HNSW32", ("faiss", {"factory": "HNSW32"})),
        ("faiss:IVF9,PQ8x4fs, nprobe=8,recall=0.9", ("faiss", {"factory": "IVF9,PQ8x4fs", "nprobe": 8, "recall": 0.9})),
        (" faiss : Flat ", ("faiss", {"factory": "Flat"})),
    ],
)  # fmt: skip
def test_parse(spec: str, expected: tuple[str, dict[str, Any]]) -> None:
    assert parse(spec) == expected


@pytest.mark.parametrize(
    "spec",
    ["", "faiss(", "faiss(80)", "faiss(ef=open('x'))", "faiss(**{'ef': 1})", "os.system('x')", "1", "(" * 500, "a b"],
)
def test_parse_takes_literals_only(spec: str) -> None:
    with pytest.raises(InputError, match="names no engine"):
        parse(spec)


def test_the_default_is_exact_until_that_is_slow() -> None:
    assert default(8677, 1280)[0] == "exact"
    assert default(0, 1280)[0] == "exact"
    for n, dim in ((100_000, 1280), (100_000, 256), (1_000_000, 1280), (1_000_000, 768), (300_000, 333), (10**7, 64)):
        spec, reason = default(n, dim)
        assert spec.startswith("faiss:")
        assert reason
        create(spec, dim)  # FAISS accepts it for this dimension


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imagekin.index.faiss", None)
    with pytest.raises(MissingPackageError, match="pip install"):
        ENGINES.load("faiss")


def test_saved_without_vectors_needs_them(tmp_path: Path, vectors: Vectors) -> None:
    index = exact_of(range(100), vectors[:100])
    index.remove([5])
    index.save(tmp_path / "i", vectors=False, note="revision 3")
    assert saved.header(tmp_path / "i")["note"] == "revision 3"
    assert not (tmp_path / "i" / "vectors.bin").exists()
    with pytest.raises(IndexingError, match="saved without its vectors"):
        Exact.open(tmp_path / "i", 8)
    with pytest.raises(IndexingError, match="made of other rows"):
        Exact.open(tmp_path / "i", 8, chunks=[(range(1, 101), vectors[:100])])
    with pytest.raises(IndexingError, match="made of other rows"):
        Exact.open(tmp_path / "i", 8, chunks=[(range(50), vectors[:50])])
    opened = Exact.open(tmp_path / "i", 8, chunks=[(range(60), vectors[:60]), (range(60, 150), vectors[60:150])])
    assert len(opened) == 149
    assert opened.search(vectors[120], 1)[0].tolist() == [[120]]
    assert opened.search(vectors[5], 1)[0].tolist() != [[5]]


def test_files_of_another_kind_are_refused(tmp_path: Path, vectors: Vectors) -> None:
    path = tmp_path / "i"
    with pytest.raises(IndexingError, match="is not an index"):
        Exact.open(path, 8)
    exact_of(range(9), vectors[:9]).save(path)
    with pytest.raises(IndexingError, match="has engine 'exact', not 'static'"):
        Static.open(path, 8)
    text = (path / "index.json").read_text()
    other = text.replace(f'"version": {saved.VERSION}', f'"version": {saved.VERSION - 1}')
    for wrong in ("[]", "{}", "null", other, text[:40], "\x00" * 9):
        (path / "index.json").write_text(wrong)
        with pytest.raises(IndexingError, match="build it again"):
            Exact.open(path, 8)


def test_a_failed_save_leaves_the_old_one(tmp_path: Path, vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    index = exact_of(range(9), vectors[:9])
    index.save(tmp_path / "i")
    index.remove([1])

    def fail(folder: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(index, "_save", fail)
    with pytest.raises(OSError, match="No space"):
        index.save(tmp_path / "i")
    assert [file.name for file in tmp_path.iterdir()] == ["i"]
    assert len(Exact.open(tmp_path / "i", 8)) == 9


def test_checksum_sees_swapped_pages(tmp_path: Path) -> None:
    pages = [bytes([number]) * 65536 for number in (1, 2, 3)]
    sums = set()
    for number, content in enumerate((pages, pages[::-1], [*pages, b"x"], pages[:2], [])):
        file = tmp_path / str(number)
        file.write_bytes(b"".join(content))
        sums.add(saved.checksum(file))
    assert len(sums) == 5


def test_unsupported_error_is_for_callers_to_catch() -> None:
    assert issubclass(UnsupportedError, IndexingError)
