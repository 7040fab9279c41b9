"""What every store must do.

    from imagekin.testing.stores import check_store

    def test_mine() -> None:
        check_store(lambda name: MyStore(f"my://localhost/{name}"))

The function opens the collection called *name*, which is made when it is absent; two calls with one name are two
handles on one collection.  Each check uses names of its own and raises AssertionError with a sentence that says what
was wrong.  Vectors are synthetic, so nothing is read or downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from imagekin.errors import MismatchError
from imagekin.store.base import Batch
from imagekin.testing import items, reduced, searching, spaces, tagged
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
from imagekin.types import FileInfo


def check_store(open_store: Opener) -> None:
    """Run every check.

    Raises:
        AssertionError: a check failed; the message says which and why.
    """
    for check in CHECKS:
        check(open_store)


def check_empty(open_store: Opener) -> None:
    """A new collection has nothing in it and says so, before and after it is tied to a model."""
    with Opened(open_store, "empty") as store:
        for step in range(2):
            expect((store.count(), store.count(missing=None)) == (0, 0), "a new collection is not empty")
            expect(store.items() == [] and store.found([1]) == {}, "a new collection has items")
            expect(store.lookup(["/a"]) == {} and store.find(b"0" * 16) is None, "a new collection knows a file")
            expect(list(store.known(None)) == [] and list(store.skips()) == [], "a new collection remembers files")
            ids, distances = store.search(np.ones((2, DIM)), 3)
            expect(ids.tolist() == [[-1] * 3] * 2 and np.isinf(distances).all(), "an empty collection gave hits")
            expect(store.check() == [], f"a new collection has faults: {store.check()}")
            if not step:
                store.claim(embedder())
        expect(store.dim == DIM, f"dim is {store.dim} after a model of {DIM} was claimed")
        expect(store.vectors()[1].shape == (0, DIM), f"an empty collection gave vectors {store.vectors()[1].shape}")


def check_revision(open_store: Opener) -> None:
    """Every kind of write raises the revision; reading does not."""
    with Opened(open_store, "revision") as store:
        puts = filled(store, 3)
        ids = known(store, puts)[0].tolist()
        batches = [Batch(missing=ids[:1]), Batch(returned=ids[:1]), Batch(relabels=[(ids[0], "x", None)])]
        batches += [
            Batch(touches=[(ids[0], puts[0].file)]),
            Batch(removed=ids[:1]),
            Batch(skips=[(puts[0].file, "no")]),
        ]
        for batch in batches:
            before = store.revision
            store.search(puts[1].vector[None], 2)
            expect(store.revision == before, "reading changed the revision")
            store.write(batch)
            expect(store.revision > before, f"the revision stays {before} after {batch}")
        before = store.revision
        store.remove(None)
        expect(store.revision > before, "the revision stays the same after remove")


def check_memory(open_store: Opener) -> None:
    """Settings, folders and files that cannot be indexed are remembered by the next handle."""
    with Opened(open_store, "memory") as store:
        filled(store, 1)
        store.set({"number": 1, "text": "\u00fc'\"", "list": [1, None, {"a": 2.5}]})
        store.set_root("/p/\udcff", "parent")
        bad = FileInfo("/p/broken\udcff.jpg", 3, 4)
        store.write(Batch(skips=[(bad, "it is truncated")]))
    with Opened(open_store, "memory") as store:
        expect(store.settings()["text"] == "\u00fc'\"", "a setting came back changed")
        expect(store.settings()["list"] == [1, None, {"a": 2.5}], "a setting came back changed")
        expect(store.roots() == {"/p/\udcff": "parent"}, f"folders came back as {store.roots()}")
        expect(store.skipped([bad.path, "/x"]) == {bad.path: (3, 4, "it is truncated")}, "a skipped file is forgotten")
        expect([skip.path for skip in store.skips()] == [bad.path], "skips() does not list the skipped file")
        store.write(Batch(puts=[synthetic_put(5, synthetic_vectors(1)[0], file=bad)]))
        expect(list(store.skips()) == [], "a file that was indexed at last still counts as skipped")
        store.write(Batch(skips=[(bad, "it is gone"), (FileInfo("/q", -1, 0), "it is a pipe")]))
        store.write(Batch(unskips=[bad.path, "/never/skipped"]))
        expect([skip.path for skip in store.skips()] == ["/q"], "unskips did not forget just that file")
        store.set_root("/p", "none")
        store.forget_root("/p/\udcff")
        store.forget_root("/never/known")
        expect(store.roots() == {"/p": "none"}, f"forgetting a folder left {store.roots()}")
        expect(store.count() == 2, "forgetting a folder took its items along")


def check_whole(open_store: Opener) -> None:
    """A batch with a fault in it is refused, and nothing of it is written."""
    with Opened(open_store, "whole") as store:
        puts = filled(store, 5)
        before = store.revision
        nan, huge = puts[0].vector.copy(), puts[0].vector.copy()
        nan[3], huge[3] = np.nan, 1e9
        for vector in (nan, huge, puts[0].vector[:-1], puts[0].vector[None]):
            bad = synthetic_put(50, vector)
            refuses(
                partial(store.write, Batch(puts=[synthetic_put(49, puts[0].vector), bad])), "write took a bad vector"
            )
        expect((store.count(), store.revision) == (5, before), "something of a refused batch was written")
        expect_nearest(store, synthetic_vectors(2, seed=3), 5, None, known(store, puts))


def check_claim(open_store: Opener) -> None:
    """A collection with vectors belongs to the model that made them; an empty one may be given another."""
    with Opened(open_store, "claim") as store:
        store.claim(embedder("a", 8))
        store.claim(embedder())
        puts = filled(store, 2)
        refuses(partial(store.claim, embedder("b")), "claim took another model", MismatchError)
        store.claim(embedder())
        store.write(Batch(missing=known(store, puts)[0].tolist()))
        refuses(partial(store.claim, embedder("b")), "claim forgot the missing items", MismatchError)
    with Opened(open_store, "claim-race") as one, Opened(open_store, "claim-race") as two:
        one.claim(embedder("a"))
        filled(two, 2)
        refuses(
            partial(one.write, Batch(puts=[synthetic_put(9, synthetic_vectors(1)[0])])), "models mix", MismatchError
        )
        expect(two.count() == 2, "a picture of another model was written")


CHECKS: Final[tuple[Callable[[Opener], None], ...]] = (
    check_empty,
    check_revision,
    check_memory,
    check_whole,
    check_claim,
    *items.CHECKS,
    *searching.CHECKS,
    *reduced.CHECKS,
    *tagged.CHECKS,
    *spaces.CHECKS,
)
