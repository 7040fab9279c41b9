"""Files of every released format stay readable; the format changes by new steps only."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import zlib
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from imagekin import migrations
from imagekin.errors import InputError, MismatchError, StoreError
from imagekin.store import database
from imagekin.store.base import Batch
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import embedder, filled, synthetic_put, synthetic_vectors
from tests.format_sample import shown

DATA = Path(__file__).parent / "data"
RELEASED = ("7ca89c", "fe277d", "6c1287", "ad21ff", "89571d")
"""Beginning of the SHA-256 of each released step, which may never change."""


@pytest.fixture(params=range(1, len(migrations.MIGRATIONS) + 1))
def released(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A collection that was written when its format was new, and what it answered then."""
    folder = DATA / f"format-{request.param}"
    (tmp_path / "c").mkdir()
    (tmp_path / "c/collection.db").write_bytes(gzip.decompress((folder / "collection.db.gz").read_bytes()))
    return tmp_path / "c", json.loads(gzip.decompress((folder / "answers.json.gz").read_bytes()))


def test_a_file_of_every_released_format_answers_as_it_did(released: tuple[Path, dict[str, Any]]) -> None:
    folder, answers = released
    for _ in range(2):
        with contextlib.closing(SqliteStore(folder, create=False)) as store:
            now = json.loads(json.dumps(shown(store, np.array(answers["queries"], np.float32))))
            if "models" not in answers:  # of a format with one model, that learned nothing
                assert (now.pop("models"), now.pop("state")) == ([], None)
            if "judgements" not in answers:
                assert now.pop("judgements") == []
            if "tags" not in answers:  # of a format without them
                assert now.pop("tags") == {}
                assert {tuple(item[1:]) for found in now.pop("tagged").values() for item in found} == {()}
            distances, then = now.pop("distances"), answers["distances"]
            assert now == {name: value for name, value in answers.items() if name != "distances"}
            for text, lines in then.items():
                np.testing.assert_allclose(distances[text], lines, rtol=0, atol=1e-6)
            assert store.check() == []


def test_a_file_of_every_released_format_that_may_not_be_written_is_read(
    released: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, answers = released
    allowed, before = os.access, (folder / "collection.db").read_bytes()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and allowed(path, mode))
    with contextlib.closing(SqliteStore(folder, create=False)) as store:
        now = json.loads(json.dumps(shown(store, np.array(answers["queries"], np.float32))))
        assert (now["ids"], now["found"], now["counts"]) == (answers["ids"], answers["found"], answers["counts"])
        assert store.check() == []
        assert [each["images"] for each in store.info()["models"]][0] == answers["counts"][0]
        with pytest.raises(StoreError, match="cannot be written"):
            store.reduce(None)
    assert (folder / "collection.db").read_bytes() == before
    monkeypatch.undo()
    with contextlib.closing(SqliteStore(folder, create=False)) as store:
        assert store.database.one("PRAGMA user_version") == (len(migrations.MIGRATIONS),)


def test_a_file_of_every_released_format_can_be_written(released: tuple[Path, dict[str, Any]]) -> None:
    folder, answers = released
    with contextlib.closing(SqliteStore(folder)) as store:
        store.claim(embedder())
        count, _, revision, last_id = answers["counts"]
        store.write(Batch(puts=[synthetic_put(999, synthetic_vectors(1, seed=3)[0])]))
        ids, _ = store.search(synthetic_vectors(1, seed=3), 1)
        assert (store.count(), store.revision, ids[0, 0]) == (count + 1, revision + 1, last_id + 1)


def test_released_steps_never_change() -> None:
    digests = [hashlib.sha256(step.encode()).hexdigest() for step in migrations.MIGRATIONS]
    assert [digest[:6] for digest in digests] == list(RELEASED), "never edit a released step: append one, and its hash"
    assert migrations.APPLICATION_ID == int.from_bytes(b"ikin")


