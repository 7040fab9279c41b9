"""The default engine by size and dimension: ready when, how quick, how right, how much memory; and a fast mode.

Each phase is a process of its own (``python -m benchmarks.defaults JSON``), so that its memory can be watched.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import child, clusters, pictures, rounds
from benchmarks.truth import Truth, recall

Figures = dict[str, Any]

SIZES: Final = ("100000x256", "100000x1280", "500000x256", "1000000x1280")
SHARES: Final = (0.5, 0.1, 0.01, 0.001)
BLOCK: Final = 8_192
K: Final = 10
FAST_ROWS: Final = 200_000
"""Rows up to which the fast mode is compared: hnswlib takes minutes to build on more."""

FAST: Final = 0.95
"""The recall at which it is compared."""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", default=",".join(SIZES), help="rows x elements, by commas [%(default)s]")
    parser.add_argument("--queries", type=int, default=500, help="held-out queries")
    parser.add_argument("--rounds", type=int, default=5, help="of everything that takes turns")
    parser.add_argument("--collection", type=Path, help="a collection whose embeddings are imitated [made anew]")


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Every size in turn; what they leave on disk is removed."""
    base = _base(arguments, work)
    figures: Figures = {"base": base != "", "sizes": {}}
    for size in arguments.sizes.split(","):
        rows, dim = map(int, size.split("x"))
        folder = work / size
        folder.mkdir(parents=True)
        settings = {"folder": str(folder), "base": base, "rows": rows, "dim": dim,
                    "queries": arguments.queries, "rounds": arguments.rounds}  # fmt: skip
        phases = ["make", "build", "open", "search", "filters"] + ["fast"] * (rows <= FAST_ROWS)
        try:
            done = {name: child.module("defaults", {**settings, "phase": name}) for name in phases}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        figures["sizes"][size] = {name: each.answer for name, each in done.items()}
        peak = {name: round(max(each.anonymous, default=0.0)) for name, each in done.items()}
        figures["sizes"][size]["peak_anonymous_mib"] = peak
        print(f"  {size}: {json.dumps(figures['sizes'][size])}", flush=True)
    return figures


def _base(arguments: argparse.Namespace, work: Path) -> str:
    """The collection whose embeddings are imitated, or "" where there are no pictures."""
    if arguments.collection is not None:
        return str(arguments.collection.resolve())
    if arguments.images is None and not pictures.DEFAULT.is_dir():
        return ""
    return str(pictures.collection(pictures.folder(arguments.images), work / "collection"))


def make(settings: Figures) -> Figures:
    """Write the vectors as float16, block by block, with held-out queries and their true answers."""
    source = clusters.of_collection(Path(settings["base"])) if settings["base"] else clusters.made(settings["dim"])
    source = clusters.shortened(source, settings["dim"])
    queries = clusters.held_out(source, settings["queries"])
    truth = Truth(queries, K)
    with (Path(settings["folder"]) / "vectors").open("wb") as file:
        for _, vectors, _ in clusters.blocks(source, settings["rows"], BLOCK):
            truth.show(vectors)
            file.write(vectors.astype(np.float16).data)
    np.savez(Path(settings["folder"]) / "truth.npz", queries=queries, best=truth.best)
    return {"tenth_neighbour": rounds.significant(float(np.median(truth.best[:, -1])))}


def build(settings: Figures) -> Figures:
    """From mapped vectors to the first answer, and to a saved index."""
    from imagekin import index

    spec, reason = index.default(settings["rows"], settings["dim"])
    made, vectors = index.create(spec, settings["dim"]), _vectors(settings)
    begun = time.perf_counter()
    made.build(np.arange(len(vectors)), vectors, checked=True)
    ready = time.perf_counter() - begun
    made.save(_saved(settings), vectors=False)
    size = sum(path.stat().st_size for path in _saved(settings).iterdir())
    return {"spec": spec, "reason": reason, "ready_s": rounds.significant(ready),
            "saved_s": rounds.significant(time.perf_counter() - begun), "disk_bytes_a_row": round(size / len(vectors)),
            "tuned": str(getattr(made, "tuned", ""))}  # fmt: skip


