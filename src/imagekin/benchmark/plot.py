"""The plot of recall against speed, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imagekin import escape, figures
from imagekin.benchmark import chart as charts
from imagekin.benchmark import pareto
from imagekin.benchmark.chart import Chart, Line, across
from imagekin.benchmark.records import Record
from imagekin.errors import InputError
from imagekin.figures import EDGE, INK, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(records: Sequence[Record], *, speed: str = "single_qps", title: str | None = None) -> Figure:
    """Recall against queries a second, one line an engine, the Pareto front marked.

    Args:
        records: of one set of vectors.
        speed: ``single_qps`` or ``batch_qps``.
        title: above the plot; by default the data's name and size.

    Returns:
        A figure that belongs to no window and no global state; save it with ``figures.save``.

    Raises:
        InputError: an unknown speed, or not one record with figures.
        MissingPackageError: matplotlib is not installed.
    """
    if speed not in charts.SPEEDS:
        raise InputError(f"speed must be one of {', '.join(charts.SPEEDS)}, not {speed!r}.")
    drawn = charts.chart(records, speed)
    if not drawn.lines:
        raise InputError("there is nothing to plot: no record has figures.")
    made = figures.new(11.5, 6.6, dpi=140)
    axes = made.add_subplot()
    for line in drawn.lines:
        _draw_line(axes, line, speed)
    _draw_front(axes, drawn)
    _dress(axes, drawn)
    figures.head(axes, _name(records[0].data) if title is None else title, pad=12)
    return made


def _draw_line(axes: Any, line: Line, speed: str) -> None:
    xs = [across(record.figure("recall")) for record in line.best]
    ys = [record.figure(speed) for record in line.best]
    style = (0, (6, 3)) if line.dash else "-"
    found = pareto.quickest(line.best, 0.95, speed)
    reached = found is not None and found.figure("recall") >= 0.95
    label = f"{escape.terminal(line.engine)}   {found.figure(speed):,.0f}" if found and reached else line.engine
    axes.plot(
        xs, ys, color=line.colour, linestyle=style, linewidth=1.6, marker=line.marker, markersize=5,
        markeredgewidth=0, label=label.replace("$", r"\$"), zorder=3,
    )  # fmt: skip
    axes.scatter(
        [across(record.figure("recall")) for record in line.others],
        [record.figure(speed) for record in line.others],
        s=9, color=line.colour, marker=line.marker, alpha=0.22, linewidths=0, zorder=2,
    )  # fmt: skip


def _draw_front(axes: Any, drawn: Chart) -> None:
    xs = [across(record.figure("recall")) for record in drawn.front]
    ys = [record.figure(drawn.speed) for record in drawn.front]
    axes.plot(xs, ys, color="#c9c9c4", linewidth=7, alpha=0.55, solid_capstyle="round", zorder=1)
    axes.scatter(
        xs, ys, s=95, facecolors="none", edgecolors=INK, linewidths=1.1, zorder=4, label="Pareto front: none better"
    )


def _dress(axes: Any, drawn: Chart) -> None:
    """Scales, grid, words."""
    from matplotlib import ticker

    axes.set_yscale("log")
    axes.set_ylim(drawn.speeds)
    axes.set_xlim(across(drawn.recalls[0]) - 0.02, across(1.0) + 0.08)
    axes.set_xticks([across(tick) for tick in drawn.ticks()], [f"{tick:g}" for tick in drawn.ticks()])
    axes.yaxis.set_major_locator(ticker.LogLocator(10, (1, 2, 5)))
    axes.yaxis.set_minor_locator(ticker.LogLocator(10, (3, 4, 6, 7, 8, 9)))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    figures.dress(
        axes,
        across=f"recall@{drawn.k}   (logarithm of what is missed)",
        up=f"{charts.SPEEDS[drawn.speed]}   (logarithm)",
    )
    axes.grid(True, which="minor", axis="y", color=EDGE, linewidth=0.35)
    axes.annotate(
        f"{charts.BETTER} \u2197", (0.988, 0.975), xycoords="axes fraction", ha="right", va="top", color=SOFT,
        fontsize=10, style="italic",
    )  # fmt: skip
    legend = axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9.5, labelcolor=INK, handlelength=2.6,
        title="engine, and its queries/s\nat recall 0.95 or better", title_fontsize=9, alignment="left",
    )  # fmt: skip
    legend.get_title().set_color(SOFT)


def _name(data: Any) -> str:
    return f"{data['name']}: {data['rows']:,} x {data['dim']:,}, {data['metric']}, {data['queries']:,} queries"
