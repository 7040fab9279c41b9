"""Writers are killed at any moment; what they acknowledged is there, and what they did not is there whole or not."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from imagekin.reduce.random import RandomProjection
from imagekin.store import segments, serving
from imagekin.store.base import Batch, Store
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import embedder, expect_nearest, filled, synthetic_put, synthetic_vectors
from imagekin.testing.spaces import SECOND, completed, holdings, made_of
from tests.quick import quick_folder
from tests.store_children import Nursery, State, state

QUERIES = synthetic_vectors(2, seed=77)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


def is_in(store: Store, expected: State) -> bool:
    """Whether the store holds this state, and answers accordingly."""
    rows = {known.path: known.id for known in store.known(None)}
    if set(rows) != set(expected):
        return False
    order = sorted(rows, key=rows.__getitem__)
    ids, stored = store.vectors()
    given = np.array([expected[path] for path in order]).reshape(len(order), stored.shape[1])
    if ids.tolist() != [rows[path] for path in order]:
        return False
    if len(ids) and not np.array_equal(stored, given.astype(np.float16).astype(np.float32)):
        return False
    expect_nearest(store, QUERIES, 10, None, (ids, given))
    return True


def behind(folder: Path) -> None:
    """Make a collection that searches through a reducer, which is a rotation and loses nothing."""
    with contextlib.closing(SqliteStore(folder)) as store:
        store.claim(embedder())
        store.reduce(RandomProjection().fit(QUERIES))


@pytest.mark.parametrize(
    ("cached", "reduced"),
    [(False, False), (True, False), (True, True)],
    ids=["rows", "rows-and-caches", "rows-and-reduced-caches"],
)
def test_nothing_acknowledged_is_lost_when_writers_are_killed(
    nursery: Nursery, tmp_path: Path, cached: bool, reduced: bool
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance, written = random.Random(seed), 0
    for life in range(6):
        folder, done = tmp_path / str(life), 0
        watcher: Store | None = None
        if reduced:
            behind(folder)
        for _ in range(10):
            done = run_and_kill(nursery, chance, folder, done, cached)
            with contextlib.closing(SqliteStore(folder)) as store:
                faults = store.check()
                assert faults == [], f"seed {seed}, life {life}: {faults}"
                assert store.settings().get("embedder") in (None, embedder())
                store.claim(embedder())
                if not is_in(store, state(done)):
                    done += 1
                    assert is_in(store, state(done)), f"seed {seed}, life {life}: neither {done - 1} nor {done} batches"
            watcher = watcher or SqliteStore(folder, create=False)
            assert is_in(watcher, state(done)), f"seed {seed}, life {life}: an open handle sees something else"
        assert watcher is not None
        watcher.close()
        written += done
    assert written > 60, "the writers were killed before they wrote anything, so nothing was tested"


def test_further_models_are_sound_when_writers_are_killed(nursery: Nursery, tmp_path: Path) -> None:
    """Whatever was written of a further model is of what the items hold now; what lacks is completed afterwards."""
    seed = random.SystemRandom().randrange(10**6)
    chance, lacked, had = random.Random(seed), 0, 0
    for life in range(4):
        folder, done = tmp_path / str(life), 0
        for _ in range(8):
            done = run_and_kill(nursery, chance, folder, done)
            with contextlib.closing(SqliteStore(folder)) as store:
                assert store.check() == [], f"seed {seed}, life {life}"
                store.claim(embedder())
                done += not is_in(store, state(done))
                assert is_in(store, state(done)), f"seed {seed}, life {life}: neither {done - 1} nor {done} batches"
                second = store.space(SECOND)
                second.claim(SECOND)
                ids, stored = second.vectors()
                rows = {row.id: row.hash for row in store.known(None)}
                for number, vector in zip(ids.tolist(), stored, strict=True):
                    np.testing.assert_array_equal(vector, made_of(rows[number]).astype(np.float16))
                lacking = [row.id for row in second.lacking()]
                assert sorted([*ids.tolist(), *lacking]) == sorted(rows)
                lacked, had = lacked + len(lacking), had + len(ids)
        with contextlib.closing(SqliteStore(folder)) as store:
            completed(second := store.space(SECOND))
            expect_nearest(second, synthetic_vectors(2, dim=9), 10, None, holdings(second))
    assert lacked and had, "nothing was caught half done, so nothing was tested"


def run_and_kill(nursery: Nursery, chance: random.Random, folder: Path, done: int, cached: bool | None = None) -> int:
    """Let a writer go on from batch *done* and kill it after a random time; how many batches are acknowledged now."""
    if cached is None:
        pid = nursery.start("describe", str(folder), done)
    else:
        pid = nursery.start("write", str(folder), done, cached)
    timer = threading.Timer(0.04 * chance.random(), os.kill, (pid, signal.SIGKILL))
    doomed = chance.choice((done, done + 1, done + 3, done + 7))  # when to start the clock, however busy the machine is
    if doomed == done:
        timer.start()
    for line in nursery.each_line():
        assert line == f"ack {done}"
        done += 1
        if doomed == done:
            timer.start()
    timer.join()
    return done


def test_a_collection_whose_maker_is_killed_at_any_step_can_be_made_again(nursery: Nursery, tmp_path: Path) -> None:
    die_at, lines = 0, [""]
    while lines != ["done"]:
        folder = tmp_path / str(die_at)
        nursery.start("make", str(folder), die_at)
        lines = nursery.until_end()
        with contextlib.closing(SqliteStore(folder)) as store:
            puts = filled(store, 3)
            assert is_in(store, {put.file.path: put.vector for put in puts}), f"wrong after dying at step {die_at}"
            assert store.check() == []
            assert store.database.one("PRAGMA page_size") == (16_384,)
        die_at += 1
        assert die_at < 200
    assert die_at > 20, "hardly a step was seen, so nothing was tested"


@pytest.mark.parametrize("reduced", [False, True], ids=["whole", "reduced"])
def test_a_writer_killed_at_any_step_of_the_caches_leaves_right_answers(
    nursery: Nursery, tmp_path: Path, reduced: bool
) -> None:
    folder = tmp_path / "c"
    if reduced:
        behind(folder)
    puts = [synthetic_put(n, vector) for n, vector in enumerate(synthetic_vectors(40))]
    expected: State = {}
    with contextlib.closing(SqliteStore(folder)) as store:
        store.claim(embedder())
    die_at, lines = 0, [""]
    while lines != ["done"]:
        some = [synthetic_put(n, vector) for n, vector in enumerate(synthetic_vectors(7, seed=die_at), 5 * die_at)]
        expected |= {put.file.path: put.vector for put in (*puts, *some)}
        with contextlib.closing(SqliteStore(folder)) as store:
            store.write(Batch(puts=puts + some))
        nursery.start("cache", str(folder), die_at)
        lines = nursery.until_end()
        with contextlib.closing(SqliteStore(folder)) as store:
            assert is_in(store, expected), f"wrong after dying at step {die_at}"
            assert store.check() == []
        die_at, puts = die_at + 1, []
        assert die_at < 90
    assert die_at > 8, "hardly a step was seen, so nothing was tested"


def test_leftovers_of_killed_writers_are_swept(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "c"
    monkeypatch.setattr(serving, "PERSIST_ROWS", 1)
    with contextlib.closing(SqliteStore(folder)) as store:
        store.claim(embedder())
        for number in range(3):
            store.write(Batch(puts=[synthetic_put(number, synthetic_vectors(1)[0])]))
            nursery.start("cache", str(folder), 6)
            nursery.until_end()
        store.write(Batch(puts=[synthetic_put(9, synthetic_vectors(1)[0])]))
        store.refresh()
    cached = segments.Segments(folder / "cache" / "vectors", len(QUERIES[0]))
    assert cached.open()
    files = {each.name for each in (folder / "cache" / "vectors").iterdir()}
    wanted = {f"{segment.name}.{suffix}" for segment in cached.segments for suffix in ("ids", "f16")}
    assert files == {"manifest.json", *wanted}
