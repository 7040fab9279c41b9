"""A large collection: bytes on disk, time to open, exact and default latency, recall, building, memory.

Each phase is a process of its own (``python -m benchmarks.million JSON``), so that its memory can be watched.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import child, clusters, pictures, rounds
from benchmarks.truth import Truth, recall

Figures = dict[str, Any]

DIM: Final = 1280
BLOCK: Final = 8_192
BATCH: Final = 1_024
"""Rows of a transaction; ``index`` writes 128 pictures at a time, which is slower."""

K: Final = 10
MADE_LIKE: Final = ("made without pictures", "mixed from the embeddings of real pictures")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=500, help="held-out queries")
    parser.add_argument("--exact-queries", type=int, default=100, help="of them, to time the exact engine with")
    parser.add_argument("--opens", type=int, default=5, help="new processes that open the collection and search")


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """The phases in order; what they leave on disk is removed at the end."""
    folder = work / "million"
    settings = {
        "folder": str(folder),
        "base": _base(arguments, work),
        "rows": arguments.rows,
        "queries": arguments.queries,
        "exact_queries": arguments.exact_queries,
    }
    try:
        phases = {name: child.module("million", {**settings, "phase": name}) for name in ("write", "cache", "build")}
        figures: Figures = {"rows": arguments.rows, "dim": DIM, "base": MADE_LIKE[bool(settings["base"])]}
        figures |= {name: _with_memory(done) for name, done in phases.items()}
        figures["disk_bytes_an_image"] = disk(folder / "collection", arguments.rows)
        figures["open"] = opened(settings, arguments.opens)
        figures["search"] = _with_memory(child.module("million", {**settings, "phase": "search"}))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures


def _base(arguments: argparse.Namespace, work: Path) -> str:
    """The collection whose embeddings are imitated, or "" where there are no pictures."""
    if arguments.images is None and not pictures.DEFAULT.is_dir():
        return ""
    return str(pictures.collection(pictures.folder(arguments.images), work / "collection"))


def _with_memory(done: child.Run) -> Figures:
    memory = {"resident": round(done.peak), "anonymous": round(max(done.anonymous, default=0.0))}
    return {**done.answer, "peak_mib": memory}


def disk(folder: Path, rows: int) -> Figures:
    """Bytes an image of the database, the vector cache and the engine."""

    def size(pattern: str) -> float:
        return rounds.significant(sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file()) / rows)

    parts = {
        "database": size("collection.db*"),
        "vector cache": size("cache/vectors/*"),
        "engine": size("cache/engine-*/**/*"),
    }
    return {**parts, "all": rounds.significant(sum(parts.values()))}


def opened(settings: Figures, processes: int) -> Figures:
    """New processes that open the collection and answer one query: with the files in memory, and once without."""
    runs = [child.module("million", {**settings, "phase": "open"}) for _ in range(processes + 1)][1:]
    answers = [each.answer for each in runs]
    cold = child.module("million", {**settings, "phase": "open", "evict": True})
    return {
        "open_ms": rounds.spread([answer["open"] for answer in answers], 1000),
        "first_search_ms": rounds.spread([answer["first"] for answer in answers], 1000),
        "process_ms": rounds.spread([each.wall for each in runs], 1000),
        "from_disk": {name: rounds.significant(1000 * cold.answer[name]) for name in ("open", "first")},
        "anonymous_mib": rounds.spread([max(each.anonymous, default=0.0) for each in runs])["median"],
    }


# -- phases, each in its own process -----------------------------------------------------------------------------------


def write(settings: Figures) -> Figures:
    """Make the vectors block by block, keep the true answers, and write the rows through the store."""
    from imagekin import embed
    from imagekin.store import open_store

    source = _source(settings)
    queries = clusters.held_out(source, settings["queries"])
    truth, seconds = Truth(queries, K), 0.0
    store = open_store(Path(settings["folder"]) / "collection", create=True)
    embedder = embed.create()
    store.claim({**embedder.describe(), "spec": embedder.spec})
    for start, vectors, groups in clusters.blocks(source, settings["rows"], BLOCK):
        truth.show(vectors)
        begun = time.perf_counter()
        for at in range(0, len(vectors), BATCH):
            store.write(_batch(start + at, vectors[at : at + BATCH], groups[at : at + BATCH]))
        seconds += time.perf_counter() - begun
    begun = time.perf_counter()
    store.close()
    seconds += time.perf_counter() - begun
    np.savez(Path(settings["folder"]) / "truth.npz", queries=queries, best=truth.best)
    return {"seconds": rounds.significant(seconds), "rows_per_second": rounds.significant(settings["rows"] / seconds)}


def cache(settings: Figures) -> Figures:
    """The mapped copy of the vectors, without an engine."""
    return _refreshed(settings, "exact")


def build(settings: Figures) -> Figures:
    """Whatever the default engine builds on top."""
    return _refreshed(settings, "auto")


def open_(settings: Figures) -> Figures:
    """Open, answer one query, and the seconds of both; ``evict`` drops the files from memory before."""
    queries = _truth(settings)[0][:1]
    if settings.get("evict"):
        _evict(Path(settings["folder"]) / "collection")
    begun = time.perf_counter()
    from imagekin.store import open_store

    store = open_store(Path(settings["folder"]) / "collection", create=False)
    middle = time.perf_counter()
    store.search(queries, K)
    return {"open": middle - begun, "first": time.perf_counter() - middle}


def search(settings: Figures) -> Figures:
    """Latency of exact and default, interleaved, on one core and on all; then recall of both by the harness's truth."""
    from imagekin.store import open_store

    folder = Path(settings["folder"]) / "collection"
    queries, best = _truth(settings)
    default = open_store(folder, create=False)
    default.set({"engine": "auto"})
    exact = Exact(default, folder)
    exact.search(queries[:1], K)
    default.search(queries[:1], K)
    engines: dict[str, Any] = {"exact": exact, "default": default}
    figures: Figures = {"engine": default.info()["serving"], "reason": default.info()["reason"]}
    few = queries[: settings["exact_queries"]]
    figures["all_cores_ms"] = latency(engines, queries, few)
    with_all = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(with_all)})
    _each_thread(lambda pid: os.sched_setaffinity(pid, {min(with_all)}))
    figures["one_core_ms"] = latency(engines, queries, few)
    _each_thread(lambda pid: os.sched_setaffinity(pid, with_all))
    figures["recall@10"] = {name: recalled(engine, queries, best) for name, engine in engines.items()}
    return figures


