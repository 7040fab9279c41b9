"""``python -m benchmarks.tuning``: what ``tune`` chooses against the best of a full sweep, and what each of them costs.

The best of a sweep owes something to luck: it is the quickest of hundreds of measurements.  So both are measured once
more, in turns, on the same queries.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imagekin
from benchmarks import clusters, record, rounds
from imagekin import benchmark, index, tune
from imagekin.benchmark.grid import Build
from imagekin.benchmark.workspace import Workspace

Figures = dict[str, Any]

RECALLS = (0.9, 0.95, 0.99)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning", description=__doc__)
    parser.add_argument("--collection", type=Path, help="measure on its vectors [made ones]")
    parser.add_argument("--rows", type=int, default=100_000, help="vectors to make")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each setting of the sweep")
    parser.add_argument("--engines", default="all")
    parser.add_argument("--rounds", type=int, default=5, help="of the comparison")
    parser.add_argument("--out", type=Path, help="keep the sweep here, and go on with one that was kept")
    parser.add_argument("--records", type=Path, default=record.FOLDER)
    return parser


def data_of(arguments: argparse.Namespace) -> benchmark.Data:
    if arguments.collection is not None:
        with imagekin.open(arguments.collection, create=False) as photos:
            return benchmark.of_collection(photos, queries=arguments.queries)
    source = clusters.made(arguments.dim)
    vectors, _ = source.block(0, arguments.rows + arguments.queries)
    name = f"made, {arguments.rows:,} x {arguments.dim}"
    return benchmark.of_vectors(vectors, name=name, queries=arguments.queries)


def sweep(data: benchmark.Data, arguments: argparse.Namespace, folder: Path) -> tuple[benchmark.Outcome, float]:
    """The records, and the seconds that they took, whenever that was."""
    how = benchmark.Options(seconds=arguments.seconds)
    outcome = benchmark.run(data, folder, engines=arguments.engines.split(","), options=how, watch=shown)
    return outcome, sum(each.figure("spent_s") for each in outcome.records if not each.failed)


def compared(data: benchmark.Data, specs: Sequence[str], folder: Path, *, turns: int) -> dict[str, Figures]:
    """Recall of each of the specs, and its queries a second turn by turn, the specs after each other in every turn."""
    builds = {spec: Build(*index.parse(spec)) for spec in dict.fromkeys(specs)}
    found: dict[str, Figures] = {spec: {"turns": []} for spec in builds}
    with Workspace(data, 10, folder) as space:
        for build in builds.values():
            space.build(build, benchmark.Limits())
        for _ in range(turns):
            for spec, build in builds.items():
                _, (lane,) = space.search(build, benchmark.Limits(), seconds=0.5)
                found[spec]["recall"] = round(lane["figures"]["recall"], 4)
                found[spec]["turns"].append(lane["figures"]["single_qps"])
    return found


def measured(data: benchmark.Data, arguments: argparse.Namespace, work: Path) -> Figures:
    outcome, spent = sweep(data, arguments, arguments.out or work / "sweep")
    rows: dict[str, Figures] = {}
    for recall in RECALLS:
        begun = time.perf_counter()
        choice = tune.choose(data, tune.Goal(recall), engines=arguments.engines.split(","), watch=shown)
        taken = time.perf_counter() - begun
        best = benchmark.quickest(outcome.records, recall)
        if best is None:
            raise SystemExit("the sweep measured nothing")
        both = compared(data, [best.spec, choice.spec], work / "compared", turns=arguments.rounds)
        rows[str(recall)] = {
            "sweep": {"spec": best.spec, "recall": both[best.spec]["recall"]},
            "tune": {"spec": choice.spec, "recall": both[choice.spec]["recall"]},
            "queries_a_second": {
                "sweep": rounds.spread(both[best.spec]["turns"]),
                "tune": rounds.spread(both[choice.spec]["turns"]),
            },
            "ratio": rounds.ratio(both[choice.spec]["turns"], both[best.spec]["turns"]),
            "tune_s": round(taken, 1),
            "share_of_sweep": round(taken / spent, 4),
        }
        print(f"\n{recall}: {rows[str(recall)]}", flush=True)
    counts = {"measurements": len(outcome.records), "sweep_s": round(spent, 1)}
    return {"data": data.describe(), **counts, "recalls": rows}


def shown(progress: benchmark.Progress) -> None:
    print(f"\r{progress.done}/{progress.total} {progress.what[:60]:60}", end="", flush=True)


def main() -> None:
    arguments = options().parse_args()
    with tempfile.TemporaryDirectory(prefix="imagekin-bench-") as work:
        figures = measured(data_of(arguments), arguments, Path(work))
    print(record.write("tuning", sys.argv[1:], figures, folder=arguments.records))


if __name__ == "__main__":
    main()