def open_(settings: Figures) -> Figures:
    """Milliseconds to open the saved index, and private memory that it and a hundred searches took."""
    import faiss  # noqa: F401 - a process opens many things, and imports once

    queries, _ = _truth(settings)
    before, times = _private(), []
    for _ in range(settings["rounds"] + 1):
        begun = time.perf_counter()
        index = _opened(settings)
        times.append(time.perf_counter() - begun)
    opened = _private()
    for query in queries[:100]:
        index.search(query[None], K)
    return {"ms": rounds.spread(times[1:], 1000), "opened_mib": round(opened - before, 1),
            "searched_mib": round(_private() - before, 1)}  # fmt: skip


def search(settings: Figures) -> Figures:
    """Latency beside the exact scan, on all cores and on one; batches on one and on two cores; recall."""
    default, exact, (queries, _) = _opened(settings), _exact(settings), _truth(settings)
    figures: Figures = {"all_cores_ms": _latency(default, exact, queries)}
    with _one_core():
        figures["one_core_ms"] = _latency(default, exact, queries)
    for index in (default, exact):
        figures[f"recall@10 {index.engine}"] = _recall(settings, index.search(queries, K)[0])
    batch = np.tile(queries, (max(1, 2000 // len(queries)), 1))

    def alone() -> float:
        with _one_core():
            return rounds.timed(lambda: default.search(batch, K))()

    turns = {"one": alone, "all": rounds.timed(lambda: default.search(batch, K))}
    samples = rounds.interleaved(turns, settings["rounds"])
    figures["batch_queries_per_s"] = {name: rounds.spread([len(batch) / s for s in samples[name]]) for name in turns}
    figures["batch_scales"] = rounds.ratio(samples["one"], samples["all"])
    return figures


def filters(settings: Figures) -> Figures:
    """Recall and latency when a share of the rows is allowed, beside the unfiltered exact scan."""
    default, exact, (queries, _) = _opened(settings), _exact(settings), _truth(settings)
    queries, random, figures = queries[:100], np.random.default_rng(3), {}
    for share in SHARES:
        allow = np.sort(random.choice(settings["rows"], max(K, round(share * settings["rows"])), replace=False))
        true = exact.search(queries, K, allow=allow)[1][:, -1:] + 1e-5
        found = default.search(queries, K, allow=allow)[1]
        samples: rounds.Samples = {"filtered": [], "exact": []}
        for query in queries[:40]:
            samples["filtered"].append(rounds.timed(partial(default.search, query[None], K, allow=allow))())
            samples["exact"].append(rounds.timed(partial(exact.search, query[None], K))())
        figures[f"{100 * share:g} %"] = {
            "recall": rounds.significant(float((found <= true).mean())),
            "ms": {name: rounds.percentiles(times, 1000) for name, times in samples.items()},
        }
    return figures


def fast(settings: Figures) -> Figures:
    """Queries a second at recall 0.95: the default and the quickest engine, asked for no more, beside bare hnswlib."""
    from imagekin import index

    if not index.ENGINES["hnswlib"].installed():
        return {}
    queries, vectors = _truth(settings)[0], _vectors(settings)
    contestants: dict[str, Callable[[Any], Any]] = {"hnswlib, bare": _hnswlib(settings, vectors, queries)}
    spec = index.default(settings["rows"], settings["dim"])[0]
    for each in [f"{spec},recall={FAST}" * (spec != "exact"), f"symphonyqg(recall={FAST})", f"lorann(recall={FAST})"]:
        if each and index.ENGINES[index.parse(each)[0]].installed():
            made = index.create(each, settings["dim"])
            made.build(np.arange(len(vectors)), vectors, checked=True)
            contestants[each] = partial(_ids, made)
    batch = np.tile(queries, (max(1, 2000 // len(queries)), 1))
    singles = {name: lambda ask=ask: [ask(query[None]) for query in queries[:200]] for name, ask in contestants.items()}
    batches = {name: partial(ask, batch) for name, ask in contestants.items()}
    return {
        "recall": {name: _recall(settings, ask(queries)) for name, ask in contestants.items()},
        "singles": _rates(singles, 200, settings["rounds"]),
        "batches": _rates(batches, len(batch), settings["rounds"]),
    }


def _ids(index: Any, asked: Any) -> Any:
    return index.search(asked, K)[0]


def _rates(works: Mapping[str, Callable[[], object]], count: int, turns: int) -> Figures:
    """Queries a second of each, and how many times those of the first."""
    samples = rounds.interleaved({name: rounds.timed(work) for name, work in works.items()}, turns)
    first = next(iter(samples.values()))
    return {name: {"per_s": rounds.spread([count / each for each in times]), "times": rounds.ratio(first, times)}
            for name, times in samples.items()}  # fmt: skip


def _hnswlib(settings: Figures, vectors: Any, queries: Any) -> Callable[[Any], Any]:
    """The library itself at the least ef that reaches the recall; M and ef_construction are those of its README."""
    import hnswlib

    rows = vectors.astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    graph = hnswlib.Index("ip", settings["dim"])
    graph.init_index(len(rows), M=16, ef_construction=200)
    graph.add_items(rows, num_threads=os.cpu_count() or 1)

    def ask(asked: Any) -> Any:
        return graph.knn_query(asked, K, num_threads=1 if len(asked) == 1 else os.cpu_count() or 1)[0].astype(np.int64)

    for width in range(K, 1000, 2):
        graph.set_ef(width)
        if _recall(settings, ask(queries)) >= FAST:
            break
    return ask


def _latency(default: Any, exact: Any, queries: Any) -> Figures:
    """Milliseconds of one query of the default, one in ten of exact between them."""
    samples: rounds.Samples = {"default": [], "exact": []}
    for engine in (default, exact):
        engine.search(queries[:1], K)
    for number in range(len(queries)):
        samples["default"].append(rounds.timed(partial(default.search, queries[number : number + 1], K))())
        if number % 10 == 0:
            samples["exact"].append(rounds.timed(partial(exact.search, queries[number : number + 1], K))())
    return {name: rounds.percentiles(values, 1000) for name, values in samples.items()}


def _recall(settings: Figures, found: Any) -> float:
    (queries, best), vectors = _truth(settings), _vectors(settings)
    shares = []
    for at in range(0, len(queries), 50):
        lines = found[at : at + 50]
        stored = vectors[np.maximum(lines, 0).ravel()].astype(np.float32).reshape(*lines.shape, -1)
        shares.append(recall(queries[at : at + 50], lines, stored, best=best[at : at + 50]) * len(lines))
    return rounds.significant(math.fsum(shares) / len(queries))


def _vectors(settings: Figures) -> Any:
    shape = settings["rows"], settings["dim"]
    return np.memmap(Path(settings["folder"]) / "vectors", np.float16, "r", shape=shape)


def _truth(settings: Figures) -> tuple[Any, Any]:
    with np.load(Path(settings["folder"]) / "truth.npz") as data:
        return data["queries"], data["best"]


def _saved(settings: Figures) -> Path:
    return Path(settings["folder"]) / "index"


def _opened(settings: Figures) -> Any:
    from imagekin import index

    name, parameters = index.parse(index.default(settings["rows"], settings["dim"])[0])
    chunks = [(np.arange(settings["rows"]), _vectors(settings))]
    return index.ENGINES.load(name).open(_saved(settings), settings["dim"], chunks=chunks, **parameters)


def _exact(settings: Figures) -> Any:
    from imagekin import index

    exact = index.create("exact", settings["dim"])
    exact.build(np.arange(settings["rows"]), _vectors(settings), checked=True)
    return exact


def _private() -> float:
    return child.memory(os.getpid())[1]


@contextmanager
def _one_core() -> Iterator[None]:
    """Every thread of this process on one core; threads keep the cores that they were given at their start."""
    every = os.sched_getaffinity(0)
    _pin({min(every)})
    try:
        yield
    finally:
        _pin(every)


def _pin(cores: set[int]) -> None:
    for name in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(name), cores)


PHASES: Final[dict[str, Callable[[Figures], Figures]]] = {
    "make": make, "build": build, "open": open_, "search": search, "filters": filters, "fast": fast,
}  # fmt: skip

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(PHASES[given["phase"]](given)))
