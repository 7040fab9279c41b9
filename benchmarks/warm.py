"""A search in a running process, against the model's own time for one picture."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import imagekin
from benchmarks import pictures, rounds
from imagekin import embed, images
from imagekin.collection import Collection
from imagekin.embed.base import Embedder

Figures = dict[str, Any]
Turns = dict[str, Callable[[], object]]

OVER_MODEL = ("search(path)", "search(array)", "search(id=)")
WARM = 20


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=0, help="pictures in the collection; 0 for all")
    parser.add_argument("--queries", type=int, default=300)


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Every query is one round: each way to search once, the model once, and the parts in between."""
    root = pictures.subset(pictures.folder(arguments.images), arguments.count, work / "pictures")
    with imagekin.open(pictures.collection(root, work / "collection")) as photos:
        numbers = {item.path: item.id for item in photos.items()}
        paths = [path for path in pictures.listed(root, arguments.queries + WARM) if path in numbers]
        alone = embed.create(photos.embedder.spec, threads=1)
        samples: rounds.Samples = {}
        for turn, path in enumerate(paths):
            contestants = _contestants(photos, path, numbers[path], alone)
            names = list(contestants)
            start = turn % len(names)
            for name in names[start:] + names[:start]:
                begun = time.perf_counter()
                contestants[name]()
                if turn >= min(WARM, len(paths) - 1):
                    samples.setdefault(name, []).append(time.perf_counter() - begun)
        count = len(photos)
    medians = {name: float(np.median(values)) for name, values in samples.items()}
    return {
        "pictures": count,
        "ms": {name: rounds.percentiles(values, 1000) for name, values in samples.items()},
        "times_model": {name: rounds.significant(medians[name] / medians["model"]) for name in OVER_MODEL},
        "times_model_by_round": {name: rounds.ratio(samples[name], samples["model"]) for name in OVER_MODEL},
        "times_one_core_by_round": {
            name: rounds.ratio(samples[name], samples["model, one core"]) for name in OVER_MODEL
        },
    }


def _contestants(photos: Collection, path: str, number: int, alone: Embedder) -> Turns:
    """What is timed for one picture; whatever the parts need is made beforehand."""
    embedder = photos.embedder
    photo = images.load(path, target=embedder.recipe.decode_side).image
    array = np.asarray(images.load(path).image)
    ready = embedder.prepare(photo)[None]
    vector = embedder.embed_prepared(ready)

    def decode() -> object:
        return embedder.prepare(images.load(path, target=embedder.recipe.decode_side).image)

    return {
        "search(path)": lambda: photos.search(path),
        "search(array)": lambda: photos.search(array),
        "search(id=)": lambda: photos.search(id=number),
        "model": lambda: embedder.embed_prepared(ready),
        "model, one core": lambda: alone.embed_prepared(ready),
        "decode and prepare": decode,
        "nearest vectors": lambda: photos.store.search(vector, 10),
    }