def test_the_bytes_of_the_file_are_those_that_the_documentation_states(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        puts = filled(store, 3)
    data = (tmp_path / "collection.db").read_bytes()
    assert data[:16] == b"SQLite format 3\0"
    assert int.from_bytes(data[16:18]) == 16_384
    assert int.from_bytes(data[60:64]) == len(migrations.MIGRATIONS)  # user_version
    assert data[68:72] == b"ikin"  # application_id
    with contextlib.closing(apsw.Connection(str(tmp_path / "collection.db"))) as plain:
        rows = plain.execute("SELECT item, data, crc FROM vector ORDER BY item").fetchall()
    for (number, blob, crc), put in zip(rows, puts, strict=True):
        assert blob == put.vector.astype("<f2").tobytes()
        assert crc == zlib.crc32(blob)
        assert number == put.file.size - 999


def test_the_documentation_names_every_table_column_and_file() -> None:
    text = (DATA.parents[1] / "docs" / "format.md").read_text(encoding="utf-8")
    with contextlib.closing(apsw.Connection(":memory:")) as plain:
        for step in migrations.MIGRATIONS:
            plain.execute(step)
        for (table,) in plain.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            if not str(table).startswith("sqlite_"):
                assert f"### `{table}`" in text
                columns = [row[1] for row in plain.execute(f"PRAGMA table_info({table})")]
                missing = [
                    name for name in columns if f"| `{name}` |" not in text.split(f"### `{table}`")[1].split("###")[0]
                ]
                assert missing == [], f"docs/format.md does not describe {table}.{missing}"
    for name in ("collection.db", "collection.db-wal", "collection.db-shm", "writer.lock", "cache/", "manifest.json"):
        assert f"`{name}`" in text


def test_a_newer_format_is_refused_with_one_sentence(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        filled(store, 3)
    newer = len(migrations.MIGRATIONS) + 1
    with contextlib.closing(apsw.Connection(str(tmp_path / "collection.db"))) as plain:
        plain.execute(f"PRAGMA user_version = {newer}")
    before = (tmp_path / "collection.db").read_bytes()
    for create in (False, True):
        with pytest.raises(MismatchError, match=f"newer imagekin \\(format {newer}") as caught:
            SqliteStore(tmp_path, create=create)
        assert "\n" not in str(caught.value)
        assert "pip install -U imagekin" in str(caught.value)
    assert (tmp_path / "collection.db").read_bytes() == before


def test_an_older_file_takes_the_new_steps_once_and_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(SqliteStore(tmp_path / "c")) as store:
        filled(store, 3)
    shutil.copytree(tmp_path / "c", tmp_path / "copy")
    step = "ALTER TABLE item ADD COLUMN stars INTEGER NOT NULL DEFAULT 3; CREATE TABLE star (item INTEGER) STRICT;"
    monkeypatch.setattr(database, "MIGRATIONS", (*migrations.MIGRATIONS, step))
    for _ in range(2):
        with contextlib.closing(SqliteStore(tmp_path / "c")) as store:
            assert store.database.one("PRAGMA user_version") == (len(migrations.MIGRATIONS) + 1,)
            assert store.database.all("SELECT stars FROM item") == [(3,)] * 3
            assert store.count() == 3
    monkeypatch.setattr(database, "MIGRATIONS", (*migrations.MIGRATIONS, step + "CREATE TABLE star (item INTEGER);"))
    with pytest.raises(StoreError):
        SqliteStore(tmp_path / "copy")
    monkeypatch.undo()
    with contextlib.closing(SqliteStore(tmp_path / "copy")) as store:  # all of a step or nothing of it
        assert store.count() == 3
        assert store.database.all("SELECT name FROM sqlite_schema WHERE name = 'star'") == []


def test_vectors_that_do_not_fit_the_bytes_are_refused(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        puts = filled(store, 2)
        for value in (65_520.0, -1e9, np.inf, np.nan):
            vector = puts[0].vector.copy()
            vector[1] = value
            with pytest.raises(InputError, match="must be finite and within ±65504"):
                store.write(Batch(puts=[synthetic_put(7, vector)]))
        vector[1] = 65_504
        store.write(Batch(puts=[synthetic_put(7, vector)]))
        assert store.vectors()[1][2, 1] == 65_504
