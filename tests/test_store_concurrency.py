"""Several processes write and read one collection at once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.index.base import Index
from imagekin.store import serving
from imagekin.store.base import Batch
from imagekin.store.engines import Searcher
from imagekin.store.serving import Serving
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import DIM, filled, synthetic_vectors
from tests.quick import quick_folder
from tests.store_children import Nursery, path, state, vectors

WRITERS, BATCHES = 3, 40


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


def test_nothing_is_lost_or_seen_by_halves_when_processes_write_and_read_at_once(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 16)
    stop, shared = threading.Event(), SqliteStore(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(watch, shared, stop) for _ in range(2)]
        readers += [pool.submit(watch_alone, tmp_path, stop) for _ in range(2)]
        for name in range(WRITERS):
            nursery.start("share", str(tmp_path), name, BATCHES)
        ended = 0
        while ended < WRITERS:
            line = nursery.line()
            assert line, "a writer has failed"
            ended += line.startswith("wrote ")
        stop.set()
        looks = [reader.result() for reader in readers]
    assert min(looks) > 3
    assert shared.revision == WRITERS * (BATCHES + BATCHES // 5)
    assert shared.count() == WRITERS * (2 * BATCHES - BATCHES // 5) + 1
    assert shared.check() == []
    (contested,) = shared.lookup([path(0, 0)]).values()
    assert contested.label in {f"{name}/{BATCHES - 1}" for name in range(WRITERS)}
    shared.close()


def watch_alone(folder: Path, stop: threading.Event) -> int:
    with contextlib.closing(SqliteStore(folder)) as store:
        return watch(store, stop)


def watch(store: SqliteStore, stop: threading.Event) -> int:
    """Look again and again until *stop*: each batch is there whole or not at all, and no id stands for two files."""
    looks = 0
    while not stop.is_set():
        ids, rows = store.vectors()
        assert len(ids) == len(rows) == len(set(ids.tolist()))
        whole(item.path for item in store.items(limit=10**6))
        found, distances = store.search(np.ones((1, DIM)), 10_000)
        hits = found[0][found[0] >= 0].tolist()
        assert len(hits) == len(set(hits))
        assert np.isfinite(distances[0][: len(hits)]).all()
        whole(item.path for item in store.found(hits).values())
        counts = store.info()
        assert counts["images"] <= counts["last_id"]
        looks += 1
    return looks


def whole(paths: Iterator[str]) -> None:
    numbers = [int(each.rpartition("/")[2].removesuffix(".jpg")) for each in paths]
    pairs = Counter(number // 2 for number in numbers if number and number // 2 % 50_000 % 5 != 4)
    assert set(pairs.values()) <= {2}, "half of a batch was seen"


def test_a_reader_sees_what_another_process_has_acknowledged(nursery: Nursery, tmp_path: Path) -> None:
    nursery.start("write", str(tmp_path / "c"), 0, True, 25)
    store: SqliteStore | None = None
    for number, line in enumerate(nursery.each_line()):
        assert line == f"ack {number}"
        store = store or SqliteStore(tmp_path / "c", create=False)
        ids, distances = store.search(vectors(number)[:1], 1)
        item = store.found(ids[0].tolist()).get(int(ids[0, 0]))
        removed_meanwhile = number % 4 == 1
        assert removed_meanwhile or (item is not None and item.path == path(number, 0))
        assert removed_meanwhile or distances[0, 0] < 1e-3
    assert store is not None
    assert store.count() == len(state(25))
    store.close()


def test_a_search_never_falls_between_the_removal_and_the_addition_of_a_changed_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index takes a new vector as a removal and an addition; a search between them would miss the picture."""
    removed, add = threading.Event(), Index.add

    def slow(self: Index, *arguments: Any, **options: Any) -> None:
        removed.set()
        time.sleep(0.1)  # the moment in which the other search would miss them
        add(self, *arguments, **options)

    with contextlib.closing(SqliteStore(tmp_path)) as store, ThreadPoolExecutor(1) as pool:
        puts, queries = filled(store, 100), synthetic_vectors(1, seed=6)
        store.search(queries, 1)
        current = Serving._current

        def overtaken(self: Serving) -> Searcher:
            monkeypatch.setattr(Serving, "_current", current)
            index = current(self)
            monkeypatch.setattr(Index, "add", slow)
            store.write(Batch(puts=puts[:50]))
            pool.submit(store.search, queries, 1)
            assert removed.wait(10)
            return index

        monkeypatch.setattr(Serving, "_current", overtaken)
        found, _ = store.search(queries, 100)
        assert len(set(found[0].tolist()) - {-1}) == 100


def test_two_processes_may_make_one_collection_at_once(nursery: Nursery, tmp_path: Path) -> None:
    for number in range(6):
        for name in range(3):
            nursery.start("share", str(tmp_path / str(number)), name, 2)
        assert sorted(nursery.line() for _ in range(3)) == ["wrote 0", "wrote 1", "wrote 2"]
        with contextlib.closing(SqliteStore(tmp_path / str(number))) as store:
            assert store.count() == 3 * 2 * 2 + 1
