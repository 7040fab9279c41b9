"""How good the neighbours are: precision@k over a folder whose subfolders are classes, leave-one-out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import imagekin
from benchmarks import pictures
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.metrics import precision_at_k
from imagekin.types import Hit, Ids, Vectors

Figures = dict[str, Any]
Labels = NDArray[np.object_]

CUTOFFS = (1, 4, 10)
BLOCK = 512


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=0, help="pictures, spread over the folder; 0 for all")
    parser.add_argument("--asked", type=int, default=500, help="of them, searched through Collection.search as well")


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Precision by the default model and precision, and how far the product's own answers agree."""
    root = pictures.subset(pictures.folder(arguments.images), arguments.count, work / "pictures")
    with imagekin.open(pictures.collection(root, work / "collection")) as photos:
        ids, vectors = photos.vectors()
        labels = np.array([item.label for item in photos.get(ids.tolist())], object)
        found = np.concatenate([nearest for _, nearest in neighbours(ids, vectors, max(CUTOFFS))])
        embedder = photos.embedder
        product = by_product(photos, ids, labels, asked=arguments.asked)
    classes = sorted(set(labels.tolist()))
    scores = {k: precision_at_k(labels[found], labels, k) for k in CUTOFFS}
    return {
        "pictures": len(ids),
        "classes": len(classes),
        "model": f"{embedder.name} {embedder.precision}",
        "precision": {f"@{k}": round(float(scores[k].mean()), 5) for k in CUTOFFS},
        "class_mean": {
            f"@{k}": round(float(np.mean([scores[k][labels == name].mean() for name in classes])), 5) for k in CUTOFFS
        },
        "by_product": product,
        "same_queries": {"@4": round(float(scores[4][_asked(len(ids), arguments.asked)].mean()), 5)},
    }


def neighbours(ids: Ids, vectors: Vectors, k: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Rows of the k nearest by cosine, ties by id, the query's own id excluded: first row and ``(b, k)``, by blocks."""
    unit = normalized(vectors)
    for start in range(0, len(ids), BLOCK):
        distances = 1 - unit[start : start + BLOCK] @ unit.T
        own = ids[start : start + BLOCK, None] == ids[None, :]
        distances[own] = np.inf
        yield start, np.argsort(distances, axis=1, kind="stable")[:, :k]


def by_product(photos: Collection, ids: Ids, labels: Labels, *, asked: int) -> Figures:
    """Precision@4 of what ``Collection.search(id=…)`` answers for a sample of the pictures."""
    rows = _asked(len(ids), asked)
    hits = cast("list[list[Hit]]", photos.search(id=ids[rows].tolist(), k=4))  # several ids, several answers
    found = [[hit.label for hit in answer] for answer in hits]
    return {"@4": round(float(precision_at_k(found, labels[rows], 4).mean()), 5), "queries": len(rows)}


def _asked(count: int, asked: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(asked, count)).round().astype(np.int64))
