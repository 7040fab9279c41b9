"""The report: one HTML file that needs nothing else, from records alone.

Names of engines, data and machines come from files and other people's packages; each goes through ``svg.safe``.
"""

from __future__ import annotations

import base64
import hashlib
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from imagekin.benchmark import chart as charts
from imagekin.benchmark import pareto, svg
from imagekin.benchmark.grid import Absent
from imagekin.benchmark.records import Record
from imagekin.benchmark.svg import safe

RECALLS: Final = (0.90, 0.95, 0.99)
"""Recalls at which the table compares engines."""

UNEVEN: Final = 1.3
"""Ratio of the machine's slowest and quickest pace from which a report warns."""

COLUMNS: Final[Sequence[tuple[str, str]]] = (
    ("recall", "recall"),
    ("1-R@1", "first"),
    ("search ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("queries/s", "single_qps"),
    ("in batches", "batch_qps"),
    ("build s", "build_s"),
    ("memory MB", "anonymous_bytes"),
    ("disk MB", "disk_bytes"),
    ("open ms", "open_s"),
)
"""Headings of the table, and the figures below them."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a page is made of.

    Attributes:
        records: of one set of vectors.
        absent: engines that were not measured, with the reason.
        command: that makes the same again.
        notes: what a reader must know, in sentences.
    """

    records: Sequence[Record]
    absent: Sequence[Absent] = ()
    command: str = ""
    notes: Sequence[str] = ()


def page(report: Report) -> str:
    """The report as HTML."""
    return "\n".join(_lines(report)) + "\n"


def shown(figure: str, value: float) -> str:
    """A figure in the unit of its heading in ``COLUMNS``; a dash where it was not measured."""
    if math.isnan(value):
        return "-"
    if figure in ("recall", "first"):
        return f"{value:.4f}"
    if figure.endswith("_bytes"):
        return f"{value / 1e6:,.1f}"
    if figure.endswith("_qps"):
        return f"{value:,.0f}"
    if figure == "open_s":
        return f"{value * 1e3:,.1f}"
    return f"{value:,.3f}" if figure.endswith("_ms") else f"{value:,.2f}"


def uneven(records: Sequence[Record]) -> str | None:
    """A sentence where the machine was not equally fast for every engine."""
    paces = [record.figure("pace_ms") for record in records if record.figure("pace_ms") > 0]
    if not paces or max(paces) <= UNEVEN * statistics.median(paces):
        return None
    ratio = max(paces) / statistics.median(paces)
    return (
        f"The machine was not equally free all the time: a fixed piece of work took up to {ratio:.1f} times its "
        "median. Compare neighbouring lines with care, or measure again when it is quiet."
    )


def _lines(report: Report) -> Iterator[str]:
    data: Mapping[str, Any] = report.records[0].data if report.records else {}
    title = f"{data.get('name', 'nothing')}: engines compared"
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    script = _asset("report.js")
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    yield (
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{own}'\">"
    )
    yield f"<title>{safe(title)}</title><style>{_asset('report.css')}</style></head><body>"
    yield f"<header><h1>{safe(title)}</h1><p>{_facts(data)}</p></header>"
    notes = [*report.notes, *filter(None, [uneven(report.records)])]
    yield from (f'<p class="note">{safe(note)}</p>' for note in notes)
    yield from _figures(report.records)
    yield from _classic(report.records)
    yield from _every(report.records)
    yield from _faults(report)
    yield from _how(report)
    yield f"<script>{script}</script></body></html>"


def _asset(name: str) -> str:
    return files("imagekin.benchmark").joinpath(name).read_text(encoding="utf-8")


def _facts(data: Mapping[str, Any]) -> str:
    if not data:
        return "no engine could be measured"
    return (
        f"{data['rows']:,} vectors of {data['dim']:,} elements, {safe(data['metric'])} distance; {data['queries']:,} "
        f"queries that are not among them, {data['k']:,} hits each"
    )


def _figures(records: Sequence[Record]) -> Iterator[str]:
    drawn = [charts.chart(records, speed) for speed in charts.SPEEDS]
    if not drawn[0].lines:
        return
    yield '<section id="plot"><div class="bar" role="group">'
    for number, chart in enumerate(drawn):
        name = charts.SPEEDS[chart.speed].partition(", ")[2]
        yield f'<button data-show="{chart.speed}" aria-pressed="{str(number == 0).lower()}">{safe(name)}</button>'
    yield '</div><div class="pair">'
    for number, chart in enumerate(drawn):
        hidden = " hidden" if number else ""
        yield f'<figure data-speed="{chart.speed}"{hidden}>{svg.draw(chart)}</figure>'
    yield '<ul id="legend">'
    for line in drawn[0].lines:
        mark = f'<svg viewBox="-6 -6 12 12"><path d="{svg.SHAPES[line.marker]}" fill="{line.colour}"/></svg>'
        name = safe(line.engine)
        yield f'<li><button data-engine="{name}" aria-pressed="true">{mark}{name}</button></li>'
    yield '<li class="key"><span class="ringkey"></span>Pareto front: no other is as good in both</li></ul></div>'
    yield '<p class="soft">Point at a mark to read it; click an engine to take it out. Faint marks are beaten by the '
    yield 'same engine.</p><div id="tip" hidden></div></section>'


def _classic(records: Sequence[Record]) -> Iterator[str]:
    """One row an engine, at each of the recalls."""
    engines = list(dict.fromkeys(record.engine for record in records if not record.failed))
    if not engines:
        return
    front = {record.key for record in pareto.front(records)}
    yield '<section><h2>Each engine at its quickest</h2><div class="bar" role="group">with a recall of '
    for recall in RECALLS:
        yield f'<button data-recall="{recall}" aria-pressed="{str(recall == 0.95).lower()}">{recall:.2f}</button>'
    yield 'or more</div><div class="wide"><table><thead>' + _heading() + "</thead>"
    for recall in RECALLS:
        rows = [pareto.quickest([record for record in records if record.engine == name], recall) for name in engines]
        there = sorted(
            filter(None, rows), key=lambda record: (record.figure("recall") < recall, -record.figure("single_qps"))
        )
        yield f'<tbody data-recall="{recall}"{"" if recall == 0.95 else " hidden"}>'
        yield from (_row(record, record.key in front, record.figure("recall") < recall) for record in there)
        yield "</tbody>"
    yield '</table></div><p class="soft">Pale: does not reach it with any of its settings; its best is shown. Ringed: '
    yield "on the Pareto front.</p></section>"


def _every(records: Sequence[Record]) -> Iterator[str]:
    there = [record for record in records if not record.failed]
    if not there:
        return
    front = {record.key for record in pareto.front(there)}
    yield f"<section><details><summary>All {len(there)} measurements</summary>"
    yield '<div class="wide"><table class="sortable"><thead>' + _heading() + "</thead><tbody>"
    for record in there:
        yield _row(record, record.key in front, False)
    yield "</tbody></table></div></details></section>"


def _heading() -> str:
    cells = "".join(f'<th scope="col">{safe(title)}</th>' for title, _ in COLUMNS)
    return f'<tr><th scope="col">engine</th>{cells}</tr>'


def _row(record: Record, on_front: bool, short: bool) -> str:
    cells = "".join(
        f'<td data-value="{record.figure(name):.9g}">{shown(name, record.figure(name))}</td>' for _, name in COLUMNS
    )
    kind = f"{'front ' if on_front else ''}{'short' if short else ''}".strip()
    return f'<tr class="{kind}"><th scope="row"><code>{safe(record.spec)}</code></th>{cells}</tr>'


def _faults(report: Report) -> Iterator[str]:
    failed = [(record.spec, record.reason) for record in report.records if record.failed]
    rows = failed + [(each.engine, each.reason) for each in report.absent]
    if not rows:
        return
    yield "<section><h2>Not measured</h2><table class=plain><tbody>"
    for spec, reason in rows:
        yield f'<tr><th scope="row"><code>{safe(spec)}</code></th><td>{safe(reason)}</td></tr>'
    yield "</tbody></table></section>"


def _how(report: Report) -> Iterator[str]:
    yield "<section><h2>How it was measured</h2>"
    if report.command:
        yield f"<pre>{safe(report.command)}</pre>"
    yield "<ul>"
    for sentence in EXPLAINED:
        yield f"<li>{sentence}</li>"
    yield "</ul>"
    if report.records:
        yield "<table class=plain><tbody>"
        for name, value in _circumstances(report.records):
            yield f'<tr><th scope="row">{safe(name)}</th><td>{safe(value)}</td></tr>'
        yield "</tbody></table>"
    yield "</section>"


EXPLAINED: Final = (
    "Every engine runs in a process of its own; its index is built, saved, and opened by a second one, which searches.",
    "<b>recall</b>: share of the hits that are as near as the true last one, by distance recomputed in double "
    "precision from the returned ids, so that ties count (as ann-benchmarks defines it). <b>1-R@1</b>: share of the "
    "queries whose first hit is as near as the true nearest.",
    "<b>search</b>: one query at a time, everything included, p50 and p99. <b>In batches</b>: queries a second when "
    "many are given at once, on every core that the engine uses. The settings of an index take turns, five rounds; "
    "<b>queries/s</b> is the mean of the best round, as in ann-benchmarks.",
    "<b>memory</b>: what the searching process has allocated for the open index, mapped files aside; the vectors "
    "themselves are mapped and shared. <b>disk</b>: the saved index without the vectors. <b>open</b>: with the file "
    "in the system's cache.",
)
"""How to read the figures, as HTML."""


def _circumstances(records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    first = records[0]
    machine = first.machine
    size = f"{machine.get('cores')} cores, {machine.get('memory_gb')} GB"
    yield "machine", f"{machine.get('processor')}, {size}, {machine.get('system')}"
    dates = sorted(record.date for record in records if record.date) or [""]
    yield "measured", dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    versions = {name: version for record in records for name, version in record.versions.items()}
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "vectors", f"fingerprint {first.data.get('fingerprint')}"
