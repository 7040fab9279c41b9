"""Pairs of near vectors among very many: time and memory of the search that ``imagekin dupes`` begins with.

    python -m benchmarks.duplicates ROWS [DIM] [COLLECTION]

Rows are made as in ``clusters`` (like those of COLLECTION, if given), written to a file of float16 and read through the
contract of a store; every thousandth is followed by a slightly changed copy, and the share of these that is found is
told.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks import clusters
from imagekin.distance import normalized
from imagekin.duplicates import neighbours
from imagekin.store.base import Store
from imagekin.types import Ids, Vectors

BLOCK = 8_192
EVERY = 1_000
CHANGE = 0.3
"""Length of what is added to a copy: a cosine distance of about 0.045, as after saving anew at half the size."""

RADIUS = 0.25


class Rows:
    """What the search asks of a store, over a mapped file; ids are row numbers and one."""

    def __init__(self, file: Path, rows: int, dim: int) -> None:
        self.dim = dim
        self.vectors_ = np.memmap(file, np.float16, "r", shape=(rows, dim))

    def vectors(self, ids: Sequence[int]) -> tuple[Ids, Vectors]:
        numbers = np.asarray(ids, np.int64)
        return numbers, self.vectors_[numbers - 1].astype(np.float32)


def write(file: Path, rows: int, dim: int, collection: str) -> list[tuple[int, int]]:
    """Write the rows; gives the ids of the made copies with those of their originals."""
    source = clusters.of_collection(Path(collection)) if collection else clusters.made(dim)
    source = clusters.shortened(source, dim)
    random = np.random.default_rng(0)
    made = np.memmap(file, np.float16, "w+", shape=(rows, dim))
    copies = []
    for start, vectors, _ in clusters.blocks(source, rows, BLOCK):
        for row in range(EVERY - 1, len(vectors), EVERY):
            change = random.standard_normal(dim).astype(np.float32)
            copy = vectors[row - 1] + CHANGE * change / np.linalg.norm(change)
            vectors[row] = normalized(copy[None])[0]
            copies.append((start + row, start + row + 1))
        made[start : start + len(vectors)] = vectors
    made.flush()
    return copies


def anonymous() -> int:
    """Bytes of this process that are no mapped file."""
    text = Path("/proc/self/status").read_text("utf-8")
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("RssAnon"))


def main(rows: int, dim: int = 1280, collection: str = "") -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.f16"
        copies = write(file, rows, dim, collection)
        peak, stop = [anonymous()], threading.Event()

        def watch() -> None:
            while not stop.wait(0.1):
                peak[0] = max(peak[0], anonymous())

        threading.Thread(target=watch, daemon=True).start()
        started = time.perf_counter()
        store = cast("Store", Rows(file, rows, dim))
        found = neighbours.within(store, np.arange(1, rows + 1), radius=RADIUS, k=8)
        seconds = time.perf_counter() - started
        stop.set()
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    return {
        "rows": rows,
        "dim": dim,
        "seconds": round(seconds, 1),
        "pairs": len(found),
        "sure": found.sure,
        "copies_found": sum(copy in pairs for copy in copies) / max(1, len(copies)),
        "anonymous_peak_mib": peak[0] >> 20,
        "resident_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


if __name__ == "__main__":
    given = [*sys.argv[1:], *("1280", "")[len(sys.argv) - 2 :]]
    print(json.dumps(main(int(given[0]), int(given[1]), given[2])))
