"""Disks that fail or are full, files that may not be written, are locked, truncated or mutated."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest

from imagekin.errors import DamagedError, LockedError, StoreError
from imagekin.store import database, serving
from imagekin.store.base import Batch, Put
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import expect_nearest, filled, known, synthetic_put, synthetic_vectors
from tests.faulty_files import FaultyFiles, faulty_sqlite, python_fails, sqlite_fails
from tests.quick import quick_folder
from tests.store_children import Nursery, state

QUERIES = synthetic_vectors(2, seed=77)
NOBODY = 65_534


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection of 40 pictures."""
    with contextlib.closing(SqliteStore(tmp_path / "c")) as store:
        filled(store, 40)
    return tmp_path / "c"


PUTS = [synthetic_put(number, vector) for number, vector in enumerate(synthetic_vectors(40))]
MORE = [synthetic_put(number, vector) for number, vector in enumerate(synthetic_vectors(30, seed=1), 20)]
ALL = [*PUTS[:20], *MORE]


def is_one_sentence(error: BaseException) -> bool:
    text = str(error)
    return "\n" not in text and text.endswith(".") and 40 < len(text) < 400


def expect(store: SqliteStore, puts: list[Put]) -> None:
    assert store.count() == len(puts)
    expect_nearest(store, QUERIES, 10, None, known(store, puts))


@pytest.fixture
def faulty() -> Iterator[FaultyFiles]:
    with faulty_sqlite() as files:
        yield files


@pytest.mark.parametrize("kind", [apsw.IOError, apsw.FullError])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_disk_that_fails_at_any_step_of_a_write_loses_nothing(
    folder: Path, faulty: FaultyFiles, kind: type[apsw.Error], checkpoint: bool
) -> None:
    failures = 0
    for step in range(400):
        copy = folder.with_name(f"copy{step}")
        shutil.copytree(folder, copy)
        store = SqliteStore(copy)
        with store.database.transaction() as writer:
            writer.execute("UPDATE item SET label = 'x'")
        writer.execute(f"PRAGMA wal_autocheckpoint = {int(checkpoint)}")
        faulty.fuse = fuse = sqlite_fails(step, kind)
        try:
            store.write(Batch(puts=MORE))
        except StoreError as error:
            assert is_one_sentence(error)
            assert not isinstance(error, DamagedError)
            # SQLite passes over a failed checkpoint, which comes after the commit, but these faulty files tell it
            assert checkpoint or fuse.burnt
            expect(store, ALL if checkpoint and store.count() > len(PUTS) else PUTS)
            failures += 1
        else:
            expect(store, ALL)
        faulty.fuse = None
        store.write(Batch(puts=MORE))
        store.close()
        with contextlib.closing(SqliteStore(copy)) as store:
            expect(store, ALL)
            assert store.check() == []
        shutil.rmtree(copy)
        if not fuse.burnt:
            break
    assert step == failures > 3


def test_a_disk_that_fails_while_a_collection_is_opened_or_closed_loses_nothing(
    folder: Path, faulty: FaultyFiles
) -> None:
    for step in range(400):
        copy = folder.with_name(f"copy{step}")
        shutil.copytree(folder, copy)
        faulty.fuse = fuse = sqlite_fails(step, apsw.IOError)
        try:
            store = SqliteStore(copy)
            try:
                store.write(Batch(puts=MORE))
            finally:
                store.close()
        except StoreError as error:
            assert is_one_sentence(error)
        faulty.fuse = None
        with contextlib.closing(SqliteStore(copy)) as store:
            expect(store, PUTS if store.count() == len(PUTS) else ALL)
            assert store.check() == []
        shutil.rmtree(copy)
        if not fuse.burnt:
            break
    assert step > 10


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_a_disk_that_fails_at_any_step_of_the_caches_changes_no_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 8)
    told = 0
    for step in range(400):
        copy = folder.with_name(f"copy{step}")
        shutil.copytree(folder, copy)
        store = SqliteStore(copy)
        with monkeypatch.context() as patch:
            fuse = python_fails(patch, step, number)
            try:
                expect(store, PUTS)
                store.write(Batch(puts=MORE))
                expect(store, ALL)
                store.refresh()
            except StoreError as error:
                assert is_one_sentence(error)
                told += 1
        store.write(Batch(puts=MORE))
        expect(store, ALL)
        store.refresh()
        expect(store, ALL)
        store.close()
        with contextlib.closing(SqliteStore(copy)) as store:
            expect(store, ALL)
            assert store.check() == []
        shutil.rmtree(copy)
        if not fuse.burnt:
            break
    assert step > 8
    assert told, "no failure was told"


