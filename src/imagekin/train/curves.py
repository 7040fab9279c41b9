"""How a training goes, as a page that looks again every few seconds, and as a line of blocks for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape as quoted
from typing import Any, Final

from imagekin import escape
from imagekin.train.runs import RUNNING, Epoch, History

_WIDTH, _HEIGHT = 720, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 34
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_SECONDS: Final = 5

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 1.5rem 0 .2rem; }
svg { width: 100%; height: auto; } text { font-size: 12px; fill: currentColor; }
.grid { stroke: currentColor; opacity: .18; } .curve { fill: none; stroke: #2a78d6; stroke-width: 2; }
.dot { fill: #2a78d6; } .best { fill: none; stroke: #c8500a; stroke-width: 2.5; }
table { border-collapse: collapse; } th, td { padding: .1rem .8rem .1rem 0; text-align: right; }
th { font-weight: 600; border-bottom: 1px solid; } tr.kept td { font-weight: 600; }
"""


def sparkline(values: Sequence[float]) -> str:
    """Values as blocks of eight heights, the least to the largest."""
    if not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[min(7, int(8 * (value - low) / span))] for value in values)


def page(facts: Mapping[str, Any], history: History) -> str:
    """The page of a run; while it runs, it looks for news every few seconds.

    Args:
        facts: of the run.
        history: its epochs.
    """
    return "\n".join(_page(facts, history))


def _page(facts: Mapping[str, Any], history: History) -> Iterator[str]:
    state, model = str(facts.get("state")), _safe(facts.get("model"))
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    if state == RUNNING:
        yield f'<meta http-equiv="refresh" content="{_SECONDS}">'
    yield f"<title>{model}: {_safe(state)}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{model}</h1><p>{_safe(_sentence(facts, history))}</p>"
    k = facts.get("k", 4)
    yield f"<h2>Held-out pictures: precision@{_safe(k)}</h2>"
    yield from _chart([(epoch.number, 100 * epoch.precision) for epoch in history], "%", _kept(history))
    yield "<h2>Loss</h2>"
    yield from _chart([(epoch.number, epoch.loss) for epoch in history if epoch.loss is not None], "", None)
    yield from _table(history, _safe(k))
    yield "</body></html>"


def _sentence(facts: Mapping[str, Any], history: History) -> str:
    images = facts.get("images") or {}
    about = f"{images.get('learn', 0):,} pictures of {len(facts.get('labels') or ()):,} classes to learn from"
    best = _kept(history)
    kept = "" if best is None else f"; epoch {best.number} is the best so far, with {best.precision:.2%}"
    return f"{facts.get('state')}: {about}, {len(history) - 1} epochs done{kept}."


def _kept(history: History) -> Epoch | None:
    return next((epoch for epoch in reversed(history) if epoch.best), None)


def _chart(points: Sequence[tuple[float, float]], unit: str, best: Epoch | None) -> Iterator[str]:
    points = [(x, y) for x, y in points if math.isfinite(y)]
    if not points:
        yield "<p>Nothing yet.</p>"
        return
    low, high = min(y for _, y in points), max(y for _, y in points)
    margin = 0.08 * (high - low) or max(1.0, 0.08 * abs(high))
    low, high, last = low - margin, high + margin, max(1.0, *(x for x, _ in points))

    def at(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / last * (_WIDTH - _LEFT - _RIGHT)
        return across, _TOP + (high - y) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    shown = f"by epoch, from {points[0][1]:.3g} to {points[-1][1]:.3g}{unit}"
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{shown}">'
    for tick in _ticks(low, high):
        y = at(0, tick)[1]
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}{unit}</text>'
    for tick in range(0, int(last) + 1, max(1, math.ceil(last / 10))):
        yield f'<text x="{at(tick, low)[0]:.1f}" y="{_HEIGHT - 12}" text-anchor="middle">{tick}</text>'
    line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in points)
    yield f'<polyline class="curve" points="{line}"/>'
    for x, y in points:
        yield '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3"/>'.format(*at(x, y))
    if best is not None:
        yield '<circle class="best" cx="{:.1f}" cy="{:.1f}" r="7"/>'.format(*at(best.number, 100 * best.precision))
    yield "</svg>"


def _ticks(low: float, high: float) -> list[float]:
    """Two to seven round numbers between the two."""
    rough = (high - low) / 6
    power = 10 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough)
    first = math.ceil(low / step)
    return [round(number * step, 10) for number in range(first, math.floor(high / step) + 1)]


def _table(history: History, k: str) -> Iterator[str]:
    best = _kept(history)
    heads = "".join(f"<th>{title}</th>" for title in ("epoch", "loss", f"precision@{k}", "rate", "seconds"))
    yield f"<h2>Epochs</h2><table><tr>{heads}</tr>"
    for epoch in reversed(history):
        loss = "" if epoch.loss is None else f"{epoch.loss:.4f}"
        cells = (f"{epoch.number}", loss, f"{epoch.precision:.2%}", f"{epoch.rate:.2g}", f"{epoch.seconds:,.0f}")
        kept = ' class="kept"' if epoch is best else ""
        yield f"<tr{kept}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    yield "</table>"


def _safe(text: object) -> str:
    return quoted(escape.terminal(str(text)), quote=True)
