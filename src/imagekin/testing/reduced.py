"""What a store must answer when vectors go through a reducer; part of ``imagekin.testing.stores``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from imagekin.errors import MismatchError, UnsupportedError
from imagekin.reduce.base import Reducer
from imagekin.reduce.pca import WhitenedPCA
from imagekin.reduce.random import RandomProjection
from imagekin.store.base import Batch, Store
from imagekin.store.filters import In
from imagekin.testing.oracle import (
    DIM,
    Opened,
    Opener,
    embedder,
    expect,
    expect_nearest,
    filled,
    known,
    refuses,
    synthetic_put,
    synthetic_vectors,
)
from imagekin.types import Vectors

QUERIES: Final = synthetic_vectors(3, seed=31)


def check_candidates(open_store: Opener) -> None:
    """Behind a reducer that keeps distances, hits have their true ones; what is written later is found at once."""
    with Opened(open_store, "candidates") as store:
        puts = filled(store, 700)
        if not _reduces(store, RandomProjection().fit(synthetic_vectors(2)), rows=700):
            return
        for _ in range(2):
            expect_nearest(store, QUERIES, 10, None, known(store, puts))
            store.refresh()
        puts += [synthetic_put(5000 + number, vector) for number, vector in enumerate(synthetic_vectors(9, seed=8))]
        store.write(Batch(puts=puts[700:]))
        gone = known(store, puts[:20])[0].tolist()
        store.write(Batch(removed=gone))
        with Opened(open_store, "candidates") as other:
            for handle in (store, other):
                expect_nearest(handle, QUERIES, 10, None, known(store, puts))
                few = known(store, puts[20:60])
                expect_nearest(handle, QUERIES, 50, In("id", tuple(few[0].tolist())), few)
            says = other.settings()["reduce"]
        told = {name: says[name] for name in ("spec", "dim", "rows")}
        expect(told == {"spec": "random", "dim": DIM, "rows": 700}, f"settings tell {told} of the reducer")
        store.reduce(None)
        expect(store.settings().get("reduce") is None, "a reducer that was taken away is still told")
        expect_nearest(store, QUERIES, 10, None, known(store, puts))


def check_space(open_store: Opener) -> None:
    """Behind a reducer that states a space of its own, distances are those of that space, filtered or not."""
    with Opened(open_store, "space") as store:
        puts = filled(store, 300)
        reducer = WhitenedPCA(5).fit(synthetic_vectors(300) * np.geomspace(1, 30, DIM, dtype=np.float32))
        if not _reduces(store, reducer):
            return
        for _ in range(2):
            expect_in(store, reducer, QUERIES, list(range(300)))
            store.refresh()
        puts.append(synthetic_put(6000, QUERIES[0]))
        store.write(Batch(puts=puts[300:]))
        ids, distances = store.search(QUERIES[:1], 1)
        expect(ids[0, 0] == known(store, puts[300:])[0][0] and distances[0, 0] < 1e-3, "a new picture is not found")
        expect_in(store, reducer, QUERIES, list(range(20, 60)))


def check_mismatch(open_store: Opener) -> None:
    """A reducer for other vectors is refused, and the collection stays as it was; another model takes it away."""
    with Opened(open_store, "mismatch") as store:
        store.claim(embedder())
        if not _reduces(store, RandomProjection(4).fit(synthetic_vectors(2))):
            return
        before = store.settings()["reduce"]
        longer = RandomProjection(4).fit(synthetic_vectors(2, dim=DIM + 1))
        refuses(partial(store.reduce, longer), "a reducer for longer vectors was taken", MismatchError)
        expect(store.settings()["reduce"] == before, "a reducer that was refused changed the settings")
        store.claim(embedder("synthetic-2"))
        expect(store.settings().get("reduce") is None, "the reducer of another model stayed")


def expect_in(store: Store, reducer: Reducer, queries: Vectors, places: list[int]) -> None:
    """Check that the hits among the synthetic pictures at *places* are the nearest in the reducer's own space."""
    puts = [synthetic_put(number, vector) for number, vector in enumerate(synthetic_vectors(300))]
    ids, vectors = known(store, [puts[place] for place in places])
    found, distances = store.search(queries, 10, In("id", tuple(ids.tolist())))
    short, asked = (reducer.transform(each).astype(np.float64) for each in (vectors.astype(np.float16), queries))
    short, asked = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (short, asked))
    gaps = 1 - asked @ short.T
    right = np.sort(gaps, axis=1)[:, :10]
    expect(bool(np.allclose(distances, right, atol=2e-3)), f"distances {distances[0]} are not those of the space")
    mine = np.take_along_axis(gaps, np.searchsorted(ids, found), axis=1)
    expect(bool(np.allclose(mine, distances, atol=2e-3)), "hits are not the items at these distances")


def _reduces(store: Store, reducer: Reducer, **facts: int) -> bool:
    """Whether the store can reduce vectors at all; a store may not."""
    try:
        store.reduce(reducer, facts)
    except UnsupportedError:
        return False
    return True


CHECKS: Final[tuple[Callable[[Opener], None], ...]] = (check_candidates, check_space, check_mismatch)
