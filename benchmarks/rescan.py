"""A second look at a folder in which nothing changed, against the bare walk over it."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import imagekin
from benchmarks import pictures, rounds

Figures = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=100_000, help="tiny unique pictures, a thousand a folder")
    parser.add_argument("--rounds", type=int, default=7)


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Build the tree and its collection by the ``pixels`` model, then look again, a fresh handle each time."""
    tree, into, count = work / "tiny", work / "tiny-collection", int(arguments.files)
    pictures.grow(tree, range(count), [pictures.tiny()])
    begun = time.perf_counter()
    with imagekin.open(into, model="pixels") as photos:
        _expect(photos.index(tree).added, count, "added")
    built = time.perf_counter() - begun
    contestants = {"index": rounds.timed(lambda: again(tree, into, count)), "walk": rounds.timed(lambda: walk(tree))}
    samples = rounds.interleaved(contestants, arguments.rounds)
    return {
        "files": count,
        "files_per_second": {name: rounds.spread([count / each for each in times]) for name, times in samples.items()},
        "first_time_files_per_second": rounds.significant(count / built),
        "times_walk": rounds.ratio(samples["index"], samples["walk"]),
    }


def again(tree: Path, into: Path, count: int) -> None:
    """Open, index, close.

    Raises:
        SystemExit: a file was not recognised as unchanged.
    """
    with imagekin.open(into) as photos:
        _expect(photos.index(tree).unchanged, count, "unchanged")


def walk(tree: Path) -> int:
    """The least that a rescan can do: list every folder and ask each file's size and date."""
    return sum(
        os.stat(os.path.join(folder, name)).st_mtime_ns >= 0 for folder, _, names in os.walk(tree) for name in names
    )


def _expect(found: int, count: int, what: str) -> None:
    if found != count:
        raise SystemExit(f"{count} files should be {what}, and {found} are.")
