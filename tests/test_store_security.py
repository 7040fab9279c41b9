"""Which SQLite is trusted, what a file from elsewhere may do, and who may read what we write."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from imagekin.errors import DamagedError, StoreError
from imagekin.store import database, serving
from imagekin.store.base import Batch
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import expect_nearest, filled, known, synthetic_put, synthetic_vectors


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


SPY = "CREATE TRIGGER spy AFTER UPDATE ON item BEGIN SELECT basename(new.path); END"


def test_a_hostile_schema_runs_nothing(tmp_path: Path) -> None:
    """A trigger that comes later may not call functions with effects, and ours are not for schemas."""
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        filled(store, 3)
        tamper(tmp_path, SPY)
        with pytest.raises(StoreError) as caught:
            store.write(Batch(relabels=[(1, "x", None)]))
        assert "unsafe use of basename()" in str(caught.value)
        assert store.items()[0].label is None


def tamper(folder: Path, *statements: str) -> None:
    with contextlib.closing(apsw.Connection(str(folder / "collection.db"))) as plain:
        plain.create_scalar_function("basename", harmless, 1)
        for statement in statements:
            plain.execute(statement)


ENDLESS = (
    "CREATE VIEW removal AS WITH RECURSIVE r(item, revision) AS "
    "(SELECT 1, 1 UNION ALL SELECT item + 1, 1 FROM r) SELECT * FROM r"
)


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ([SPY], "the trigger 'spy' does not belong there"),
        (["DROP TABLE removal", ENDLESS], "the view 'removal' is another than was made"),
        (["DROP TABLE skip"], "the table 'skip' is absent"),
        (["DROP INDEX item_hash"], "the index 'item_hash' is absent"),
        (["CREATE TABLE extra (a)"], "the table 'extra' does not belong there"),
        (["ALTER TABLE item ADD COLUMN a TEXT"], "the table 'item' is another than was made"),
    ],
)
def test_a_file_with_other_tables_is_refused_when_it_is_opened(
    tmp_path: Path, statements: list[str], reason: str
) -> None:
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        filled(store, 3)
    tamper(tmp_path, *statements)
    for create in (False, True):
        with pytest.raises(DamagedError, match=reason) as caught:
            SqliteStore(tmp_path, create=create)
        assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_statistics_and_a_copy_by_sqlite_itself_are_welcome(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path / "a")) as store:
        filled(store, 3)
    (tmp_path / "b").mkdir()
    tamper(tmp_path / "a", "ANALYZE", f"VACUUM INTO '{tmp_path}/b/collection.db'")
    with contextlib.closing(SqliteStore(tmp_path / "b", create=False)) as store:
        assert (store.count(), store.check()) == (3, [])


MODEL = {"name": "m", "spec": "m", "precision": "", "fingerprint": "f", "dim": 16}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("embedder", 5),
        ("embedder", {}),
        ("embedder", [1]),
        *(("embedder", {**MODEL, "dim": dim}) for dim in ("abc", -5, 0, 10**12, 10**30, 1.5, True, None)),
        *(("embedder", {**MODEL, key: [1]}) for key in ("name", "spec", "precision", "fingerprint")),
        ("embedder", {**MODEL, "name": None}),
        ("engine", 5),
        ("engine", []),
        ("engine", {"a": 1}),
        ("engine", "faiss(factory=open('x'))"),
        ("engine", ""),
    ],
    ids=str,
)
def test_settings_that_imagekin_never_writes_are_refused_when_a_file_is_opened(
    tmp_path: Path, name: str, value: Any
) -> None:
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        filled(store, 3)
    with contextlib.closing(apsw.Connection(str(tmp_path / "collection.db"))) as plain:
        plain.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))
    with pytest.raises(DamagedError, match="which imagekin never writes") as caught:
        SqliteStore(tmp_path)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("engine", ["nosuch", "exact(zzz=1)", "faiss(factory='HNSW32', zzz=1)"])
def test_an_engine_that_is_not_there_does_not_keep_anybody_from_searching(tmp_path: Path, engine: str) -> None:
    """A collection may come from a machine that has other engines."""
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        puts = filled(store, 3)
    with contextlib.closing(apsw.Connection(str(tmp_path / "collection.db"))) as plain:
        plain.execute("INSERT INTO setting VALUES ('engine', ?)", (json.dumps(engine),))
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        expect_nearest(store, synthetic_vectors(2, seed=5), 2, None, known(store, puts))
