"""The same plot as SVG for the report: no library, nothing to download, and alive under the pointer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape as quoted
from typing import Final

from imagekin import escape
from imagekin.benchmark.chart import BETTER, SPEEDS, Chart, Line, across
from imagekin.benchmark.records import Record

WIDTH: Final = 980
HEIGHT: Final = 600
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 18, 58


def safe(text: object) -> str:
    """*text* harmless in HTML, in attributes too, and plainly visible: no control or bidirectional characters."""
    return quoted(escape.terminal(str(text)), quote=True)


def draw(chart: Chart) -> str:
    """An ``<svg>`` element; lines and points carry ``data-engine``, points ``data-tip``."""
    return "\n".join(_Drawing(chart).parts())


class _Drawing:
    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self._low, self._high = across(chart.recalls[0]) - 0.03, across(1.0) + 0.06
        self._slow, self._fast = (math.log10(value) for value in chart.speeds)

    def parts(self) -> Iterator[str]:
        title = f"recall against {SPEEDS[self.chart.speed]}; {BETTER}"
        yield f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{safe(title)}">'
        yield from self._axes()
        points = " ".join(f"{self._x(record):.1f},{self._y(record):.1f}" for record in self.chart.front)
        yield f'<polyline class="best" points="{points}"/>'
        for line in self.chart.lines:
            yield from self._line(line)
        for record in self.chart.front:
            yield f'<circle class="ring" cx="{self._x(record):.1f}" cy="{self._y(record):.1f}" r="8"/>'
        yield "</svg>"

    def _x(self, record: Record) -> float:
        return self._at(record.figure("recall"))

    def _at(self, recall: float) -> float:
        share = (across(recall) - self._low) / (self._high - self._low)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def _y(self, record: Record) -> float:
        return self._height(math.log10(record.figure(self.chart.speed)))

    def _height(self, power: float) -> float:
        share = (power - self._slow) / (self._fast - self._slow)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def _axes(self) -> Iterator[str]:
        right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
        for power in range(math.floor(self._slow), math.ceil(self._fast) + 1):
            for step in (1, 2, 5):
                place = power + math.log10(step)
                if self._slow <= place <= self._fast:
                    y = self._height(place)
                    kind = "grid" if step == 1 else "grid thin"
                    yield f'<line class="{kind}" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
                    text = f'x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(place)}'
                    yield f'<text class="tick" {text}</text>'
        for tick in self.chart.ticks():
            x = self._at(tick)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>'
            yield f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>'
        middle = (_LEFT + right) / 2
        yield (
            f'<text class="axis" x="{middle:.0f}" y="{HEIGHT - 12}" text-anchor="middle">recall@{self.chart.k} '
            "(logarithm of what is missed)</text>"
        )
        yield (
            f'<text class="axis" transform="translate(16 {(_TOP + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle">'
            f"{safe(SPEEDS[self.chart.speed])} (logarithm)</text>"
        )
        yield f'<text class="better" x="{right - 6}" y="{_TOP + 16}" text-anchor="end">{BETTER} ↗</text>'

    def _line(self, line: Line) -> Iterator[str]:
        points = " ".join(f"{self._x(record):.1f},{self._y(record):.1f}" for record in line.best)
        dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
        yield f'<g class="series" data-engine="{safe(line.engine)}" style="--c:{line.colour}">'
        yield f'<polyline class="curve" points="{points}"{dash}/>'
        yield from (self._point(record, line.marker, "faint") for record in line.others)
        yield from (self._point(record, line.marker, "point") for record in line.best)
        yield "</g>"

    def _point(self, record: Record, marker: str, kind: str) -> str:
        x, y = self._x(record), self._y(record)
        return (
            f'<path class="{kind}" transform="translate({x:.1f} {y:.1f})" d="{SHAPES[marker]}" tabindex="-1" '
            f'data-tip="{safe(tip(record))}"/>'
        )


SHAPES: Final = {
    "o": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "s": "M-3.6,-3.6h7.2v7.2h-7.2z",
    "^": "M0,-4.8L4.6,3.6L-4.6,3.6z",
    "D": "M0,-5L5,0L0,5L-5,0z",
    "v": "M0,4.8L4.6,-3.6L-4.6,-3.6z",
}
"""Outlines of the markers around 0,0."""


def tip(record: Record) -> str:
    """A record in a few words."""
    return (
        f"{record.spec} | recall {record.figure('recall'):.4f} | {record.figure('single_qps'):,.0f} queries/s one at a "
        f"time (p50 {record.figure('p50_ms'):.3f} ms, p99 {record.figure('p99_ms'):.3f} ms) | "
        f"{record.figure('batch_qps'):,.0f} in batches | built in {record.figure('build_s'):,.1f} s"
    )


def _number(power: float) -> str:
    value = 10**power
    return f"{value:,.0f}" if value >= 1 else f"{value:.2g}"
