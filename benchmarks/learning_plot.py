"""The plots of docs/learning.md, from its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.cells import Figures
from benchmarks.learning_page import IMAGES, WAYS
from imagekin import figures as drawing
from imagekin.figures import ACCENT, EDGE, INK, SOFT

NEW: Final = "#b35c00"
MAPS: Final = ("frozen", "head", "fine-tuned", "metric-learned")
COLOURS: Final = (
    "#1f6fd6", "#d1495b", "#3f7d4e", "#b35c00", "#8a4fa3", "#0f8b8d", "#c99700", "#5f5f66", "#e377c2", "#7a5230",
)  # fmt: skip
APART: Final = 0.045
"""Share of the axis by which names stand apart."""

LEGEND: Final[dict[str, Any]] = {"fontsize": 9, "labelcolor": INK, "frameon": False}


def save(figures: Figures, folder: Path) -> None:
    """Write every plot that there are figures for."""
    drawn = (_gains, _experiments, _maps)
    for name, draw in zip(IMAGES, drawn, strict=True):
        made = draw(figures)
        if made is not None:
            drawing.save(made, folder / name)


def _gains(figures: Figures) -> Any:
    """Points against joules for both kinds of classes, beside the precision that is reached."""
    rows = {name: figures["rows"][name] for name in WAYS if name in figures.get("rows", {})}
    learned = {name: row for name, row in rows.items() if row["work"]}
    if not learned:
        return None
    made = drawing.new(13, 5.4)
    cost, reached = made.subplots(1, 2, width_ratios=(1.15, 1))
    _draw_cost(cost, learned)
    _draw_reached(reached, rows)
    return made


def _draw_cost(axes: Any, learned: Figures) -> None:
    joules = [row["work"]["joules"] for row in learned.values()]
    for kind, colour in (("known", ACCENT), ("new", NEW)):
        gains = [100 * row[kind]["gain"]["value"] for row in learned.values()]
        ends = [[100 * row[kind]["gain"][end] for row in learned.values()] for end in ("low", "high")]
        spans = np.abs(np.array(ends) - gains)
        axes.errorbar(joules, gains, spans, fmt="o", color=colour, elinewidth=1, alpha=0.9, label=f"{kind} classes")
    high = max(100 * row["known"]["gain"]["high"] for row in learned.values())
    free = float("inf")
    for name, row in sorted(learned.items(), key=lambda each: -each[1]["known"]["gain"]["value"]):
        gain = 100 * row["known"]["gain"]["value"]
        free = min(gain, free - APART * (high + 1))
        beside = max(joules) if 3 * row["work"]["joules"] > max(joules) else row["work"]["joules"]
        axes.text(1.1 * beside, free, name, fontsize=8.5, color=INK, va="center")
    axes.axhline(0, color=SOFT, linewidth=0.9)
    axes.set_xscale("log")
    axes.set_xlim(min(joules) / 1.6, max(joules) * 3)
    axes.set_ylim(top=high + 1)
    axes.legend(loc="upper left", **LEGEND)
    drawing.dress(axes, across="joules of learning", up="points of precision@4 gained, 95 % interval")
    drawing.head(axes, "What a point costs")


def _draw_reached(axes: Any, rows: Figures) -> None:
    places = np.arange(len(rows))
    for kind, colour, shift in (("known", ACCENT, -0.19), ("new", NEW, 0.19)):
        shares = [100 * row[kind]["precision@4"]["value"] for row in rows.values()]
        axes.barh(places + shift, shares, 0.36, color=colour, label=f"{kind} classes")
        for place, share in zip(places, shares, strict=True):
            axes.text(share + 0.15, place + shift, f"{share:.1f}", fontsize=8.5, color=INK, va="center")
    low = min(100 * row[kind]["precision@4"]["value"] for row in rows.values() for kind in ("known", "new"))
    axes.set_xlim(max(0, low - 3), 100.5)
    axes.set_yticks(places, list(rows))
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, **LEGEND)
    drawing.dress(axes, across="precision@4, % (the axis does not begin at 0)", grid="x", frame=("bottom",))
    drawing.head(axes, "What is reached")


def _experiments(figures: Figures) -> Any:
    """By depth, by the number of stages that learn, and by the length of fc2."""
    parts = [(name, draw) for name, draw in _EXPERIMENTS.items() if figures.get(name)]
    if not parts:
        return None
    made = drawing.new(5 * len(parts), 4.2)
    for axes, (_, draw) in zip(made.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        draw(axes, figures)
    return made


def _draw_layers(axes: Any, figures: Figures) -> None:
    rows = figures["layers"]
    names = [row["name"].removeprefix("with the top: ") for row in rows]
    for kind, colour in (("known", ACCENT), ("new", NEW)):
        axes.plot(names, [100 * row[kind] for row in rows], "o-", color=colour, label=f"{kind} classes")
    axes.tick_params(axis="x", rotation=55)
    axes.legend(loc="lower right", **LEGEND)
    drawing.dress(axes, up="precision@4, %")
    drawing.head(axes, "Cut after each stage")


def _draw_unfrozen(axes: Any, figures: Figures) -> None:
    points = [(int(count), 100 * row["known"]) for count, row in figures["unfreeze"].items() if count != "facts"]
    axes.plot(*zip(*points, strict=True), "o-", color=ACCENT)
    axes.set_xticks([count for count, _ in points])
    drawing.dress(axes, across="last stages that learn", up="precision@4, known classes, %")
    drawing.head(axes, "How many layers to unfreeze")


def _draw_codes(axes: Any, figures: Figures) -> None:
    rows = figures["fc2"]
    sizes = {int(name): row for name, row in rows.items() if name.isdigit()}
    for name, title, colour in (("precision@4", "precision@4", ACCENT), ("accuracy", "accuracy of 10 nearest", NEW)):
        axes.plot(list(sizes), [100 * row[name] for row in sizes.values()], "o-", color=colour, label=title)
    for name, style in (("raw pixels", (0, (2, 3))), ("the built-in model", (0, (6, 3)))):
        if name in rows:
            axes.axhline(100 * rows[name]["precision@4"], color=SOFT, linewidth=1, linestyle=style)
            axes.text(max(sizes, default=1), 100 * rows[name]["precision@4"], f"{name}, precision@4 ", fontsize=8,
                      color=SOFT, ha="right", va="bottom")  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(sizes), [str(size) for size in sizes])
    axes.legend(loc="lower right", **LEGEND)
    drawing.dress(axes, across="numbers of fc2", up="%")
    drawing.head(axes, "The length of a small network's vectors")


_EXPERIMENTS: Final = {"layers": _draw_layers, "unfreeze": _draw_unfrozen, "fc2": _draw_codes}


def _maps(figures: Figures) -> Any:
    """The held-out pictures of the worst classes, as each way lays them out."""
    rows = {name: figures["rows"][name] for name in MAPS if name in figures.get("rows", {})}
    if "frozen" not in rows:
        return None
    labels = sorted(rows["frozen"]["worst"], key=lambda label: rows["frozen"]["worst"][label])
    made = drawing.new(4.6 * len(rows), 5.2)
    every = made.subplots(1, len(rows), squeeze=False)[0]
    for axes, (name, row) in zip(every, rows.items(), strict=True):
        given, xy = np.array(row["map"]["labels"]), np.array(row["map"]["xy"])
        for number, label in enumerate(labels):
            mine = given == label
            axes.scatter(*xy[mine].T, s=14, color=COLOURS[number % len(COLOURS)], linewidths=0, alpha=0.85, label=label)
        mean = np.mean([row["worst"][label] for label in labels])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", adjustable="datalim")
        for spine in axes.spines.values():
            spine.set_color(EDGE)
        drawing.head(axes, f"{name}: precision@4 {mean:.0%}")
    handles, names = every[0].get_legend_handles_labels()
    made.legend(handles, names, loc="outside lower center", ncols=5, markerscale=2, **LEGEND)
    return made
