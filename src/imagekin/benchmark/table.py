"""The classic table as Markdown, for a page or an issue."""

from __future__ import annotations

from collections.abc import Sequence

from imagekin import escape
from imagekin.benchmark import pareto
from imagekin.benchmark.page import COLUMNS, shown
from imagekin.benchmark.records import Record


def markdown(records: Sequence[Record], *, recall: float = 0.95) -> str:
    """One row an engine: its quickest setting that reaches *recall*, or else its best; those on the front are bold."""
    engines = dict.fromkeys(record.engine for record in records)
    rows = [pareto.quickest([record for record in records if record.engine == name], recall) for name in engines]
    there = sorted(filter(None, rows), key=lambda each: (each.figure("recall") < recall, -each.figure("single_qps")))
    front = {record.key for record in pareto.front(records)}
    lines = [
        f"| engine | {' | '.join(title for title, _ in COLUMNS)} |",
        f"| --- | {' | '.join('---:' for _ in COLUMNS)} |",
    ]
    for record in there:
        name = f"`{_plain(record.spec)}`"
        cells = [shown(figure, record.figure(figure)) for _, figure in COLUMNS]
        lines.append(f"| {f'**{name}**' if record.key in front else name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _plain(spec: str) -> str:
    """A spec that cannot end its cell or its code span."""
    return escape.terminal(spec).replace("|", "\\|").replace("`", "'")
