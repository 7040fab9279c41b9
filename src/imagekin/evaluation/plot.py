"""Plots of evaluations, by matplotlib; every function returns the figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imagekin import escape, figures
from imagekin.evaluation.lengths import TOLERANCE, Sweep
from imagekin.evaluation.records import EditFigures, Evaluation, SelfRetrieval
from imagekin.figures import ACCENT, EDGE, INK, PALE, PLAIN, SOFT, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORST: Final = 20
"""Classes that are shown by name."""

NAMED: Final = 30
"""Classes up to which a confusion matrix has their names."""


_SECOND: Final = "#b35c00"

_LEGEND: Final[dict[str, Any]] = {"fontsize": 9, "labelcolor": INK, "edgecolor": "none", "framealpha": 0.9}

_APART: Final = 1.3
"""How many times its neighbour a tick of a logarithmic axis must be."""


def figure(found: Evaluation | SelfRetrieval | Sweep) -> Figure:
    """Draw an evaluation: measures, worst classes, confusions; recall@1 by edit; or accuracy and time by length.

    Returns:
        A figure that belongs to no window and no global state; save it with ``figures.save``.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    if isinstance(found, Sweep):
        return of_lengths(found)
    return of_edits(found) if isinstance(found, SelfRetrieval) else of_labels(found)


def of_labels(found: Evaluation) -> Figure:
    """Measures with their 95 % intervals, the worst classes, and the confusion matrix."""
    made = figures.new(17, 7.2)
    measures, classes, matrix = made.subplots(1, 3, width_ratios=(1, 1, 1.25))
    _draw_measures(measures, found)
    _draw_classes(classes, found)
    _draw_matrix(made, matrix, found)
    title = (
        f"{short(found.name)}: {found.queries:,} queries of {found.classes:,} classes among {found.searched:,} "
        f"images, {found.split}, {found.metric}"
    )
    made.suptitle(escape.terminal(title), x=0.01, ha="left", fontsize=13, color=INK, fontweight="bold", **PLAIN)
    return made


def of_edits(found: SelfRetrieval) -> Figure:
    """recall@1 of every edit and strength with its 95 % interval, one colour an edit."""
    made = figures.new(9, 1.6 + 0.3 * len(found.edits))
    axes = made.add_subplot()
    place, ticks, names = 0.0, [], []
    for edit, group in groupby(found.edits, key=lambda one: one.edit):
        rows = list(group)
        places = [place + number for number in range(len(rows))]
        _draw_edit(axes, rows, places)
        ticks += places
        names += [f"{edit}: {one.strength}" for one in rows]
        place = places[-1] + 1.6
    axes.set_yticks(ticks, [short(name, 40) for name in names], fontsize=9)
    axes.set_ylim(place - 0.6, -1)
    _shares(axes, "recall@1: the original is found first")
    figures.head(axes, f"{short(found.name)}: {found.pictures:,} edited pictures among {found.searched:,}")
    return made


