"""What an adapter adds to its library: ``Index.search`` and the library's own call, in turns on the same structure."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clusters, rounds
from imagekin.index import ENGINES, Index, create
from imagekin.index.best import rescored
from imagekin.index.tuned import Tuned
from imagekin.types import Vectors

Bare = Callable[[Vectors], Any]
"""One call of the library for queries ``(q, dim)`` of length 1; what it returns is not looked at."""

Figures = dict[str, Any]

K = 10
WARM = 30
TURNS = 9


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=400, help="queries asked one by one")
    parser.add_argument("--batch", type=int, default=1000, help="queries of a batch")
    parser.add_argument("--rounds", type=int, default=7, help="batches")
    parser.add_argument("--engines", default=",".join(LIBRARIES), help="names, separated by commas")


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Each engine in turn: build, then single queries and batches, the library and the adapter query by query."""
    source = clusters.made(arguments.dim)
    rows = np.concatenate([part for _, part, _ in clusters.blocks(source, arguments.rows, 10_000)])
    queries = clusters.held_out(source, max(arguments.queries + WARM, arguments.batch))
    found: Figures = {}
    for name in arguments.engines.split(","):
        if not ENGINES[name].installed():
            found[name] = {"missing": True}
            continue
        index = create(f"{name}:recall=0.9{'' if name == 'turbovec' else ',threads=1'}", arguments.dim)
        index.build(np.arange(len(rows)), rows, checked=True)
        if isinstance(index, Tuned) and index.tuned.hopeless:  # it answers by the exact scan
            found[name] = {"exact": True}
            continue
        found[name] = measured(index, LIBRARIES[name](index), queries, arguments)
        print(f"  {name}: {found[name]['added_us']['median']} us", flush=True)
    return {"rows": arguments.rows, "dim": arguments.dim, "batch": arguments.batch, "engines": found}


def measured(index: Index, bare: Bare, queries: Vectors, arguments: argparse.Namespace) -> Figures:
    """Latencies, what the adapter adds to one query, and its batches' time as a multiple of the library's."""
    singles = one_by_one(index, bare, queries[: arguments.queries + WARM])
    names = ("adapter", "library", "rerank")
    added = [whole - own - again for whole, own, again in zip(*(singles[name] for name in names), strict=True)]
    batch = np.ascontiguousarray(queries[: arguments.batch])
    again = reranking(index, batch)
    contestants = {
        "adapter": rounds.timed(lambda: index.search(batch, K)),
        "library": rounds.timed(lambda: bare(batch)),
        "rerank": rounds.timed(again),
    }
    batches = rounds.interleaved(contestants, arguments.rounds)
    without = [whole - again for whole, again in zip(batches["adapter"], batches["rerank"], strict=True)]
    return {
        "us": {name: rounds.percentiles(figures, 1e6) for name, figures in singles.items()},
        "added_us": rounds.spread(added, 1e6),
        "batch_times": rounds.ratio(without, batches["library"]),
        "queries_per_s": rounds.significant(len(batch) / float(np.median(batches["adapter"]))),
    }


def one_by_one(index: Index, bare: Bare, queries: Vectors) -> rounds.Samples:
    """Seconds a query, the least of some turns: what else the machine does is in the others.

    The contestants' order turns, so that nobody always finds the rows in the cache.
    """
    samples: rounds.Samples = {}
    for number, query in enumerate(queries):
        asked = query[None].copy()
        work: dict[str, Callable[[], object]] = {
            "adapter": lambda asked=asked: index.search(asked, K),  # type: ignore[misc]
            "library": lambda asked=asked: bare(asked),  # type: ignore[misc]
            "rerank": reranking(index, asked),
        }
        names, least = list(work), dict.fromkeys(work, math.inf)
        for turn in range(number, number + TURNS):
            for name in names[turn % 3 :] + names[: turn % 3]:
                begun = time.perf_counter()
                work[name]()
                least[name] = min(least[name], time.perf_counter() - begun)
        if number >= WARM:
            for name, seconds in least.items():
                samples.setdefault(name, []).append(seconds)
    return samples


