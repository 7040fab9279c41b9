"""What a plot of recall against speed shows, before anybody draws it: scales, lines, colours.

The axis of recall is a logarithm of what is missed, so that 0.9, 0.99 and 0.999 lie equally far apart: engines differ
there, and on an even axis they would all lie on its last millimetres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imagekin.benchmark import pareto
from imagekin.benchmark.records import Record
from imagekin.index import ENGINES

SPEEDS: Final = {"single_qps": "queries a second, one at a time", "batch_qps": "queries a second, in batches"}
"""Figures that stand for speed, and their axis labels."""

BETTER: Final = "up and to the right is better"
LOWEST: Final = 0.5
"""Recall below which points are left out where there are others."""

TICKS: Final = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
_REST: Final = 5e-4

COLOURS: Final = (
    "#1f6fd6", "#d9480f", "#2b8a3e", "#9c36b5", "#b08900", "#0c8599", "#c2255c", "#5f3dc4", "#66a80f", "#862e2e",
    "#e8590c", "#1864ab", "#099268", "#a61e4d", "#74662b", "#3b5bdb", "#d6336c", "#495057", "#00a3a3", "#7048e8",
)  # fmt: skip
"""Dark enough on white, and no two neighbours alike."""

MARKERS: Final = ("o", "s", "^", "D", "v")
"""Circle, square, triangle, diamond, triangle on its tip: five times twenty ways to tell engines apart."""

DASHES: Final = ("", "6 3")


def across(recall: float) -> float:
    """Where a recall lies on its axis."""
    return -math.log10(1 - min(max(recall, 0.0), 1.0) + _REST)


@dataclass(frozen=True, slots=True)
class Line:
    """An engine's records in a plot.

    Attributes:
        engine: its name.
        best: the records that none of its own beats, by ascending recall: the line.
        others: its other records: faint points.
        colour: of line and points.
        marker: of ``MARKERS``.
        dash: of ``DASHES``.
    """

    engine: str
    best: Sequence[Record]
    others: Sequence[Record]
    colour: str
    marker: str
    dash: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that is drawn.

    Attributes:
        speed: of ``SPEEDS``.
        lines: one an engine, the quickest at recall 0.95 first.
        front: the records that no record beats.
        recalls: lowest and highest recall.
        speeds: lowest and highest speed, with room.
        k: of recall@k.
    """

    speed: str
    lines: Sequence[Line]
    front: Sequence[Record]
    recalls: tuple[float, float]
    speeds: tuple[float, float]
    k: int

    def ticks(self) -> list[float]:
        """The recalls to write along the axis."""
        return [tick for tick in TICKS if self.recalls[0] <= tick <= self.recalls[1]]


def chart(records: Sequence[Record], speed: str = "single_qps") -> Chart:
    """What to draw of *records*; failed ones, and those far down on recall, are left out."""
    there = [record for record in records if not record.failed and record.figure(speed) > 0]
    high = [record for record in there if record.figure("recall") >= LOWEST]
    there = high or there
    engines = list(dict.fromkeys(record.engine for record in there))
    lines = [_line(engine, [record for record in there if record.engine == engine], speed) for engine in engines]
    lines.sort(key=lambda line: _rank(line, speed))
    recalls = [record.figure("recall") for record in there] or [0.5]
    rates = [record.figure(speed) for record in there] or [1.0]
    k = int(there[0].data.get("k", 10)) if there else 10
    lowest = max([tick for tick in (0.0, *TICKS) if tick <= min(recalls)])
    return Chart(speed, lines, pareto.front(there, speed), (lowest, 1.0), (min(rates) / 1.5, max(rates) * 1.5), k)


def _line(engine: str, records: Sequence[Record], speed: str) -> Line:
    best = pareto.front(records, speed)
    others = [record for record in records if record not in best]
    place = list(ENGINES).index(engine) if engine in ENGINES else sum(map(ord, engine))
    return Line(
        engine, best, others, COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], DASHES[place // 2 % 2]
    )


def _rank(line: Line, speed: str) -> tuple[bool, float]:
    found = pareto.quickest(line.best, 0.95, speed)
    if found is None:
        return True, 0.0
    return found.figure("recall") < 0.95, -found.figure(speed)
