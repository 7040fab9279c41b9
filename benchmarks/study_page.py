"""docs/study.md: the study of the lecture notes beside ours, from the newest record; nothing in it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from benchmarks.cells import Figures, Lines, figure, percent, table
from benchmarks.record import Record
from benchmarks.study import PCA

NAME: Final = "study.md"

NOTES: Final[Figures] = {
    "accuracy": 0.870,
    "extraction_s": 16.6 * 60,
    "evaluation_s": 585,
    "brute_ms": 59.8,
    "pca_ms": 5.3,
    "annoy_ms": 0.019,
    "sweep": {
        1: 0.1543,
        2: 0.2615,
        3: 0.3240,
        4: 0.4007,
        5: 0.4593,
        10: 0.6393,
        20: 0.7781,
        50: 0.8521,
        75: 0.8638,
        100: 0.8691,
        150: 0.8703,
        200: 0.8705,
    },
}
"""What the notes report: ResNet-50, 2,048 features, Caltech-101, mean precision over 4 neighbours, their machine."""


def render(found: Record) -> str:
    """The whole page."""
    figures, machine = found["figures"], found["machine"]
    return "\n".join(
        [
            "# The study of the lecture notes, beside ours",
            "",
            f"Written by `python -m benchmarks report` from the newest record of `{found['command']}`, "
            f"{found['date'][:10]}, {machine['processor']}, {machine['cores']} cores, no GPU.  The same study of your "
            "own pictures, as a page with plots and pictures, is a command: `imagekin study FOLDER --out report.html` "
            "([studies](studies.md)).",
            "",
            f"Both use the {figures['pictures']:,} pictures and {figures['classes']} classes of Caltech-101, and the "
            "same measure: *accuracy* is the mean share of the 4 nearest others that have the picture's class "
            "(precision@4, leave-one-out).  The notes' features are ResNet-50's (2,048 elements); ours are those of "
            f"{figures['model']} ({figures['dim']:,} elements), which needs no download.  Times of the notes come from "
            "another machine and are here for their order of size only; only ratios within one column compare.",
            "",
            *lines(figures),
            "",
        ]
    )


def lines(figures: Figures) -> Lines:
    """The tables."""
    return [*_headline(figures), "", *_sweep(figures), "", *_latency(figures)]


def _headline(figures: Figures) -> Iterator[str]:
    extraction, accuracy = figures["extraction"], figures["accuracy"]
    interval = f"{percent(accuracy['value'], 2)} ({percent(accuracy['low'])}–{percent(accuracy['high'])})"
    took, theirs = extraction["seconds"], NOTES["extraction_s"]
    yield from table(
        ["", "notes", "imagekin", "ratio"],
        [
            ["accuracy of the original features", percent(NOTES["accuracy"]), interval, ""],
            ["extracting all features, s", figure(theirs), figure(took), f"{theirs / took:.0f} x"],
            [
                "exact evaluation of all pictures, s",
                figure(NOTES["evaluation_s"]),
                figure(figures["evaluation_s"]),
                f"{NOTES['evaluation_s'] / figures['evaluation_s']:.0f} x",
            ],
        ],
    )


def _sweep(figures: Figures) -> Iterator[str]:
    sweep = figures["sweep"]
    yield "### Accuracy against the dimension after PCA"
    yield ""
    yield from table(
        ["dimensions", "notes", "imagekin", "95 % interval", "bytes an image", "speed of a search"],
        list(_reduced(sweep)),
    )
    yield ""
    yield sweep["sentence"]
    yield f"The whole sweep took {figure(figures['sweep_s'])} s."


def _reduced(sweep: Figures) -> Iterator[list[Any]]:
    for row in [*sweep["lengths"], sweep["whole"]]:
        theirs, ours = NOTES["sweep"].get(row["dim"]), row["precision"]
        interval = f"{percent(ours['low'])}–{percent(ours['high'])}"
        speed = f"{row['speed']:.1f} x"
        theirs_said = "" if theirs is None else percent(theirs, 2)
        yield [row["dim"], theirs_said, percent(ours["value"], 2), interval, row["bytes"], speed]


def _latency(figures: Figures) -> Iterator[str]:
    measured = figures["latency"]
    first = next(iter(measured.values()))["ms"]["median"]
    yield "### One query"
    yield ""
    quicker = NOTES["brute_ms"] / NOTES["pca_ms"]
    yield (
        f"The notes: {NOTES['brute_ms']} ms by brute force at full length, {NOTES['pca_ms']} ms after PCA to {PCA} "
        f"({quicker:.0f} x), {NOTES['annoy_ms'] * 1e3:.0f} µs by Annoy.  Here, in turns on the same held-out queries, "
        "`scikit-learn` being the notes' own way:"
    )
    yield ""
    rows = [
        [name, figure(one["ms"]["median"]), f"{first / one['ms']['median']:.1f} x", f"{one['recall']:.3f}"]
        for name, one in measured.items()
    ]
    yield from table(["search, vectors", "ms", "times the first", "recall@4"], rows)
