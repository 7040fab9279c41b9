"""Collections that search through a reducer: one file, any cache, any damage, any number of handles."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from imagekin.errors import DamagedError
from imagekin.index.reduced import Reduced
from imagekin.reduce.base import Reducer
from imagekin.reduce.pca import PCA, WhitenedPCA
from imagekin.reduce.random import RandomProjection
from imagekin.store import reducers, serving
from imagekin.store.base import Batch
from imagekin.store.sqlite import SqliteStore
from imagekin.testing import oracle, reduced, searching, stores
from imagekin.testing.oracle import DIM, embedder, expect_nearest, filled, known, synthetic_put, synthetic_vectors
from imagekin.testing.reduced import QUERIES, expect_in
from tests.format_sample import main as make_sample
from tests.quick import quick_folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches are written for a few rows, as they are for many else."""
    monkeypatch.setattr(serving, "PERSIST_ROWS", 4)
    monkeypatch.setattr(serving, "MAX_SEGMENTS", 4)


def permuted() -> Reducer:
    """A space of its own in which distances are what they were: elements in another order, some with another sign."""
    made = WhitenedPCA(DIM).fit(synthetic_vectors(40))
    made.mean_ = np.zeros(DIM, np.float32)
    made.components_ = (np.eye(DIM)[::-1] * np.tile([1, -1], DIM // 2)).astype(np.float32)
    return made


class Rotated(SqliteStore):
    """Searches through a reducer from the first moment on, and keeps its caches up to date."""

    reducer: Reducer = RandomProjection().fit(synthetic_vectors(2))

    def claim(self, embedder: Mapping[str, Any], state: bytes | None = None) -> None:
        super().claim(embedder, state)
        if self.settings().get("reduce") is None and embedder["dim"] == DIM:
            self.reduce(self.reducer)

    def write(self, batch: Batch) -> None:
        super().write(batch)
        self.refresh()


class Permuted(Rotated):
    reducer = permuted()


@pytest.mark.parametrize(
    "check", [check for check in stores.CHECKS if check not in reduced.CHECKS], ids=lambda check: check.__name__
)
def test_a_store_behind_a_reducer_does_what_every_store_must(
    check: Callable[[oracle.Opener], None], tmp_path: Path
) -> None:
    check(lambda name: Rotated(tmp_path / name))


@pytest.mark.parametrize("check", searching.CHECKS, ids=lambda check: check.__name__)
def test_so_does_one_with_a_space_of_its_own(
    check: Callable[[oracle.Opener], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "TOLERANCE", 2e-3)  # rows are normalised once more, in half precision
    check(lambda name: Permuted(tmp_path / name))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection of 600 pictures behind PCA, its caches up to date."""
    with contextlib.closing(SqliteStore(tmp_path / "c")) as store:
        filled(store, 600)
        store.reduce(PCA(12).fit(store.vectors()[1]), {"rows": 600, "variance": 0.9})
        store.refresh()
    return tmp_path / "c"


@pytest.fixture
def store(folder: Path) -> Iterator[SqliteStore]:
    with contextlib.closing(SqliteStore(folder, create=False)) as store:
        yield store


def serving_of(store: SqliteStore) -> Any:
    found = store._served()
    assert found is not None
    return found._current()


def right(store: SqliteStore, *, recall: float = 0.95) -> None:
    """Distances are the true ones, and most hits are the true ones."""
    ids, vectors = store.vectors()
    found, distances = store.search(QUERIES, 10)
    stored = vectors.astype(np.float64) / np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float64)
    gaps = 1 - QUERIES.astype(np.float64) @ stored.T
    np.testing.assert_allclose(distances, np.take_along_axis(gaps, np.searchsorted(ids, found), axis=1), atol=2e-6)
    assert np.mean(distances <= np.sort(gaps, axis=1)[:, 9:10] + 1e-6) >= recall


def test_info_tells_what_the_reducer_costs_and_gains(store: SqliteStore) -> None:
    current, says = serving_of(store), store.info()["reduce"]
    assert isinstance(current, Reduced)
    assert {name: says[name] for name in ("spec", "dim", "rows", "variance")} == {
        "spec": "pca:12", "dim": 12, "rows": 600, "variance": 0.9,
    }  # fmt: skip
    assert (says["recall"], says["candidates"]) == (current.effort.recall, current.effort.rerank)
    assert says["recall"] > 0.98
    assert 2 * 16 + 9 < says["bytes"] < 2 * 16 + 9 + 3  # halves (12, and zeros up to 16), an id, a flag; files' headers
    right(store)
    assert store.check() == []


def test_the_file_alone_answers_the_same(folder: Path, store: SqliteStore, tmp_path: Path) -> None:
    before = store.search(QUERIES, 10)
    (tmp_path / "copy").mkdir()
    with contextlib.closing(apsw.Connection(str(folder / "collection.db"))) as plain:
        plain.execute(f"VACUUM INTO '{tmp_path}/copy/collection.db'")
    with contextlib.closing(SqliteStore(tmp_path / "copy", create=False)) as copy:
        assert copy.settings()["reduce"] == store.settings()["reduce"]
        assert "is not built over 600 images" in copy.info()["reason"]
        right(copy, recall=1)
        copy.refresh()
        assert isinstance(serving_of(copy), Reduced)
        for ours, theirs in zip(copy.search(QUERIES, 10), before, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_another_space_needs_no_cache(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        filled(store, 300)
        reducer = WhitenedPCA(5).fit(store.vectors()[1])
        store.reduce(reducer)
        expect_in(store, reducer, QUERIES, list(range(300)))
        store.refresh()
        shutil.rmtree(tmp_path / "cache")
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        expect_in(store, reducer, QUERIES, list(range(300)))
        assert "recall" not in store.info()["reduce"]


def test_every_handle_follows_a_reducer_that_another_one_sets(folder: Path, store: SqliteStore) -> None:
    with contextlib.closing(SqliteStore(folder)) as other:
        assert serving_of(other).reducer.n_components_ == 12
        other.reduce(WhitenedPCA(3).fit(other.vectors()[1]))
        assert serving_of(store).reducer.n_components_ == 3
        other.reduce(None)
        assert not isinstance(serving_of(store), Reduced)
        expect_nearest(store, QUERIES, 10, None, known(store, puts()))


def puts() -> list[Any]:
    return [synthetic_put(number, vector) for number, vector in enumerate(synthetic_vectors(600))]


def test_the_engine_is_built_over_reduced_vectors(folder: Path) -> None:
    with contextlib.closing(SqliteStore(folder)) as store:
        store.set({"engine": "faiss(factory='HNSW16', recall=0.9)"})
        store.refresh()
        current = serving_of(store)
        assert (current.engine, current.built, current._inner.dim) == ("faiss", 600, 12)
        assert store.info()["serving"] == "faiss(factory='HNSW16', recall=0.9)"
        right(store, recall=0.85)
        assert len(list((folder / "cache").glob("engine-*"))) == 1


def test_what_is_added_is_reduced_by_what_was_learned(folder: Path) -> None:
    with contextlib.closing(SqliteStore(folder)) as store:
        fresh = [synthetic_put(900 + n, vector) for n, vector in enumerate(synthetic_vectors(400, seed=6))]
        for start in range(0, 400, 50):
            store.write(Batch(puts=fresh[start : start + 50]))
            assert store.search(fresh[start].vector, 1)[1].item() < 1e-3
            right(store)
        assert serving_of(store).wants_rebuild
        store.refresh()
        assert not serving_of(store).wants_rebuild and len(serving_of(store)) == 1000
        right(store)


ATTACKS = {
    "flipped": "UPDATE reducer SET data = zeroblob(length(data))",
    "cut": "UPDATE reducer SET data = substr(data, 1, 100)",
    "absent": "DELETE FROM reducer",
    "too large": f"UPDATE reducer SET data = zeroblob({4 * DIM * (DIM + 8) + (1 << 20) + 1})",
    "another": "UPDATE reducer SET hash = x'00000000000000000000000000000000'",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_damaged_reducer_is_told_and_left_aside(attack: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.closing(apsw.Connection(str(folder / "collection.db"))) as plain:
        plain.execute(ATTACKS[attack])
    with contextlib.closing(SqliteStore(folder)) as store, caplog.at_level(logging.WARNING):
        expect_nearest(store, QUERIES, 10, None, known(store, puts()))
        (sentence,) = [message for message in caplog.messages if "reducer" in message]
        assert store.check() == [sentence]
        assert "imagekin index --reduce pca:12" in sentence and "\n" not in sentence
        assert store.info()["reduce"]["fault"] == sentence
        store.reduce(PCA(12).fit(store.vectors()[1]))
        store.refresh()
        assert store.check() == []
        right(store)


@pytest.mark.parametrize("kind", ["shorter", "nan", "no reducer", "unknown", "longer"])
def test_a_reducer_from_a_stranger_is_looked_at_before_it_is_used(
    kind: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The hash fits, as a stranger can work it out too."""
    evil = PCA(12).fit(synthetic_vectors(40))
    if kind == "nan":
        evil.mean_ = np.full(DIM, np.nan, np.float32)
    if kind in ("shorter", "longer"):
        evil = PCA(2).fit(synthetic_vectors(40, dim=DIM - 1 if kind == "shorter" else DIM + 1))
    data = {"no reducer": b"PK\x05\x06" + bytes(18), "unknown": evil.packed().replace(b'"pca"', b'"zca"')}
    with contextlib.closing(SqliteStore(folder)) as store:
        says = store.settings()["reduce"]
        content = data.get(kind) or evil.packed()
        key = reducers._hash(content)
        with store.database.transaction() as writer:
            writer.execute("DELETE FROM reducer")
            writer.execute("INSERT INTO reducer VALUES (?, ?)", (key, content))
        store.set({"reduce": {**says, "hash": key.hex()}})
        with caplog.at_level(logging.WARNING):
            expect_nearest(store, QUERIES, 10, None, known(store, puts()))
        assert [message for message in caplog.messages if "cannot be used" in message]


def test_numbers_that_are_too_large_end_in_one_sentence(folder: Path) -> None:
    huge = WhitenedPCA(3).fit(synthetic_vectors(40))
    huge.components_ = np.full((3, DIM), 3e38, np.float32)
    with contextlib.closing(SqliteStore(folder)) as store:
        store.reduce(huge)
        with pytest.raises(Exception, match="let it learn again"):
            store.search(QUERIES, 3)
        store.reduce(None)
        right(store, recall=1)


def test_a_batch_of_facts_and_reducer_is_written_whole_or_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(SqliteStore(folder)) as store:
        before = store.settings()["reduce"]
        monkeypatch.setattr(WhitenedPCA, "packed", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.reduce(WhitenedPCA(3).fit(synthetic_vectors(40)))
        monkeypatch.undo()
        assert store.settings()["reduce"] == before
        right(store)


@pytest.mark.parametrize(
    "value",
    [
        5, {}, [], {"spec": "pca:2"}, {"spec": 5, "dim": 2, "hash": "0" * 32},
        {"spec": "p", "dim": 0, "hash": "0" * 32},
        {"spec": "p", "dim": 10**12, "hash": "0" * 32}, {"spec": "p", "dim": True, "hash": "0" * 32},
        {"spec": "p", "dim": 2, "hash": "0" * 31}, {"spec": "p", "dim": 2, "hash": "../" * 8},
        {"spec": "p", "dim": 2, "hash": "0" * 32, "variance": "much"},
        {"spec": "p", "dim": 2, "hash": "0" * 32, "rows": -1},
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_imagekin_never_writes_is_refused(value: Any, folder: Path) -> None:
    with contextlib.closing(SqliteStore(folder)) as store:
        store.set({"reduce": value})
    with pytest.raises(DamagedError, match="which imagekin never writes") as caught:
        SqliteStore(folder)
    assert len(str(caught.value)) < 300


def test_a_sample_of_this_format_can_be_made(tmp_path: Path) -> None:
    make_sample(tmp_path / "format")
    assert sorted(path.name for path in (tmp_path / "format").iterdir()) == ["answers.json.gz", "collection.db.gz"]


def test_another_model_of_an_emptied_collection_takes_the_reducer_away(folder: Path) -> None:
    with contextlib.closing(SqliteStore(folder)) as store:
        store.remove(None)
        store.claim(embedder("other", DIM + 2))
        assert (store.settings().get("reduce"), store.dim) == (None, DIM + 2)
        assert store.database.all("SELECT hash FROM reducer") == []
