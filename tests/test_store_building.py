"""While an engine is built, which takes minutes for a large collection, searches and writes go on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from imagekin.store import serving
from imagekin.store.base import Batch
from imagekin.store.engines import Engines
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import filled, synthetic_put, synthetic_vectors
from tests.quick import quick_folder


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 16)
    with quick_folder() as folder, contextlib.closing(SqliteStore(folder)) as made:
        filled(made, 60)
        made.set({"engine": "faiss:HNSW8"})
        yield made


class Slow:
    """Engines whose building waits until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        real = Engines.build

        def build(engines: Engines, first: Any) -> None:
            self.begun.set()
            assert self.go.wait(60)
            real(engines, first)

        monkeypatch.setattr(Engines, "build", build)


def test_searches_and_writes_do_not_wait_for_an_engine(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        building = pool.submit(store.refresh)
        try:
            assert slow.begun.wait(60)
            vectors = synthetic_vectors(61)
            found, _ = pool.submit(store.search, vectors[:1], 3).result(30)
            assert found.shape == (1, 3)
            assert store.info()["serving"] == "exact"
            added = add(store, vectors[60])
            ids, distances = pool.submit(store.search, vectors[60:61], 1).result(30)
            assert ids.item() == added
            assert distances.item() == pytest.approx(0, abs=1e-3)
            pool.submit(store.refresh).result(30)  # another one has nothing to wait for
            assert not building.done()
        finally:
            slow.go.set()
        building.result(60)
    assert store.info()["serving"] == "faiss:HNSW8"
    ids, _ = store.search(vectors[60:61], 1)
    assert ids.item() == added  # what came meanwhile is found behind the engine


def add(store: SqliteStore, vector: Any) -> int:
    """Write one more item and return its id."""
    before = set(ids_of(store))
    store.write(Batch(puts=[synthetic_put(60, vector)]))
    (added,) = set(ids_of(store)) - before
    return added


def ids_of(store: SqliteStore) -> list[int]:
    return [item.id for item in store.items()]
