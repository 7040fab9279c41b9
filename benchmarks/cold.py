"""A search in a new process, against the bare import of the libraries that it cannot do without."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import child, pictures, rounds

Figures = dict[str, Any]

LIBRARIES = "import numpy, onnxruntime, PIL.Image"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=0, help="pictures in the collection; 0 for all")
    parser.add_argument("--rounds", type=int, default=21)


def program() -> list[str]:
    """The installed command, or the module where there is none beside this interpreter."""
    script = Path(sys.executable).with_name("imagekin")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "imagekin"]


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Time whole processes, from start to exit, file caches warm."""
    root = pictures.subset(pictures.folder(arguments.images), arguments.count, work / "pictures")
    photos = pictures.collection(root, work / "collection")
    query = pictures.listed(root, 3)[1]
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "imports": [sys.executable, "-c", LIBRARIES],
        "search": [*program(), "search", query, "-c", str(photos), "-k", "5"],
        "search by id": [*program(), "search", "--id", "1", "-c", str(photos), "-k", "5"],
    }
    processor: rounds.Samples = {name: [] for name in commands}
    contestants = {name: _contestant(words, processor[name]) for name, words in commands.items()}
    _check(commands["search"], query)
    walls = rounds.interleaved(contestants, arguments.rounds)
    processor = {name: seconds[1:] for name, seconds in processor.items()}  # the first round was to warm up
    return {
        "pictures": len(pictures.listed(root)),
        "wall_ms": {name: rounds.spread(walls[name], 1000) for name in commands},
        "processor_ms": {name: rounds.spread(processor[name], 1000) for name in commands},
        "times_imports": rounds.ratio(walls["search"], walls["imports"]),
        "times_imports_processor": rounds.ratio(processor["search"], processor["imports"]),
    }


def _contestant(words: list[str], processor: list[float]) -> Callable[[], float]:
    def turn() -> float:
        done = child.run(words, watch=False)
        processor.append(done.processor)
        return done.wall

    return turn


def _check(words: list[str], query: str) -> None:
    """The search finds the picture itself, or what is timed is not a search."""
    found = child.run([*words, "--json"], watch=False).answer
    if Path(query).name not in str(found):
        raise SystemExit(f"the search for {query} did not find it: {str(found)[:300]}")
