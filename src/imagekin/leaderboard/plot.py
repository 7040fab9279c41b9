"""The plot of speed against accuracy, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from imagekin import figures
from imagekin.benchmark import pareto
from imagekin.benchmark.chart import COLOURS, MARKERS
from imagekin.benchmark.records import Record
from imagekin.errors import InputError
from imagekin.figures import INK, SOFT, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GOOD: Final = "precision@4"
SPEED: Final = "images_per_s"


def figure(records: Sequence[Record]) -> Figure:
    """Images a second against precision@4 with its 95 % interval, one point a model, the Pareto front as a line.

    Returns:
        A figure that belongs to no window and no global state; save it with ``figures.save``.

    Raises:
        InputError: not one record with figures.
        MissingPackageError: matplotlib is not installed.
    """
    there = [record for record in records if not record.failed and record.figure(SPEED) > 0]
    if not there:
        raise InputError("there is nothing to plot: no record has figures.")
    there.sort(key=lambda record: -record.figure(GOOD))
    made = figures.new(11.5, 6.2, dpi=140)
    axes = made.add_subplot()
    axes.set_xscale("log")
    for number, record in enumerate(there):
        _draw(axes, record, number)
    front = pareto.front(there, SPEED, GOOD)
    axes.plot(
        [record.figure(SPEED) for record in front], [record.figure(GOOD) for record in front],
        color="#c9c9c4", linewidth=7, alpha=0.55, solid_capstyle="round", zorder=1,
    )  # fmt: skip
    _dress(axes, there)
    return made


def _draw(axes: Any, record: Record, number: int) -> None:
    x, y = record.figure(SPEED), record.figure(GOOD)
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    axes.plot([x, x], [record.figure(f"{GOOD} low"), record.figure(f"{GOOD} high")],
              color=colour, linewidth=1.2, alpha=0.35, zorder=2)  # fmt: skip
    name = f"{y:.1%}  {short(record.engine, 44)}"
    axes.plot([x], [y], marker, color=colour, markersize=8, label=name.replace("$", r"\$"), zorder=3)


def _dress(axes: Any, there: Sequence[Record]) -> None:
    from matplotlib import ticker

    axes.xaxis.set_major_locator(ticker.LogLocator(10, (1, 2, 5)))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    speeds = [record.figure(SPEED) for record in there]
    axes.set_xlim(min(speeds) / 1.6, max(speeds) * 1.6)
    figures.dress(
        axes, across="images a second, from files to vectors (logarithm)", up=f"{GOOD}, 95 % interval over classes"
    )
    axes.annotate(
        "up and to the right is better \u2197", (0.988, 0.02), xycoords="axes fraction", ha="right", va="bottom",
        color=SOFT, fontsize=10, style="italic",
    )  # fmt: skip
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9.5, labelcolor=INK,
        title=f"{GOOD} and model", title_fontsize=9, alignment="left",
    )  # fmt: skip
    data = there[0].data
    figures.head(
        axes, f"{short(str(data['name']))}: {data['rows']:,} pictures of {data.get('classes', 0):,} classes", pad=12
    )
