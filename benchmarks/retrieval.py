"""What second looks gain and cost: ``python -m benchmarks.retrieval COLLECTION...``; the tables of docs/retrieval.md.

Orders are measured on labels, leave-one-out, with differences over the same queries; geometric verification on edited
pictures that should find their originals, and on the nearest pictures of other labels, which are only alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

import imagekin
from benchmarks.cells import table
from imagekin import evaluation, images
from imagekin.collection import Collection
from imagekin.evaluation import Evaluation
from imagekin.evaluation.edits import EDITS
from imagekin.rerank import geometry

LOOKS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"expand": "aqe"},
    {"expand": "alpha-qe"},
    {"expand": "dba"},
    {"rerank": "k-reciprocal"},
    {"expand": "alpha-qe", "rerank": "k-reciprocal"},
    {"expand": "dba", "rerank": "k-reciprocal"},
)
FIGURES: Final = ("precision@1", "precision@4", "precision@10", "mAP@R")
EDITED: Final = ("crop", "rotation", "overlay", "flip", "blur")
LEAST: Final = (5, 8, 10, 12, 15, 20)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__.partition("\n")[0])
    parser.add_argument("collections", type=Path, nargs="+", help="labelled collections")
    parser.add_argument("--queries", type=int, default=1000, help="queries of the orders")
    parser.add_argument("--sample", type=int, default=40, help="pictures that are edited; 0 for none")
    parser.add_argument("--verify", type=int, default=10, help="hits that are compared point by point")
    arguments = parser.parse_args(words)
    for place in arguments.collections:
        with imagekin.open(place) as photos:
            print("\n".join(orders(photos, arguments.queries)), flush=True)
            if arguments.sample:
                print("\n".join(edits(photos, arguments.sample, arguments.verify)), flush=True)
                print("\n".join(strangers(photos, arguments.sample, arguments.verify)), flush=True)


def orders(photos: Collection, queries: int) -> Iterator[str]:
    """A row for each second look."""
    rows, plain = [], None
    for looks in LOOKS:
        asked = min(queries, len(photos))
        found = evaluation.evaluate(photos, queries=asked, **looks)
        plain = plain or found
        rows.append([" + ".join(looks.values()) or "none", *_cells(found, plain), f"{_extra(photos, looks):.1f}"])
    yield f"{len(photos):,} pictures, {plain.queries if plain else 0:,} queries"
    yield from table(["second look", *FIGURES, "ms a search"], rows)


def _cells(found: Evaluation, plain: Evaluation) -> list[str]:
    values = [(found.figure(name).value, plain.figure(name).value) for name in FIGURES]
    if found is plain:
        return [f"{100 * value:.1f}" for value, _ in values]
    return [f"{100 * value:.1f} ({100 * (value - before):+.1f})" for value, before in values]


def _extra(photos: Collection, looks: dict[str, Any]) -> float:
    """Milliseconds of a search by id, the median of some."""
    ids = np.random.default_rng(0).choice([item.id for item in photos.items()], 15).tolist()
    times = []
    for number in ids:
        start = time.perf_counter()
        photos.search(id=number, k=10, **looks)
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times[3:]))


def edits(photos: Collection, sample: int, verify: int) -> Iterator[str]:
    """How often edited pictures find their originals, without and with verification."""
    plain, looked = (
        evaluation.self_retrieval(photos, edits=EDITED, sample=sample, verify=count) for count in (None, verify)
    )
    rows = [
        [f"{before.edit}: {before.strength}", f"{before.recall:.0%}", f"{after.recall:.0%}"]
        for before, after in zip(plain.edits, looked.edits, strict=True)
    ]
    yield f"{plain.pictures} pictures edited, searched for among {plain.searched:,}; recall@1"
    yield from table(["edit", "by vectors", f"verify={verify}"], rows)


def strangers(photos: Collection, sample: int, verify: int) -> Iterator[str]:
    """How many points pictures share with edited copies of themselves, and with their nearest of another label."""
    items = list(photos.items())
    chosen = np.random.default_rng(1).choice(len(items), sample, replace=False).tolist()
    same: list[int] = []
    alike: list[int] = []
    for row in chosen:
        item = items[row]
        shown = images.load(item.path).image
        own = geometry.features(shown)
        for name in ("crop", "rotation", "overlay"):
            same += [geometry.inliers(geometry.features(edit.apply(shown)), own) for edit in EDITS[name]]
        label = str(item.label).replace("'", "''")
        for hit in photos.search(id=item.id, k=verify, where=f"label != '{label}'"):
            alike.append(geometry.inliers(own, geometry.features(images.load(hit.path).image)))
            if alike[-1] >= geometry.ENOUGH:
                yield f"{alike[-1]} points: {_name(item.path)} and {_name(hit.path)}"
    rows = [[str(least), _share(same, least), _share(alike, least)] for least in LEAST]
    yield f"{len(same)} edited copies (crop, rotation, overlay), {len(alike)} nearest pictures of another label"
    yield from table(["points at least", "the same thing", "only alike"], rows)


def _name(path: str) -> str:
    return "/".join(Path(path).parts[-2:])


def _share(points: Sequence[int], least: int) -> str:
    return f"{np.mean(np.array(points) >= least):.1%}"


if __name__ == "__main__":
    main()
