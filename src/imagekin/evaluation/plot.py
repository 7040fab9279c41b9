"""Plots of evaluations, by matplotlib; every function returns the figure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imagekin import ellipsis, escape
from imagekin.errors import InputError, MissingPackageError
from imagekin.evaluation.records import EditFigures, Evaluation, SelfRetrieval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK: Final = "#1c1c1e"
_SOFT: Final = "#707076"
_EDGE: Final = "#dededa"
_ACCENT: Final = "#1f6fd6"
_PALE: Final = "#a9c9f2"

SUFFIXES: Final = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")
"""What a figure can be saved as."""

WORST: Final = 20
"""Classes that are shown by name."""

NAMED: Final = 30
"""Classes up to which a confusion matrix has their names."""


def writable(path: str | Path) -> Path:
    """The path to save a figure to, once its suffix and folder are known to be good: to be asked before long work.

    Raises:
        InputError: another suffix, or no such folder.
        MissingPackageError: matplotlib is not installed.
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(f"a plot is saved as {', '.join(SUFFIXES)}, not as {str(path)!r}.")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {str(path)!r}: the folder {str(target.parent)!r} does not exist.")
    _blank(1, 1)
    return target


def figure(found: Evaluation | SelfRetrieval) -> Figure:
    """Draw an evaluation: measures with intervals, worst classes, confusions; or recall@1 by edit and strength.

    Returns:
        A figure that belongs to no window and no global state; save it with ``savefig``.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    return of_edits(found) if isinstance(found, SelfRetrieval) else of_labels(found)


def save(made: Figure, path: str | Path) -> Path:
    """Write a figure in the format of its suffix, replacing a file of that name in one step.

    Raises:
        InputError: it cannot be written.
    """
    target = writable(path)
    part = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        made.savefig(part)
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}.") from error
    return target


def of_labels(found: Evaluation) -> Figure:
    """Measures with their 95 % intervals, the worst classes, and the confusion matrix."""
    made = _blank(17, 7.2)
    measures, classes, matrix = made.subplots(1, 3, width_ratios=(1, 1, 1.25))
    _draw_measures(measures, found)
    _draw_classes(classes, found)
    _draw_matrix(made, matrix, found)
    title = (
        f"{_short(found.name)}: {found.queries:,} queries of {found.classes:,} classes among {found.searched:,} "
        f"images, {found.split}, {found.metric}"
    )
    made.suptitle(escape.terminal(title), x=0.01, ha="left", fontsize=13, color=_INK, fontweight="bold", **_PLAIN)
    return made


def of_edits(found: SelfRetrieval) -> Figure:
    """recall@1 of every edit and strength with its 95 % interval, one colour an edit."""
    made = _blank(9, 1.6 + 0.3 * len(found.edits))
    axes = made.add_subplot()
    place, ticks, names = 0.0, [], []
    for edit, group in groupby(found.edits, key=lambda one: one.edit):
        rows = list(group)
        places = [place + number for number in range(len(rows))]
        _draw_edit(axes, rows, places)
        ticks += places
        names += [f"{edit}: {one.strength}" for one in rows]
        place = places[-1] + 1.6
    axes.set_yticks(ticks, [_short(name, 40) for name in names], fontsize=9)
    axes.set_ylim(place - 0.6, -1)
    _shares(axes, "recall@1: the original is found first")
    title = f"{_short(found.name)}: {found.pictures:,} edited pictures among {found.searched:,}"
    axes.set_title(escape.terminal(title), loc="left", fontsize=12, color=_INK, fontweight="bold", **_PLAIN)
    return made


_PLAIN: Final[dict[str, Any]] = {"parse_math": False}


def _draw_measures(axes: Any, found: Evaluation) -> None:
    """A dot and a whisker each, from the smallest k to the largest, then those without one.

    At k = 1 all but recall are the same by definition, and drawn once.
    """
    several = [one for one in found.figures if not one.name.endswith("@1") or one.name in ("precision@1", "recall@1")]
    ordered = sorted(several, key=lambda one: int(one.name.rpartition("@")[2]) if _has_k(one.name) else 1 << 62)
    for row, one in enumerate(ordered):
        axes.plot([one.low, one.high], [row, row], color=_PALE, linewidth=5, solid_capstyle="round", zorder=2)
        axes.plot([one.value], [row], "o", color=_ACCENT, markersize=6, zorder=3)
        axes.annotate(f"{one.value:.1%}", (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)
    axes.set_yticks(range(len(ordered)), [one.name for one in ordered], fontsize=9)
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    _shares(axes, "mean over queries, 95 % interval over classes")


def _draw_classes(axes: Any, found: Evaluation) -> None:
    worst = found.per_class[:WORST]
    places = range(len(worst))
    axes.barh(places, [one.precision for one in worst], color=_PALE, height=0.72, zorder=2)
    for place, one in enumerate(worst):
        note = "" if one.taken_for is None else f"taken for {_short(one.taken_for, 16)} ({one.taken})"
        axes.annotate(note, (0.015, place), va="center", fontsize=8, color=_SOFT, zorder=3, **_PLAIN)
    labels = [f"{_short(one.label, 18)} ({one.queries})" for one in worst]
    axes.set_yticks(places, labels, fontsize=9, **_PLAIN)
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
        names = [_short(label, 16) for label in labels]
        axes.set_xticks(range(len(labels)), names, rotation=90, fontsize=8, **_PLAIN)
        axes.set_yticks(range(len(labels)), names, fontsize=8, **_PLAIN)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    axes.set_xlabel(f"taken for, by the votes of {found.k[0]} neighbours", color=_INK)
    axes.set_ylabel(f"true class ({len(labels):,}, by name)", color=_INK)
    for spine in axes.spines.values():
        spine.set_color(_EDGE)


def _draw_edit(axes: Any, rows: Sequence[EditFigures], places: Sequence[float]) -> None:
    axes.barh(places, [one.recall for one in rows], color=_PALE, height=0.78, zorder=2)
    for one, place in zip(rows, places, strict=True):
        axes.plot([one.low, one.high], [place, place], color=_ACCENT, linewidth=1.6, zorder=3)
        axes.annotate(f"{one.recall:.1%}", (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)


def _shares(axes: Any, what: str) -> None:
    """An axis from 0 to 100 %, a light grid, no frame."""
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel(what, color=_INK)
    axes.grid(True, axis="x", color=_EDGE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_SOFT, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(_EDGE)


def _has_k(name: str) -> bool:
    return name.rpartition("@")[2].isdigit()


def _short(text: str, most: int = 48) -> str:
    """Harmless and of bounded length."""
    return ellipsis.middle(escape.terminal(text), lambda part: len(part) <= most)


def _blank(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            'plots need a package that is not installed (matplotlib); install it with: pip install "imagekin[bench]"'
        ) from error
    return Figure(figsize=(width, height), dpi=130, facecolor="white", layout="constrained")
