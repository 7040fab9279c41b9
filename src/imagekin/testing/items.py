"""What every store must make of items; part of ``imagekin.testing.stores``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from imagekin.store.base import Batch, as_text, dump_metadata
from imagekin.store.filters import Compare, In, Meta, Under
from imagekin.testing.oracle import (
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

HOSTILE: Final = (
    "/p/it's.jpg",
    '/p/"quoted".jpg',
    "/p/'); DROP TABLE item; --.jpg",
    "/p/100%_of[them]*?.jpg",
    "/p/new\nline\ttab\x01\x1b[31m.jpg",
    "/p/not-utf8-\udcff\udc80.jpg",
    "/p/\u202egpj.exe",
    "/p/e\u0301 and \u00e9.jpg",
    "/p/ space at both ends .jpg ",
    "/p/\U0001f408.jpg",
    "/p/" + "long" * 60 + ".jpg",
    "/p/$.a.b",
)
"""Paths that broke programs before: quotes, SQL, wildcards, controls, bytes that are not UTF-8, bidi, Unicode forms."""


def check_puts(open_store: Opener) -> None:
    """Everything that is put comes back, by path, by id, by content, and in pages; vectors to half precision."""
    with Opened(open_store, "puts") as store:
        puts = filled(store, 30, label="cat", metadata='{"iso": 100, "lens": "50 mm"}')
        rows = store.lookup([put.file.path for put in puts] + ["/nowhere"])
        expect(set(rows) == {put.file.path for put in puts}, "lookup does not give the paths that were put")
        for put in puts:
            row = rows[put.file.path]
            mine = (row.size, row.mtime_ns, row.hash, row.width, row.height, row.label, row.metadata, row.device)
            want = (put.file.size, put.file.mtime_ns, put.hash, put.width, put.height, put.label, put.metadata, 1)
            expect(mine == want and not row.missing, f"{mine} came back for {want}")
        ids, vectors = store.vectors()
        expect(ids.tolist() == sorted(row.id for row in rows.values()), "vectors are not given by id")
        known_ids, given = known(store, puts)
        expect(float(np.abs(vectors - given).max()) <= 2**-11, "vectors are farther off than half precision")
        order = [int(number) for number in known_ids[[7, 3, 3, 20]]]
        expect(store.vectors(order)[0].tolist() == order, "vectors(ids) are not in the order asked")
        expect([item.id for item in store.get(order)] == order, "get(ids) is not in the order asked")
        item = store.get(order[:1])[0]
        expect(dict(item.metadata) == {"iso": 100, "lens": "50 mm"}, f"metadata came back as {item.metadata}")
        pages = [item.id for after in (0, ids[12]) for item in store.items(after=int(after), limit=13)]
        expect(pages == ids[:26].tolist(), "pages of items are not by id")
        twin = store.find(puts[4].hash)
        expect(twin is not None and twin[0].path == puts[4].file.path, "find does not give the item with this content")
        expect(twin is not None and bool(np.allclose(twin[1], puts[4].vector, atol=1e-3)), "find gave another vector")
        refuses(partial(store.get, [10**6]), "get gave an item that does not exist")
        refuses(partial(store.vectors, [10**6]), "vectors gave an item that does not exist")


def check_updates(open_store: Opener) -> None:
    """A put with an id, or at a known path, changes that item; touches and relabels leave the vector alone."""
    with Opened(open_store, "updates") as store:
        puts = filled(store, 10)
        numbers = [store.lookup([put.file.path])[put.file.path].id for put in puts]
        other = synthetic_vectors(3, seed=9)
        moved = replace(puts[0], file=FileInfo("/moved.jpg", 5, 6), id=numbers[0], vector=other[0])
        again = replace(puts[1], vector=other[1], width=7)
        store.write(Batch(puts=[moved, again]))
        expect(store.count() == 10, f"updating two of ten items made {store.count()}")
        expect(store.lookup(["/moved.jpg"])["/moved.jpg"].id == numbers[0], "a moved item has another id")
        expect(store.lookup([puts[0].file.path]) == {}, "a moved item is still known at its old path")
        expect(store.get([numbers[1]])[0].width == 7, "a put at a known path did not change the item")
        touched = FileInfo(puts[2].file.path, 77, 88, 99)
        store.write(Batch(touches=[(numbers[2], touched)], relabels=[(numbers[3], "dog", '{"a": 1}')]))
        row = store.lookup([touched.path])[touched.path]
        expect((row.size, row.mtime_ns, row.device) == (77, 88, 99), "a touch did not change size, date and device")
        item = store.get([numbers[3]])[0]
        expect((item.label, dict(item.metadata)) == ("dog", {"a": 1}), "a relabel did not change label and metadata")
        now = [moved, again, *puts[2:]]
        expect_nearest(store, np.concatenate([other, puts[2].vector[None]]), 10, None, known(store, now))


def check_absence(open_store: Opener) -> None:
    """Missing items are not found but known, and return; removed ones are gone, and their ids are never used again."""
    with Opened(open_store, "absence") as store:
        puts, queries = filled(store, 20), synthetic_vectors(2, seed=5)
        ids = known(store, puts)[0].tolist()
        store.write(Batch(missing=ids[:5]))
        expect(
            (store.count(), store.count(missing=True), store.count(missing=None)) == (15, 5, 20), "missing miscounted"
        )
        expect_nearest(store, queries, 20, None, known(store, puts, ids[5:]))
        expect(store.vectors()[0].tolist() == ids[5:], "vectors() gives missing items")
        expect(sum(each.missing for each in store.known(None)) == 5, "known() does not tell which are missing")
        expect([item.id for item in store.items()] == ids[5:], "items() gives missing items unasked")
        missing = [item.id for item in store.items(Compare("missing", "==", True))]
        expect(missing == ids[:5], "items() does not give the missing items to who asks for them")
        store.write(Batch(returned=ids[:2], removed=ids[18:]))
        expect_nearest(store, queries, 20, None, known(store, puts, ids[:2] + ids[5:18]))
        expect(store.found(ids[18:]) == {}, "removed items are still found")
        expect(store.remove(In("id", (ids[17], ids[2]))) == 2, "remove did not count a present and a missing item")
        store.write(Batch(puts=[synthetic_put(99, queries[0])]))
        fresh = known(store, [synthetic_put(99, queries[0])])[0][0]
        expect(fresh > max(ids), f"the id {fresh} was given a second time")
        store.write(Batch(puts=[replace(puts[19], id=ids[19])]))  # put by somebody who does not know that it is gone
        back = store.lookup([puts[19].file.path])[puts[19].file.path].id
        expect(back > fresh, f"the id {back} of a removed item was given to another")
        expect(store.remove(None) == 18 and store.count(missing=None) == 0, "remove(None) left something")
        store.write(Batch(puts=puts[:1]))
        expect(store.vectors()[0][0] > back, "an id was given again after everything was removed")


def check_hostile(open_store: Opener) -> None:
    """Names and labels are data: none of them is taken for a command, a pattern or another name."""
    with Opened(open_store, "hostile") as store:
        store.claim(embedder())
        puts = [
            synthetic_put(n, vector, file=FileInfo(path, 1, 1), label=path.rpartition("/")[2].replace(".jpg", ""))
            for n, (path, vector) in enumerate(zip(HOSTILE, synthetic_vectors(len(HOSTILE)), strict=True))
        ]
        store.write(Batch(puts=puts))
        rows = store.lookup(list(HOSTILE))
        expect(set(rows) == set(HOSTILE), f"{set(HOSTILE) - set(rows)} cannot be looked up")
        for put in puts:
            number = rows[put.file.path].id
            label = as_text(str(put.label))
            expect(
                rows[put.file.path].label == label, f"the label {label!r} came back as {rows[put.file.path].label!r}"
            )
            expect(store.get([number])[0].path == put.file.path, f"{put.file.path!r} came back changed")
            for condition in (Compare("label", "==", put.label), Under((put.file.path,)), In("label", (put.label,))):
                expect([item.id for item in store.items(condition)] == [number], f"{condition} finds something else")
        expect(store.count(Under(("/p",))) == len(puts), "not every hostile name lies under its folder")
        expect(store.remove(Compare("label", "==", "' or 1=1 --")) == 0, "a label was taken for a command")


def check_columns(open_store: Opener) -> None:
    """The metadata columns are those that an item has, and one that is called like a field is told from it."""
    with Opened(open_store, "columns") as store:
        store.claim(embedder())
        vectors = synthetic_vectors(2)
        extra = dump_metadata({"price": 5, "camera model": "x", "width": 1})
        store.write(Batch(puts=[synthetic_put(0, vectors[0], metadata=extra), synthetic_put(1, vectors[1])]))
        expect(store.columns() == {"price", "camera model", "width"}, f"the columns are {store.columns()}")
        expect(store.columns(["price", "height"]) == {"price"}, "a column that no item has is known")
        expect(store.count(Compare(Meta("width"), "==", 1)) == 1, "a column called like a field is not found")
        store.remove(Compare("price", "==", 5))
        expect(store.columns() == set(), "the columns of a removed item stay")


CHECKS: Final[tuple[Callable[[Opener], None], ...]] = (
    check_puts,
    check_updates,
    check_absence,
    check_hostile,
    check_columns,
)