class Exact:
    """The exact engine over a store's rows, beside the engine that the store's setting names for everybody."""

    def __init__(self, store: Any, folder: Path) -> None:
        from imagekin.store.serving import Serving

        self._serving = Serving(store._catalogue, folder / "cache", store.metric, "exact")
        self.vectors = store.vectors

    def search(self, queries: Any, k: int) -> Any:
        """As ``Store.search``."""
        return self._serving.search(queries, k, None)


def latency(engines: dict[str, Any], queries: Any, few: Any) -> Figures:
    """Milliseconds a query; the exact engine answers *few* of them, spread between the default's."""
    samples: rounds.Samples = {name: [] for name in engines}
    step = max(1, len(queries) // max(1, len(few)))
    for number in range(len(queries)):
        for name, engine in engines.items():
            if name == "exact" and (number % step or number // step >= len(few)):
                continue
            begun = time.perf_counter()
            engine.search(queries[number : number + 1], K)
            samples[name].append(time.perf_counter() - begun)
    return {name: rounds.percentiles(values, 1000) for name, values in samples.items()}


def recalled(store: Any, queries: Any, best: Any) -> float:
    """recall@10 of a store's answers, one query at a time as users ask, distances made from what is stored."""
    shares = []
    for number in range(len(queries)):
        found, _ = store.search(queries[number : number + 1], K)
        _, vectors = store.vectors(np.where(found[0] < 0, found[0, 0], found[0]).tolist())
        shares.append(recall(queries[number : number + 1], found, vectors[None], best=best[number : number + 1]))
    return rounds.significant(statistics.fmean(shares))


def _source(settings: Figures) -> clusters.Clusters:
    return clusters.of_collection(Path(settings["base"])) if settings["base"] else clusters.made(DIM)


def _truth(settings: Figures) -> tuple[Any, Any]:
    with np.load(Path(settings["folder"]) / "truth.npz") as data:
        return data["queries"], data["best"]


def _batch(start: int, vectors: Any, groups: Any) -> Any:
    from imagekin import fingerprint
    from imagekin.store.base import Batch, Put
    from imagekin.types import FileInfo

    puts = []
    for number, (vector, group) in enumerate(zip(vectors, groups.tolist(), strict=True), start):
        info = FileInfo(f"/pictures/synthetic/{group:04d}/{number:07d}.jpg", 200_000 + number, number * 1_000)
        digest = fingerprint.of_bytes(info.path.encode())
        puts.append(Put(info, digest, width=1024, height=768, label=f"class {group}", vector=vector))
    return Batch(puts=puts)


def _refreshed(settings: Figures, engine: str) -> Figures:
    from imagekin.store import open_store

    store = open_store(Path(settings["folder"]) / "collection", create=False)
    store.set({"engine": engine})
    begun = time.perf_counter()
    store.refresh()
    seconds = time.perf_counter() - begun
    serving = store.info()["serving"]
    store.close()
    return {"seconds": rounds.significant(seconds), "engine": serving}


def _evict(folder: Path) -> None:
    """Ask the system to drop a folder's files from memory."""
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def _each_thread(act: Callable[[int], object]) -> None:
    """Threads keep the cores that they were given at their start: tell every one of this process."""
    for name in os.listdir("/proc/self/task"):
        act(int(name))


PHASES: Final[dict[str, Callable[[Figures], Figures]]] = {
    "write": write,
    "cache": cache,
    "build": build,
    "open": open_,
    "search": search,
}

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(PHASES[given["phase"]](given)))