def reranking(index: Index, queries: Vectors) -> Callable[[], object]:
    """The part of a search that is re-ranking by the stored vectors, which the library's own call has not."""
    factor = index._rerank()
    if not factor:
        return lambda: None
    found = np.random.default_rng(0).integers(0, len(index), (len(queries), K * factor))
    return lambda: rescored(index._rows, queries, found, K, index.metric)


def width(index: Tuned) -> int:
    return int(index._now.for_hits(K) or 0)


def fetched(index: Index) -> int:
    """Hits that the adapter asks its library for."""
    return K * max(1, index._rerank())


def _annoy(index: Any) -> Bare:
    def ask(queries: Vectors) -> Any:
        return [index._index.get_nns_by_vector(query, K, width(index), True) for query in queries]

    return ask


def _hnswlib(index: Any) -> Bare:
    return lambda queries: index._index.knn_query(queries, K, num_threads=1)


def _ngt(index: Any) -> Bare:
    # not its batch search, whose threads disturb each other
    return lambda queries: [
        index._index.search(query, fetched(index), index._now.width, with_distance=False) for query in queries
    ]


def _nmslib(index: Any) -> Bare:
    return lambda queries: (
        index._index.knnQuery(queries[0], K)
        if len(queries) == 1
        else index._index.knnQueryBatch(queries, K, num_threads=1)
    )


def _usearch(index: Any) -> Bare:
    return lambda queries: index._index.search(queries, fetched(index), threads=1)


def _voyager(index: Any) -> Bare:
    return lambda queries: index._index.query(queries, K, 1, width(index))


def _pynndescent(index: Any) -> Bare:
    return lambda queries: index._index.query(queries, k=fetched(index), epsilon=index._now.width)


def _scann(index: Any) -> Bare:
    def ask(queries: Vectors) -> Any:
        candidates = K * index._now.rerank
        return index._index.search_batched(queries, K, candidates, index._visited(candidates, width(index)), False, 256)

    return ask


def _symphonyqg(index: Any) -> Bare:
    return lambda queries: index._index.search_batch(queries, K, width(index), 1)


def _rabitq(index: Any) -> Bare:
    def ask(queries: Vectors) -> Any:
        hits = fetched(index)
        return index._index.search(queries, hits, index._visited(hits, width(index)), num_threads=1)

    return ask


def _glass(index: Any) -> Bare:
    def ask(queries: Vectors) -> Any:
        if len(queries) == 1:
            return index._index.search(queries[0], fetched(index))
        return index._index.batch_search(queries, fetched(index), 1)

    return ask


def _lorann(index: Any) -> Bare:
    def ask(queries: Vectors) -> Any:
        settings = {"return_distances": True, "n_threads": 1}
        candidates = K * index._now.rerank
        return index._index.search(queries, K, index._visited(candidates, width(index)), candidates, **settings)

    return ask


def _svs(index: Any) -> Bare:
    return lambda queries: index._index.search(queries, fetched(index))


def _turbovec(index: Any) -> Bare:
    return lambda queries: index._index.search(queries, fetched(index))


LIBRARIES: dict[str, Callable[[Any], Bare]] = {
    "annoy": _annoy,
    "hnswlib": _hnswlib,
    "ngt": _ngt,
    "nmslib": _nmslib,
    "usearch": _usearch,
    "voyager": _voyager,
    "pynndescent": _pynndescent,
    "scann": _scann,
    "symphonyqg": _symphonyqg,
    "rabitq-ivf": _rabitq,
    "pyglass-portable": _glass,
    "lorann": _lorann,
    "scalable-vs": _svs,
    "turbovec": _turbovec,
}
"""How each library is asked for 10 hits by whoever uses it without an adapter, at the adapter's own settings."""