def test_a_full_disk_is_one_sentence_and_nothing_is_lost(nursery: Nursery, tmp_path: Path) -> None:
    for size in (1_200_000, 1_900_000, 2_500_000):
        folder = tmp_path / str(size)
        nursery.start("fill_up", str(folder), size)
        sentence, last = nursery.until_end()
        written = int(sentence.split()[0])
        assert is_one_sentence(StoreError(sentence))
        assert written > 3
        assert last == f"{written + 1} written"
        with contextlib.closing(SqliteStore(folder)) as store:
            expected = state(written + 1)
            rows = store.lookup(list(expected))
            assert store.count() == len(rows) == len(expected)
            for path, row in rows.items():
                assert np.allclose(store.vectors([row.id])[1][0], expected[path], atol=1e-3)


@pytest.fixture
def public(folder: Path) -> Iterator[Path]:
    """The collection where everyone may read and nobody may write."""
    place = Path(tempfile.mkdtemp(prefix="imagekin-test-"))
    place.chmod(0o755)
    shutil.copytree(folder, place / "c")
    yield place / "c"
    (place / "c").chmod(0o755)
    shutil.rmtree(place)


def lock_up(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def answers(nursery: Nursery, folder: Path) -> list[str]:
    nursery.start("read", str(folder), NOBODY)
    return nursery.until_end()


@pytest.mark.parametrize("cached", [False, True])
def test_a_read_only_folder_can_be_searched(
    nursery: Nursery, public: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 8)
    with contextlib.closing(SqliteStore(public)) as store:
        if cached:
            store.refresh()
        right = store.search(np.ones((1, store.dim)), 5)[0].tolist()
    lock_up(public)
    seen, *refusals = answers(nursery, public)
    assert json.loads(seen) == [40, 40, [], right]
    assert len(refusals) == 2
    assert all(is_one_sentence(StoreError(refusal)) for refusal in refusals), refusals


def test_a_reader_without_rights_sees_what_a_writer_has_not_yet_folded_in(nursery: Nursery, public: Path) -> None:
    (public / "collection.db").chmod(0o644)
    with contextlib.closing(SqliteStore(public)) as store:
        store.write(Batch(puts=MORE))
        right = store.search(np.ones((1, store.dim)), 5)[0].tolist()
        assert (public / "collection.db-wal").stat().st_size
        public.chmod(0o555)
        for path in public.glob("collection.db*"):
            path.chmod(0o644 if os.getuid() == 0 else 0o444)
        seen, *refusals = answers(nursery, public)
        assert json.loads(seen) == [50, 50, [], right]
        assert all(is_one_sentence(StoreError(refusal)) for refusal in refusals), refusals
        public.chmod(0o755)


def test_a_read_only_folder_with_an_unfinished_log_is_refused_not_read_wrongly(nursery: Nursery, public: Path) -> None:
    with contextlib.closing(SqliteStore(public)) as store:
        store.write(Batch(puts=MORE))
        log = (public / "collection.db-wal").read_bytes()
    (public / "collection.db-wal").write_bytes(log)
    lock_up(public)
    (refusal,) = answers(nursery, public)
    assert refusal.startswith("cannot read: ")
    assert is_one_sentence(StoreError(refusal))


def test_a_folder_that_may_not_be_entered_is_one_sentence(nursery: Nursery, public: Path) -> None:
    public.chmod(0)
    (refusal,) = answers(nursery, public)
    assert refusal.startswith("cannot read: ")
    assert is_one_sentence(StoreError(refusal))


def test_a_lock_that_is_held_too_long_is_one_sentence(
    nursery: Nursery, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 120)
    with contextlib.closing(SqliteStore(folder)) as store:
        pid = nursery.start("hold", str(folder), 60)
        assert nursery.line() == "held"
        with pytest.raises(LockedError) as caught:
            store.write(Batch(puts=MORE))
        assert is_one_sentence(caught.value)
        expect(store, PUTS)  # reading goes on
        os.kill(pid, signal.SIGUSR1)
        assert nursery.line() == "released"
        store.write(Batch(puts=MORE))
        expect(store, ALL)


def test_a_lock_of_another_program_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 120)
    with contextlib.closing(SqliteStore(folder)) as store:
        other = apsw.Connection(str(folder / "collection.db"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError) as caught:
            store.write(Batch(puts=MORE))
        assert is_one_sentence(caught.value)
        other.execute("ROLLBACK")
        other.close()
        store.write(Batch(puts=MORE))
        expect(store, ALL)


def test_a_wrong_statement_is_not_called_damage(folder: Path) -> None:
    with contextlib.closing(SqliteStore(folder)) as store:
        with pytest.raises(StoreError, match="refuses a query") as caught:
            store.database.all("SELECT FROM WHERE")
        assert not isinstance(caught.value, DamagedError)
        with pytest.raises(DamagedError, match="no such table"):
            store.database.all("SELECT * FROM nowhere")
