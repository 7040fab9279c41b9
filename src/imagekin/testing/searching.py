"""What every store must answer to a search; part of ``imagekin.testing.stores``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from imagekin.store.base import MAX_K, Batch
from imagekin.store.filters import Filter, In, Under, parse
from imagekin.testing.oracle import (
    DIM,
    Opened,
    Opener,
    embedder,
    expect,
    expect_nearest,
    filled,
    fits,
    known,
    refuses,
    synthetic_put,
    synthetic_vectors,
)


def check_search(open_store: Opener) -> None:
    """Hits, distances, order, ties and padding are those of a slow loop."""
    with Opened(open_store, "search") as store:
        puts = filled(store, 300)
        puts += [synthetic_put(1000 + number, puts[number % 3].vector) for number in range(12)]  # ties
        store.write(Batch(puts=puts[300:]))
        queries = np.concatenate([synthetic_vectors(6, seed=1), puts[0].vector[None], 100 * puts[1].vector[None]])
        for k in (1, 10, 311, 312, 400):
            expect_nearest(store, queries, k, None, known(store, puts))
        tied, _ = store.search(puts[2].vector, 5)
        twins = [2, 1002, 1005, 1008, 1011]
        expect(
            tied[0].tolist() == known(store, [put for put in puts if put.width - 100 in twins])[0].tolist(), "tie order"
        )
        expect(store.search(np.empty((0, DIM)), 4)[0].shape == (0, 4), "no queries did not give no rows")


def check_filters(open_store: Opener) -> None:
    """A filter acts inside the search: k hits come back whenever k items fit, and they are the right ones."""
    with Opened(open_store, "filters") as store:
        puts = filled(store, 2000)
        for number, put in enumerate(puts):
            label = "half" if number % 2 else "tenth" if number % 10 == 0 else "rare" if number in (2, 1234) else None
            puts[number] = replace(put, label=label, height=number % 100)
        store.write(Batch(puts=puts))
        numbers = {put.file.path: row.id for put in puts for row in [store.lookup([put.file.path])[put.file.path]]}
        texts = ["label == 'half'", "label == 'tenth'", "height == 4", "label == 'rare'", "label == 'none of them'"]
        texts += ["label != 'half'", "label == None", "label in ('rare', 'tenth')", "not (height < 95 or width >= 900)"]
        texts += ["'/3/' in path and 100 < width <= 200", "pixels > 100000", "name == '000777.jpg'", "size < 1003.5"]
        texts += ["not label < 'm'", 'label == "\'; DROP TABLE item; --"', "date > '2001-01-01'", "id > 5 and id < 8"]
        conditions: list[Filter] = [*map(parse, texts), Under(("/pictures/2", "/pictures/3/000003.jpg", "/pict"))]
        conditions.append(In("id", (*range(10**6, 10**6 + 40_000), *tuple(numbers.values())[:1000:3])))
        conditions.append(Under(tuple(f"/pictures/{n}" for n in range(2, 3000, 2))))
        for condition in conditions:
            chosen = [numbers[put.file.path] for put in puts if fits(condition, put, numbers[put.file.path])]
            expect(
                store.count(condition) == len(chosen),
                f"{str(condition)[:200]} fits {store.count(condition)}, not {len(chosen)}",
            )
            kept = known(store, puts, chosen)
            expect_nearest(store, synthetic_vectors(2, seed=4), 20, condition, kept)
            pages = [item.id for item in store.items(condition, limit=3)]
            expect(pages == sorted(chosen)[:3], f"items({condition}) are {pages}")


def check_bad_queries(open_store: Opener) -> None:
    """A k out of range, another length, and what is not finite are refused."""
    with Opened(open_store, "bad-queries") as store:
        filled(store, 5)
        good, nan = np.ones((1, DIM)), np.full((1, DIM), np.nan)
        for k in (0, -1, MAX_K + 1):
            refuses(partial(store.search, good, k), f"search took k = {k}")
        for query in (nan, good * np.inf, good[:, 1:], np.ones((1, 1, DIM)), np.array([["a"] * DIM])):
            refuses(partial(store.search, query, 3), f"search took a query of {query.shape}, {query.dtype}")


def check_handles(open_store: Opener) -> None:
    """Two handles on one collection see each other's model, items, changes and removals at once."""
    with Opened(open_store, "handles") as one, Opened(open_store, "handles") as two:
        queries = synthetic_vectors(2, seed=2)
        expect(two.search(queries, 1)[0].tolist() == [[-1], [-1]], "an empty collection gave hits")
        puts = filled(one, 40)
        for mine, other in ((one, two), (two, one)):
            expect_nearest(other, queries, 50, None, known(other, puts))
            expect(other.revision == mine.revision and other.dim == DIM, "a handle lags behind the other")
            more = synthetic_put(500 + len(puts), queries[0])
            gone = puts.pop(0)
            mine.write(Batch(puts=[more], removed=[mine.lookup([gone.file.path])[gone.file.path].id]))
            puts.append(more)
            expect_nearest(other, queries, 50, None, known(other, puts))
        two.claim(embedder())
        two.refresh()
        expect_nearest(one, queries, 50, None, known(one, puts))


def check_refresh(open_store: Opener) -> None:
    """``refresh`` changes no answer, whenever it is called; ``check`` finds no fault; ``info`` is plain data."""
    with Opened(open_store, "refresh") as store:
        store.refresh()
        puts, queries = filled(store, 700), synthetic_vectors(3, seed=8)
        for step in range(4):
            expect_nearest(store, queries, 30, None, known(store, puts))
            store.refresh()
            expect_nearest(store, queries, 30, None, known(store, puts))
            more = [
                synthetic_put(1000 * (step + 1) + n, v) for n, v in enumerate(synthetic_vectors(200, seed=step + 20))
            ]
            more.append(replace(puts[step], vector=synthetic_vectors(1, seed=step + 60)[0]))
            store.write(Batch(puts=more))
            puts = [put for put in puts if put.file.path != puts[step].file.path] + more
        expect(store.check() == [], f"check finds {store.check()}")
        info = store.info()
        expect((info["images"], info["missing"], info["skipped"]) == (len(puts), 0, 0), f"info says {info}")


def check_threads(open_store: Opener) -> None:
    """Eight threads search while one writes: every answer has k hits, each item once, ascending."""
    with Opened(open_store, "threads") as store:
        puts, queries = filled(store, 600), synthetic_vectors(4, seed=6)

        def search(number: int) -> None:
            for _ in range(8):
                ids, distances = store.search(queries[number % 4], 600)
                expect(len(set(ids[0].tolist()) - {-1}) == 600, "an item is lost while others are written")
                expect(bool((np.diff(distances[0]) >= 0).all()), "distances are not ascending while others are written")

        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(search, number) for number in range(8)]
            while not all(each.done() for each in running):
                store.write(Batch(puts=puts[:100]))  # the same pictures anew, so that there are always 600
            for each in running:
                each.result()
        expect_nearest(store, queries, 10, None, known(store, puts))


CHECKS: Final[tuple[Callable[[Opener], None], ...]] = (
    check_search,
    check_filters,
    check_bad_queries,
    check_handles,
    check_refresh,
    check_threads,
)
