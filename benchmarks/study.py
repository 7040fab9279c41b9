"""The similarity study of the lecture notes, done again: the same pictures, the same measures, side by side.

The notes use ResNet-50 (2,048 features), scikit-learn's brute force and Annoy; their figures come from another machine,
so only accuracies and ratios within one run compare.  scikit-learn's way is therefore timed here as well.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import imagekin
from benchmarks import pictures, rounds
from imagekin import evaluation, index, reduce
from imagekin.distance import normalized

Figures = dict[str, Any]

PCA: Final = 150
K: Final = 4

ENGINES: Final = {
    "scikit-learn": "",
    "exact": "exact",
    "faiss": "faiss(recall=0.95)",
    "hnswlib": "hnswlib(recall=0.95)",
    "annoy": "annoy(recall=0.95)",
}
"""Contestants; the first is scikit-learn's ``NearestNeighbors(algorithm="brute")``, as in the notes."""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=0, help="pictures, spread over the folder; 0 for all")
    parser.add_argument("--queries", type=int, default=200, help="held-out pictures that ask for the latencies")
    parser.add_argument("--rounds", type=int, default=7, help="of the latencies, contestants in turns")


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Extraction, accuracy, the sweep over dimensions, and latencies."""
    root = pictures.subset(pictures.folder(arguments.images), arguments.count, work / "pictures")
    with imagekin.open(work / "collection") as photos:
        report = photos.index(root)
        whole = evaluation.evaluate(photos)
        begun = time.perf_counter()
        sweep = evaluation.by_dimension(photos)
        swept = time.perf_counter() - begun
        _, vectors = photos.vectors()
        model = f"{photos.embedder.name} {photos.embedder.precision}"
    return {
        "pictures": whole.images,
        "classes": whole.classes,
        "model": model,
        "dim": whole.dim,
        "extraction": {"seconds": round(report.seconds, 2), "pictures": report.added + report.updated + report.reused},
        "accuracy": _figure(whole),
        "evaluation_s": round(whole.seconds, 3),
        "sweep": sweep.to_dict(),
        "sweep_s": round(swept, 3),
        "latency": latencies(vectors, arguments),
    }


def _figure(found: evaluation.Evaluation) -> Figures:
    one = found.figure(f"precision@{K}")
    return {"value": round(one.value, 5), "low": round(one.low, 5), "high": round(one.high, 5)}


def latencies(vectors: NDArray[Any], arguments: argparse.Namespace) -> Figures:
    """One query at a time by each contestant, at full length and after PCA, in turns on the same held-out queries."""
    random = np.random.default_rng(0)
    order = random.permutation(len(vectors))
    asked, rest = order[: arguments.queries], np.sort(order[arguments.queries :])
    rows = normalized(np.asarray(vectors[rest], np.float32))
    queries = normalized(np.asarray(vectors[asked], np.float32))
    lengths = {str(rows.shape[1]): (rows, queries)}
    if min(rows.shape) > PCA:
        shrink = reduce.create(f"pca:{PCA}").fit(rows)
        lengths[f"pca:{PCA}"] = (_short(shrink.transform(rows)), _short(shrink.transform(queries)))
    contestants, recalls = {}, {}
    for length, (there, wanted) in lengths.items():
        for name, spec in ENGINES.items():
            search = _scikit(there) if not spec else _engine(spec, there)
            recalls[f"{name}, {length}"] = _recall(search, wanted, there)
            contestants[f"{name}, {length}"] = _each(search, wanted)
    samples = rounds.interleaved(contestants, arguments.rounds)
    return {
        name: {"ms": rounds.spread(times, 1e3), "recall": round(recalls[name], 4)} for name, times in samples.items()
    }


def _short(vectors: NDArray[Any]) -> NDArray[Any]:
    """Of length 1, and zeros up to a multiple of 8 elements behind it, as a collection with a reducer keeps them."""
    padded = np.zeros((len(vectors), -(-vectors.shape[1] // 8) * 8), np.float32)
    padded[:, : vectors.shape[1]] = normalized(vectors)
    return padded


Search = Callable[[NDArray[Any]], NDArray[np.int64]]


def _scikit(rows: NDArray[Any]) -> Search:
    from sklearn.neighbors import NearestNeighbors

    neighbours = NearestNeighbors(n_neighbors=K, algorithm="brute", metric="euclidean").fit(rows)
    return lambda query: neighbours.kneighbors(query[None], return_distance=False)[0]


def _engine(spec: str, rows: NDArray[Any]) -> Search:
    engine = index.create(spec, rows.shape[1], "cosine")
    stored = rows.astype(np.float16)  # as a collection keeps them
    stored.flags.writeable = False
    engine.build(np.arange(len(rows)), stored)
    return lambda query: engine.search(query, K)[0][0]


def _each(search: Search, queries: NDArray[Any]) -> Callable[[], float]:
    """Median seconds of a query, asked one by one."""

    def turn() -> float:
        taken = []
        for query in queries:
            begun = time.perf_counter()
            search(query)
            taken.append(time.perf_counter() - begun)
        return float(np.median(taken))

    return turn


def _recall(search: Search, queries: NDArray[Any], rows: NDArray[Any]) -> float:
    """Share of the answers as near as the true K-th nearest, by distances computed anew, but for what halves round."""
    found = np.array([search(query) for query in queries])
    distances = 1 - queries @ rows.T
    last = np.partition(distances, K - 1, axis=1)[:, K - 1]
    return float((np.take_along_axis(distances, found, 1) <= last[:, None] + 1e-3).mean())
