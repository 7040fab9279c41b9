"""Resident memory of a process that indexes, from small folders to large ones."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from benchmarks import child, pictures, rounds

Figures = dict[str, Any]

INDEX = """
import json, sys, imagekin
with imagekin.open(sys.argv[1]) as photos:
    report = photos.index(sys.argv[2])
print(json.dumps({"added": report.added, "skipped": len(report.skipped), "seconds": report.seconds}))
"""
SOURCES = 200


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", default="1000,10000,100000", help="pictures to index, separated by commas")


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Index trees of unique JPEG files, each size in a new process and a fresh collection."""
    sizes = sorted(int(size) for size in arguments.sizes.split(","))
    real = arguments.images is not None or pictures.DEFAULT.is_dir()
    sources = pictures.jpegs(pictures.folder(arguments.images) if real else None, SOURCES)
    tree, there, rows = work / "tree", 0, []
    for size in sizes:
        pictures.grow(tree, range(there, size), sources)
        there = size
        rows.append(measured(tree, work / "collection", size))
    shutil.rmtree(tree)
    first, last = rows[0], rows[-1]
    growth = (last["peak_mib"] - first["peak_mib"]) / max(1, last["pictures"] - first["pictures"])
    return {
        "rows": rows,
        "peak_mib": max(row["peak_mib"] for row in rows),
        "growth_bytes_an_image": rounds.significant(growth * 2**20, 3),
    }


def measured(tree: Path, into: Path, size: int) -> Figures:
    """One size's row; memory in MiB, sampled every tenth of a second.

    Raises:
        SystemExit: a picture was not indexed.
    """
    shutil.rmtree(into, ignore_errors=True)
    done = child.python(INDEX, str(into), str(tree))
    shutil.rmtree(into)
    if done.answer["added"] != size:
        raise SystemExit(f"{size} pictures were to be indexed, and the report says {done.answer}.")
    return {
        "pictures": size,
        "peak_mib": round(done.peak, 1),
        "peak_anonymous_mib": round(max(done.anonymous, default=0.0), 1),
        "median_mib": rounds.spread(done.resident)["median"] if done.resident else None,
        "samples": len(done.resident),
        "images_per_second": rounds.significant(size / done.answer["seconds"]),
    }