def of_lengths(found: Sweep) -> Figure:
    """Accuracy and search time against the length of the vectors, whole ones as a line, the knee marked."""
    made = figures.new(13, 5.4)
    accuracy, speed = made.subplots(1, 2, width_ratios=(1.1, 1))
    _draw_accuracy(accuracy, found)
    _draw_times(speed, found)
    for axes in (accuracy, speed):
        axes.axvline(found.knee.dim, color=SOFT, linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
    figures.head(accuracy, f"{short(found.name)}: accuracy by length ({found.reducer})")
    figures.head(speed, f"One search among {found.fitted:,} by brute force")
    return made


def _draw_accuracy(axes: Any, found: Sweep) -> None:
    dims, knee = [one.dim for one in found.lengths], found.knee
    for name, colour in (("precision", ACCENT), ("map_r", _SECOND)):
        several, whole = [getattr(one, name) for one in found.lengths], getattr(found.whole, name)
        axes.fill_between(dims, [one.low for one in several], [one.high for one in several], color=colour, alpha=0.13,
                          linewidth=0)  # fmt: skip
        axes.plot(dims, [one.value for one in several], "o-", color=colour, markersize=4, label=whole.name)
        axes.axhline(whole.value, color=colour, linewidth=1, linestyle="--", label=f"whole: {whole.value:.1%}")
    why = f"within {100 * TOLERANCE:g} points" if found.reaches else "the best that was tried"
    _ring(axes, knee.dim, knee.precision.value, f"{knee.dim:,} dimensions: {knee.precision.value:.1%}, {why}")
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    _lengths(axes, dims, "mean over queries, 95 % interval over classes")
    axes.legend(loc="lower right", **_LEGEND)


def _draw_times(axes: Any, found: Sweep) -> None:
    dims, knee = [one.dim for one in found.lengths], found.knee
    axes.plot(dims, [one.ms for one in found.lengths], "o-", color=ACCENT, markersize=4)
    whole = f"whole, {found.whole.dim:,} dimensions: {found.whole.ms:.3g} ms"
    axes.axhline(found.whole.ms, color=ACCENT, linewidth=1, linestyle="--", label=whole)
    _ring(axes, knee.dim, knee.ms, f"{knee.dim:,} dimensions: {knee.ms:.3g} ms, {knee.speed:.1f} × the speed")
    axes.set_ylim(0, 1.3 * max(found.whole.ms, *(one.ms for one in found.lengths)))
    _lengths(axes, dims, "milliseconds, the median")
    axes.legend(loc="upper left", **_LEGEND)


def _lengths(axes: Any, dims: Sequence[int], up: str) -> None:
    """A logarithmic axis of lengths with the lengths themselves for ticks, as many as have room."""
    axes.set_xscale("log")
    shown: list[int] = []
    for dim in reversed(dims):
        if not shown or shown[-1] >= _APART * dim:
            shown.append(dim)
    axes.set_xticks(shown, [f"{dim:,}" for dim in shown], fontsize=8)
    axes.set_xticks([], minor=True)
    figures.dress(axes, across="dimensions (logarithm)", up=up)


def _ring(axes: Any, x: float, y: float, label: str) -> None:
    axes.scatter([x], [y], s=110, facecolors="none", edgecolors=INK, linewidths=1.3, zorder=4, label=label)


def _draw_measures(axes: Any, found: Evaluation) -> None:
    """A dot and a whisker each, from the smallest k to the largest, then those without one.

    At k = 1 all but recall are the same by definition, and drawn once.
    """
    several = [one for one in found.figures if not one.name.endswith("@1") or one.name in ("precision@1", "recall@1")]
    ordered = sorted(several, key=lambda one: int(one.name.rpartition("@")[2]) if _has_k(one.name) else 1 << 62)
    for row, one in enumerate(ordered):
        axes.plot([one.low, one.high], [row, row], color=PALE, linewidth=5, solid_capstyle="round", zorder=2)
        axes.plot([one.value], [row], "o", color=ACCENT, markersize=6, zorder=3)
        axes.annotate(f"{one.value:.1%}", (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)
    axes.set_yticks(range(len(ordered)), [one.name for one in ordered], fontsize=9)
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    _shares(axes, "mean over queries, 95 % interval over classes")


def _draw_classes(axes: Any, found: Evaluation) -> None:
    worst = found.per_class[:WORST]
    places = range(len(worst))
    axes.barh(places, [one.precision for one in worst], color=PALE, height=0.72, zorder=2)
    for place, one in enumerate(worst):
        note = "" if one.taken_for is None else f"taken for {short(one.taken_for, 16)} ({one.taken})"
        axes.annotate(note, (0.015, place), va="center", fontsize=8, color=SOFT, zorder=3, **PLAIN)
    labels = [f"{short(one.label, 18)} ({one.queries})" for one in worst]
    axes.set_yticks(places, labels, fontsize=9, **PLAIN)
    axes.set_ylim(max(len(worst), 8) - 0.4, -0.6)
    _shares(axes, f"precision@{found.k[0]} of the worst {len(worst)} of {found.classes:,} classes")


def _draw_matrix(made: Figure, axes: Any, found: Evaluation) -> None:
    """Shares of each true class; the square root of a share is its colour, so that rare confusions can be seen."""
    labels, matrix = found.confusion_matrix()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    shown = axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    bar = made.colorbar(
        shown, ax=axes, shrink=0.75, pad=0.02, ticks=[np.sqrt(tick) for tick in (0, 0.05, 0.25, 0.5, 1)]
    )
    bar.ax.set_yticklabels(["0 %", "5 %", "25 %", "50 %", "100 %"], fontsize=8.5)
    bar.outline.set_visible(False)
    if len(labels) <= NAMED:
        names = [short(label, 16) for label in labels]
        axes.set_xticks(range(len(labels)), names, rotation=90, fontsize=8, **PLAIN)
        axes.set_yticks(range(len(labels)), names, fontsize=8, **PLAIN)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    axes.set_xlabel(f"taken for, by the votes of {found.k[0]} neighbours", color=INK)
    axes.set_ylabel(f"true class ({len(labels):,}, by name)", color=INK)
    for spine in axes.spines.values():
        spine.set_color(EDGE)


def _draw_edit(axes: Any, rows: Sequence[EditFigures], places: Sequence[float]) -> None:
    axes.barh(places, [one.recall for one in rows], color=PALE, height=0.78, zorder=2)
    for one, place in zip(rows, places, strict=True):
        axes.plot([one.low, one.high], [place, place], color=ACCENT, linewidth=1.6, zorder=3)
        axes.annotate(f"{one.recall:.1%}", (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)


def _shares(axes: Any, what: str) -> None:
    """An axis from 0 to 100 %, a light grid, no frame but on the left."""
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    figures.dress(axes, across=what, grid="x", frame=("left",))
    axes.tick_params(length=0)


def _has_k(name: str) -> bool:
    return name.rpartition("@")[2].isdigit()
