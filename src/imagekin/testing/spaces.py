"""What a store must make of further models, if it takes them; part of ``imagekin.testing.stores``.

A store that holds the vectors of one model raises ``UnsupportedError`` from ``space``, and nothing more is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from imagekin.errors import MismatchError, UnsupportedError
from imagekin.store.base import Batch, Made, Store
from imagekin.store.filters import In, Under
from imagekin.testing.oracle import (
    Opened,
    Opener,
    embedder,
    expect,
    expect_nearest,
    filled,
    known,
    refuses,
    synthetic_vectors,
)
from imagekin.types import Ids, Vectors

SECOND: Final = embedder("synthetic-2", 9)
QUERIES: Final = synthetic_vectors(2, seed=78, dim=9)


def completed(store: Store, seed: int = 5, *, force: bool = False) -> None:
    """Give every item that a further model lacks a vector that follows from its content."""
    store.complete([Made(row.id, row.hash, made_of(row.hash, seed)) for row in store.lacking(force=force)])


def made_of(content: bytes, seed: int = 5) -> Vectors:
    """The vector ``(9,)`` of this content."""
    made: Vectors = synthetic_vectors(1, seed=seed + int.from_bytes(content[-4:], "big"), dim=9)[0]
    return made


def holdings(store: Store, seed: int = 5) -> tuple[Ids, Vectors]:
    """Ids and vectors that a further model should have now, if nothing is lacking: those of the present items."""
    rows = [row for row in store.whole.known(None) if not row.missing]
    ids = np.array([row.id for row in rows], np.int64)
    return ids, np.array([made_of(row.hash, seed) for row in rows]).reshape(len(rows), 9)


def check_further_models(open_store: Opener) -> None:
    """A further model has vectors, settings and answers of its own, of the same items; the first one is not moved."""
    with Opened(open_store, "models") as store, Opened(open_store, "models") as other:
        puts = filled(store, 20)
        if (second := _second(store)) is None:
            return
        refuses(partial(second.search, QUERIES, 3), "a model that the collection lacks was searched", MismatchError)
        refuses(second.vectors, "a model that the collection lacks gave vectors", MismatchError)
        second.claim(SECOND)
        expect([each["fingerprint"] for each in store.spaces()] == ["synthetic-1", "synthetic-2"], "spaces are wrong")
        expect(len(list(second.lacking())) == 20 and second.count() == 0, "a model without vectors has items")
        completed(second)
        expect(not list(second.lacking()) and second.count() == 20, "items lack a vector that was written")
        for each in (second, other.space(SECOND)):
            expect((each.dim, each.whole.dim) == (9, store.dim), "a model's length is not its own")
            expect_nearest(each, QUERIES, 5, None, holdings(each))
            expect_nearest(each, QUERIES, 5, Under(("/pictures/3",)), _under(each, "/pictures/3"))
        second.set({"engine": "exact", "mine": 1})
        expect(
            store.settings().get("engine") is None and store.settings()["mine"] == 1,
            "settings are not where they belong",
        )
        expect_nearest(store, synthetic_vectors(2, seed=77), 5, None, known(store, puts))
        expect(store.check() == [], f"further models make faults: {store.check()}")


def check_items_of_all_models(open_store: Opener) -> None:
    """What happens to items happens for every model; content that changed leaves no vector of what it was."""
    with Opened(open_store, "items-of-models") as store:
        puts = filled(store, 20)
        if (second := _second(store)) is None:
            return
        second.claim(SECOND)
        completed(second)
        ids = known(store, puts)[0].tolist()
        changed = replace(puts[0], hash=(900).to_bytes(16, "big"), id=ids[0])
        moved = replace(puts[1], file=replace(puts[1].file, path="/moved.jpg"), id=ids[1])
        stale = [Made(ids[0], puts[0].hash, made_of(puts[0].hash)), Made(10**6, b"0" * 16, made_of(b"0" * 16))]
        store.write(Batch(puts=[changed, moved], removed=ids[2:4], missing=ids[4:6]))
        expect([row.id for row in second.lacking()] == ids[:1], "just the changed item should lack a vector")
        expect(second.count() == 15, f"a model has {second.count()} items instead of 15")
        second.complete(stale)
        expect([row.id for row in second.lacking()] == ids[:1], "a vector of other content, or of no item, was taken")
        completed(second)
        expect_nearest(second, QUERIES, 20, None, holdings(second))
        store.write(Batch(returned=ids[4:6]))
        expect_nearest(second, QUERIES, 20, None, holdings(second))
        expect(second.remove(In("id", tuple(ids[6:8]))) == 2 and store.count() == 16, "remove through a model is wrong")
        completed(second, seed=6, force=True)
        expect_nearest(second, QUERIES, 20, None, holdings(second, 6))
        second.refresh()
        expect_nearest(second, QUERIES, 20, None, holdings(second, 6))
        expect(second.tag(None, ["sea"]) == 16 and len(store.tags_of(ids)) == 16, "tags belong to the items of all")


def check_reasons(open_store: Opener) -> None:
    """What a model makes nothing of is not lacking, not found, and looked at again when its content changes."""
    with Opened(open_store, "reasons") as store:
        puts = filled(store, 6)
        if (second := _second(store)) is None:
            return
        second.claim(SECOND)
        first, *rest = second.lacking()
        second.complete([Made(first.id, first.hash, None, "no face in it.")])
        completed(second)
        expect((second.count(), len(list(second.lacking()))) == (len(rest), 0), "a reason does not count as looked at")
        refuses(partial(second.vectors, [first.id]), "a vector was given of what there is none of")
        store.write(Batch(puts=[replace(puts[0], hash=b"1" * 16, id=first.id)]))
        expect([row.id for row in second.lacking()] == [first.id], "changed content is not looked at again")


def check_withdrawal(open_store: Opener) -> None:
    """A further model can be taken out and added again; the first one cannot."""
    with Opened(open_store, "withdrawal") as store:
        filled(store, 6)
        if (second := _second(store)) is None:
            return
        second.claim(SECOND)
        completed(second)
        second.withdraw()
        expect(len(store.spaces()) == 1, "a model that was taken out is still there")
        refuses(partial(second.search, QUERIES, 3), "a model that was taken out was searched", MismatchError)
        refuses(store.withdraw, "the first model was taken out", UnsupportedError)
        again = store.space(SECOND)
        again.claim(SECOND)
        expect(len(list(again.lacking())) == 6, "a model that was added again has vectors of before")
        completed(again, seed=7)
        expect_nearest(again, QUERIES, 6, None, holdings(again, 7))


def check_claims(open_store: Opener) -> None:
    """Two handles that add one model share it, and a model with vectors is not given to another."""
    with Opened(open_store, "claims") as store, Opened(open_store, "claims") as other:
        filled(store, 6)
        if (second := _second(store)) is None:
            return
        third = other.space(SECOND)
        second.claim(SECOND)
        third.claim(SECOND)
        expect(len(store.spaces()) == 2, "one model was added twice")
        completed(second)
        expect(not list(third.lacking()), "two handles on one model are of two minds")
        refuses(
            partial(third.claim, embedder("synthetic-3", 9)), "a model's vectors were given to another", MismatchError
        )
        twice = store.space(embedder())
        expect(twice is store, "the first model is not the store itself")


def _second(store: Store) -> Store | None:
    """The store as another model sees it, or None where it takes only one."""
    try:
        return store.space(SECOND)
    except UnsupportedError:
        return None


def _under(store: Store, folder: str) -> tuple[Ids, Vectors]:
    ids, vectors = holdings(store)
    fit = [item.path.startswith(folder + "/") for item in store.whole.get(ids.tolist())]
    return ids[fit], vectors[fit]


CHECKS: Final[tuple[Callable[[Opener], None], ...]] = (
    check_further_models,
    check_items_of_all_models,
    check_reasons,
    check_withdrawal,
    check_claims,
)
