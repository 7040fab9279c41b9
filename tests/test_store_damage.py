"""Files that are not collections, or are damaged: told in one sentence, or answered rightly."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import apsw
import numpy as np
import pytest

from imagekin.errors import DamagedError, MismatchError, StoreError
from imagekin.store.base import Batch
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import expect_nearest, filled, known, nearest, synthetic_put, synthetic_vectors
from tests.quick import quick_folder

QUERIES = synthetic_vectors(2, seed=77)
PUTS = [synthetic_put(number, vector) for number, vector in enumerate(synthetic_vectors(40))]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection of 40 pictures."""
    with contextlib.closing(SqliteStore(tmp_path / "c")) as store:
        filled(store, 40)
    return tmp_path / "c"


def is_one_sentence(error: BaseException) -> bool:
    text = str(error)
    return "\n" not in text and text.endswith(".") and 40 < len(text) < 400


@pytest.mark.parametrize(
    "data",
    [b"not a database, but long enough for a header of one" * 4, b"x", bytes(4096), b"SQLite format 3\0" + bytes(5000)],
)
@pytest.mark.parametrize("create", [False, True])
def test_what_is_not_a_collection_is_refused_and_left_alone(tmp_path: Path, data: bytes, create: bool) -> None:
    path = tmp_path / "collection.db"
    path.write_bytes(data)
    with pytest.raises(DamagedError) as caught:
        SqliteStore(tmp_path, create=create)
    assert is_one_sentence(caught.value)
    assert path.read_bytes() == data


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "collection.db"
    with contextlib.closing(apsw.Connection(str(path))) as other:
        other.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT)")
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(DamagedError, match="is not an imagekin collection"):
            SqliteStore(tmp_path, create=create)
    assert path.read_bytes() == before


def test_a_collection_without_its_tables_is_damaged(folder: Path) -> None:
    for table in ("vector", "item", "change", "setting"):
        with contextlib.closing(apsw.Connection(str(folder / "collection.db"))) as other:
            other.execute(f"ALTER TABLE {table} RENAME TO other_{table}")
        with pytest.raises(DamagedError) as caught, contextlib.closing(SqliteStore(folder)) as store:
            store.search(QUERIES, 3)
        assert is_one_sentence(caught.value)


def test_an_absent_collection_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no collection at") as caught:
        SqliteStore(tmp_path / "c", create=False)
    assert is_one_sentence(caught.value)
    assert not (tmp_path / "c").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / "file" / "c")
    assert is_one_sentence(caught.value)


def read_everything(folder: Path) -> tuple[list[int], list[float], list[str]]:
    with contextlib.closing(SqliteStore(folder)) as store:
        ids, distances = store.search(QUERIES, 10)
        store.info()
        store.roots()
        list(store.skips())
        items = store.items()
        store.lookup([item.path for item in items])
        list(store.known(None))
        faults = store.check()
        store.write(Batch(relabels=[(1, "x", None)]))
        return ids.ravel().tolist(), distances.ravel().tolist(), faults


def test_truncated_collections_are_damaged_or_right(folder: Path) -> None:
    path = folder / "collection.db"
    right = read_everything(folder)
    data = path.read_bytes()
    outcomes = set()
    for length in [*range(1, 200, 13), *range(200, len(data), 5003), len(data) - 1]:
        path.write_bytes(data[:length])
        try:
            assert read_everything(folder) == right
            outcomes.add("right")
        except (DamagedError, MismatchError) as error:
            assert is_one_sentence(error)
            outcomes.add("damaged")
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert "damaged" in outcomes


def test_mutated_collections_are_told_or_never_answer_with_a_wrong_distance(folder: Path) -> None:
    path = folder / "collection.db"
    read_everything(folder)
    data = path.read_bytes()
    seed = random.SystemRandom().randrange(10**6)
    chance, outcomes = random.Random(seed), {"told": 0, "answered": 0}
    numbers, vectors = np.arange(1, 41), np.stack([put.vector for put in PUTS])
    ids, gaps = nearest(numbers, vectors, QUERIES, 40)
    truth = [dict(zip(*pair, strict=True)) for pair in zip(ids.tolist(), gaps.tolist(), strict=True)]
    for trial in range(250):
        mutant = bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 5, 100))):
            mutant[chance.randrange(100 if chance.random() < 0.1 else len(data))] = chance.randrange(256)
        path.write_bytes(mutant)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        try:
            found, distances, faults = read_everything(folder)
        except StoreError as error:
            assert is_one_sentence(error), f"seed {seed}, trial {trial}: {error}"
            outcomes["told"] += 1
        else:
            for place, (number, distance) in enumerate(zip(found, distances, strict=True)):
                right = truth[place // 10].get(number, distance)
                assert abs(right - distance) < 1e-5 or faults, f"seed {seed}, trial {trial}"
            outcomes["answered"] += 1
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert min(outcomes.values()) > 10, outcomes


def test_a_damaged_vector_is_named_and_healed_by_a_new_one(folder: Path) -> None:
    path = folder / "collection.db"
    data = path.read_bytes()
    bytes_of_vector = PUTS[6].vector.astype("<f2").tobytes()
    assert data.count(bytes_of_vector) == 1
    at = data.index(bytes_of_vector) + 5
    path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
    with contextlib.closing(SqliteStore(folder)) as store:
        reads: list[Callable[[], object]] = [
            partial(store.search, QUERIES, 3),
            store.vectors,
            partial(store.vectors, [7]),
        ]
        reads.append(partial(store.find, PUTS[6].hash))
        for read in reads:
            with pytest.raises(DamagedError, match="the vector of item 7 is damaged"):
                read()
        (fault,) = store.check()
        assert fault.startswith("the vector of item 7 is damaged; index its folder again with --force")
        store.write(Batch(puts=[PUTS[6]]))
        expect_nearest(store, QUERIES, 10, None, known(store, PUTS))
        assert store.check() == []


def test_pages_that_lead_in_circles_end(tmp_path: Path) -> None:
    """A table's page that stands in the place of another gives its rows twice: said so, and never read for ever."""
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        filled(store, 400)
    path, told = tmp_path / "collection.db", 0
    data = path.read_bytes()
    size = int.from_bytes(data[16:18], "big")
    leaves = [at for at in range(size, len(data), size) if data[at] == 13]  # leaf pages of tables
    for first, second in zip(leaves, leaves[1:], strict=False):
        path.write_bytes(data[:second] + data[first : first + size] + data[second + size :])
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        try:
            read_everything(tmp_path)
        except StoreError as error:
            assert is_one_sentence(error)
            told += "out of order" in str(error)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert told
