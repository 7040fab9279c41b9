"""Which SQLite is trusted, what a file from elsewhere may do, and who may read what we write."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from imagekin.errors import StoreError
from imagekin.store import database, serving
from imagekin.store.base import Batch
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import filled, synthetic_put, synthetic_vectors


@pytest.mark.parametrize(
    ("version", "buggy"),
    [
        (3_007_000, True),
        (3_040_001, True),
        (3_044_005, True),
        (3_044_006, False),
        (3_044_099, False),
        (3_045_000, True),
        (3_049_999, True),
        (3_050_000, True),
        (3_050_006, True),
        (3_050_007, False),
        (3_051_000, True),
        (3_051_002, True),
        (3_051_003, False),
        (3_052_000, False),
        (3_054_001, False),
        (4_000_000, False),
    ],
)
def test_an_sqlite_that_can_drop_commits_is_known(version: int, buggy: bool) -> None:
    assert database.has_wal_reset_bug(version) is buggy


def test_an_sqlite_that_can_drop_commits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "SQLITE_VERSION_NUMBER", 3_051_002)
    with pytest.raises(StoreError, match="can lose commits") as caught:
        SqliteStore(tmp_path / "c")
    assert "pip install" in str(caught.value)
    assert not (tmp_path / "c").exists()


def test_the_sqlite_in_use_is_the_one_that_was_checked() -> None:
    assert not database.has_wal_reset_bug(apsw.SQLITE_VERSION_NUMBER)
    with contextlib.closing(apsw.Connection(":memory:")) as plain:
        ((text,),) = plain.execute("SELECT sqlite_version()").fetchall()
    major, minor, patch = map(int, str(text).split("."))
    assert major * 1_000_000 + minor * 1_000 + patch == apsw.SQLITE_VERSION_NUMBER


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with contextlib.closing(SqliteStore(tmp_path / "a" / "c")) as store:
        filled(store, 5)
        yield store


@pytest.mark.parametrize("which", ["_reader", "_writer"])
def test_both_connections_distrust_the_file(store: SqliteStore, which: str) -> None:
    connection: apsw.Connection = getattr(store.database, which)
    expected = {"trusted_schema": 0, "foreign_keys": 1, "cell_size_check": 1, "mmap_size": 0, "journal_mode": "wal"}
    assert {name: connection.pragma(name) for name in expected} == expected
    assert connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, -1) == 1
    assert connection.pragma("query_only") == int(which == "_reader")
    assert connection.pragma("synchronous") == 2 or which == "_reader"
    connection.execute("PRAGMA writable_schema = ON")
    with pytest.raises(apsw.Error):
        connection.execute("UPDATE sqlite_schema SET sql = ''")


def test_the_reader_cannot_write(store: SqliteStore) -> None:
    with pytest.raises(StoreError):
        store.database.all("DELETE FROM item RETURNING id")
    assert store.count() == 5


def test_vectors_go_with_their_item(store: SqliteStore) -> None:
    store.write(Batch(removed=[2, 3]))
    assert store.database.all("SELECT item FROM vector") == [(1,), (4,), (5,)]


def test_nobody_else_may_read_a_collection(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 2)
    store.write(Batch(puts=[synthetic_put(n, vector) for n, vector in enumerate(synthetic_vectors(9))]))
    store.refresh()
    folder = Path(store.location)
    assert (folder / "collection.db-wal").exists()
    open_to_others = {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in [folder, folder / "cache", folder / "cache" / "vectors", *folder.glob("*")]
        if path.stat().st_mode & 0o077
    }
    assert open_to_others == {}
    for path in (folder / "cache" / "vectors").iterdir():
        assert not os.path.islink(path)


def harmless(*_: object) -> str:
    return ""


def test_a_hostile_schema_runs_nothing(tmp_path: Path) -> None:
    """A trigger in the file may not call functions with effects, and ours are not for schemas."""
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        filled(store, 3)
    with contextlib.closing(apsw.Connection(str(tmp_path / "collection.db"))) as plain:
        plain.create_scalar_function("basename", harmless, 1)
        plain.execute("CREATE TRIGGER spy AFTER UPDATE ON item BEGIN SELECT basename(new.path); END")
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        with pytest.raises(StoreError) as caught:
            store.write(Batch(relabels=[(1, "x", None)]))
        assert "unsafe use of basename()" in str(caught.value)
        assert store.items()[0].label is None
