"""``imagekin bench``: engines measured against each other on one's own vectors."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagekin.cli import measuring, output
from imagekin.cli.app import INTERRUPTED
from imagekin.cli.quantities import Share, Size, Time
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from imagekin.benchmark import Data, Options


@click.command("bench")
@click.option("--engines", metavar="all|NAME,...", help="Engines to measure in a whole sweep [default: all].")
@click.option(
    "--engine", "specs", metavar="SPEC", multiple=True, help="Measure this one as it is, such as 'ngt(edges=20)'."
)
@click.option("--hdf5", metavar="FILE", help="Measure on an ann-benchmarks file instead of a collection.")
@click.option("--metric", metavar="NAME", help="Distance of --hdf5, where the file does not say it.")
@click.option("--pixels", metavar="FOLDER", help="Measure on the raw pixels of a folder's pictures.")
@click.option("--side", type=click.IntRange(4, 128), help="Pixels a side for --pixels [32].")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take only N of the vectors, at random.")
@click.option("--queries", type=click.IntRange(1), default=1000, show_default=True, help="Queries to hold out at most.")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Hits wanted of each search.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Chooses queries and rows.")
@click.option(
    "--seconds", type=Time(), default="1s", show_default=True, help="Time for each setting, alone and in batches."
)
@click.option("--time-limit", type=Time(), default="10min", show_default=True, help="For each engine's process.")
@click.option("--memory-limit", type=Size(), help="For each engine's process [nine tenths of what is free].")
@click.option("--out", type=Path, default="imagekin-bench", show_default=True, help="Folder of records and report.")
@click.option("--recall", type=Share(), default=0.95, show_default=True, help="Recall that the table is for.")
@click.option("--full", is_flag=True, help="Print every setting instead of the best of each engine.")
@click.option("--retry", is_flag=True, help="Measure again what failed.")
@click.option("--again", is_flag=True, help="Measure everything again.")
@shared
@click.pass_obj
def command(settings: Settings, /, **given: Any) -> int:
    """Compare engines on the collection's own vectors: recall, speed, build time, memory.

    Writes a report and a plot. What has been measured is kept, so a run that was stopped goes on where it was.
    """
    from imagekin import benchmark

    names = given["engines"] or ("" if given["specs"] else "all")
    wanted = {"engines": [name.strip() for name in names.split(",") if name.strip()], "specs": given["specs"]}
    data = _data(settings, given)
    with measuring.bar(settings) as step:
        outcome = benchmark.run(data, given["out"], **wanted, options=_options(given), watch=step)
    report = benchmark.Report(outcome.records, outcome.absent, shlex.join(["imagekin", *sys.argv[1:]]), outcome.notes)
    kept = outcome.records or not outcome.interrupted  # a report of earlier runs is not replaced by nothing
    files = benchmark.write(report, given["out"]) if kept else None
    if settings.json:
        output.record(measuring.plain(outcome, files))
    else:
        output.say(measuring.summary(outcome, files, recall=given["recall"], full=given["full"], width=settings.width))
    return INTERRUPTED if outcome.interrupted else 0


def _data(settings: Settings, given: dict[str, Any]) -> Data:
    from imagekin import benchmark

    common = {name: given[name] for name in ("queries", "limit", "seed")}
    if given["hdf5"] and given["pixels"]:
        raise click.UsageError("Give either --hdf5 or --pixels, not both.")
    if given["metric"] and not given["hdf5"]:
        raise click.UsageError("--metric goes with --hdf5; a collection has its own distance.")
    if given["side"] and not given["pixels"]:
        raise click.UsageError("--side goes with --pixels.")
    if given["hdf5"]:
        return benchmark.of_hdf5(given["hdf5"], metric=given["metric"], **common)
    if given["pixels"]:
        return benchmark.of_pixels(given["pixels"], side=given["side"] or 32, **common)
    with settings.open() as photos:
        return benchmark.of_collection(photos, **common)


def _options(given: dict[str, Any]) -> Options:
    from imagekin.benchmark import Limits, Options

    size = given["memory_limit"]
    limits = Limits(given["time_limit"], None if size is None else int(size))
    how = {name: given[name] for name in ("k", "seconds", "retry", "again")}
    return Options(limits=limits, **how)
