"""``index`` end to end, against the limit of the machine and against the plain loop."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import imagekin
from benchmarks import pictures, rounds
from benchmarks.load import Load
from benchmarks.plain import PlainLoop
from benchmarks.record import cores
from benchmarks.stages import STAGES, Stages
from imagekin import embed, images
from imagekin.embed.base import Embedder
from imagekin.pipeline import batched

Figures = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=0, help="pictures, spread over the folder; 0 for all")
    parser.add_argument("--rounds", type=int, default=5)


@dataclass(slots=True)
class Cost:
    """Seconds of one thread that has the machine to itself, reading not counted."""

    images: int = 0
    prepare: float = 0.0
    model: float = 0.0

    @property
    def each(self) -> float:
        """Seconds for one picture."""
        return (self.prepare + self.model) / self.images


def measured(paths: Sequence[str], embedder: Embedder, cost: Cost) -> None:
    """Decode and prepare, then embed, batch by batch on this thread, with the product's own functions."""
    for batch in batched(paths, embedder.batch_size):
        files = [images.read(path) for path in batch]
        begun = time.perf_counter()
        ready = np.stack(
            [embedder.prepare(images.decode(data, target=embedder.recipe.decode_side).image) for data in files]
        )
        middle = time.perf_counter()
        embedder.embed_prepared(ready)
        cost.prepare += middle - begun
        cost.model += time.perf_counter() - middle
        cost.images += len(batch)


@functools.cache
def _embedder() -> Embedder:
    made = embed.create()
    made.embed_prepared(np.zeros((1, *made.input_size, 3), np.uint8))
    return made


def share(paths: Sequence[str]) -> float:
    """One process's part of the ceiling: read, decode, prepare and embed; its seconds."""
    embedder, begun = _embedder(), time.perf_counter()
    measured(paths, embedder, Cost())
    return time.perf_counter() - begun


def indexed(root: Path, into: Path) -> tuple[float, float, imagekin.Report]:
    """Open a fresh collection, load the model, index *root*, close: wall and processor seconds, and the report."""
    shutil.rmtree(into, ignore_errors=True)
    begun, processor = time.perf_counter(), time.process_time()
    with imagekin.open(into) as photos:
        report = photos.index(root)
    return time.perf_counter() - begun, time.process_time() - processor, report


class Contest:
    """The rounds, and the speeds in images a second that came of them."""

    def __init__(self, root: Path, work: Path) -> None:
        self.root, self.work = root, work
        self.paths = pictures.listed(root)
        self.speeds: rounds.Samples = {name: [] for name in ("index", "limit", "ceiling", "plain")}
        self.costs: list[Cost] = []
        self.efficiency: list[float] = []
        self.report = imagekin.Report()
        self._plain = PlainLoop()

    def run(self, number: int) -> None:
        """Every round: one half of the limit, ``index``, the other half, then a slice of the slower contestants."""
        for _ in range(number):
            cost, slice_ = Cost(), self.paths[len(self.costs) :: number]
            measured(self.paths[::2], _embedder(), cost)
            seconds, processor, self.report = indexed(self.root, self.work / "indexed")
            measured(self.paths[1::2], _embedder(), cost)
            self.costs.append(cost)
            self.efficiency.append(cost.each * self.report.added / processor)
            self.speeds["index"].append(self.report.added / seconds)
            self.speeds["limit"].append(cores() / cost.each)
            self.speeds["plain"].append(self.plain(slice_))
            self.speeds["ceiling"].append(self.ceiling(slice_))

    def plain(self, paths: Sequence[str]) -> float:
        """Images a second of the plain loop."""
        return len(paths) / rounds.timed(lambda: self._plain(paths))()

    def ceiling(self, paths: Sequence[str]) -> float:
        """Images a second of as many separate processes as there are cores, nothing shared and nothing written."""
        parts = [paths[core :: cores()] for core in range(cores())]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(cores(), spawn) as pool:
            list(pool.map(share, [part[:8] for part in parts for _ in range(2)]))  # every process is up and warm
            return len(paths) / max(pool.map(share, parts))

    def profile(self) -> Figures:
        """One more run with a clock on every stage: milliseconds an image, and shares of all processor time."""
        stages, into = Stages(), self.work / "profiled"
        shutil.rmtree(into, ignore_errors=True)
        with imagekin.open(into) as photos, stages.watching(photos):
            load, processor = Load(), time.process_time()
            photos.index(self.root)
            processor = time.process_time() - processor
            cores_used = load.shares()
        return {**shares(stages.seconds, processor, len(self.paths)), "cores": cores_used}


def shares(seconds: dict[str, float], processor: float, count: int) -> Figures:
    """The profile's figures; ``rest`` is what no clock saw: Python between the stages, threads handing over."""
    used = {stage: seconds.get(stage, 0.0) for stage in STAGES}
    used["rest"] = processor - sum(used.values())
    rows = {
        stage: {"ms_an_image": rounds.significant(1000 * spent / count, 3), "share": round(spent / processor, 4)}
        for stage, spent in used.items()
    }
    return {"stages": rows, "processor_ms_an_image": rounds.significant(1000 * processor / count)}


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Measure; the record's figures."""
    root = pictures.subset(pictures.folder(arguments.images), arguments.count, work / "pictures")
    contest = Contest(root, work)
    measured(contest.paths[:64], _embedder(), Cost())
    contest.run(arguments.rounds)
    speeds = contest.speeds
    embedder = _embedder()
    return {
        "pictures": len(contest.paths),
        "embedded": contest.report.added,
        "reused": contest.report.reused,
        "skipped": len(contest.report.skipped),
        "model": f"{embedder.name} {embedder.precision}",
        "images_per_second": {name: rounds.spread(speeds[name]) for name in speeds},
        "decode_and_prepare_ms": rounds.spread([cost.prepare / cost.images for cost in contest.costs], 1000),
        "model_ms": rounds.spread([cost.model / cost.images for cost in contest.costs], 1000),
        "share_of_limit": rounds.ratio(speeds["index"], speeds["limit"]),
        "efficiency": rounds.spread(contest.efficiency),
        "share_of_ceiling": rounds.ratio(speeds["index"], speeds["ceiling"]),
        "times_plain": rounds.ratio(speeds["index"], speeds["plain"]),
        "profile": contest.profile(),
    }
