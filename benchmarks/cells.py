"""Figures as text, and text as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]
Lines = list[str]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Lines:
    """A Markdown table; every column but the first is aligned to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(map(str, row))} |" for row in (head, rule, *rows)]


def figure(value: float) -> str:
    """A number as people read it: three digits or more, thousands separated."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def middle(spread: Figures, unit: str = "") -> str:
    """``median (p25–p75)``."""
    return f"{figure(spread['median'])}{unit} ({figure(spread['p25'])}–{figure(spread['p75'])})"


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def spread_percent(spread: Figures) -> str:
    return f"{percent(spread['median'])} ({percent(spread['p25'])}–{percent(spread['p75'])})"
