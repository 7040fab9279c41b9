"""What ``models`` shows: what is known of models, and how those that were measured did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from imagekin import escape
from imagekin.benchmark import pareto
from imagekin.cli import measuring, output
from imagekin.cli.table import Column, render
from imagekin.embed import EMBEDDERS, SCHEMES, availability, known
from imagekin.embed.known import Known
from imagekin.leaderboard import report, speeds

if TYPE_CHECKING:
    from imagekin.benchmark import Record
    from imagekin.benchmark.sweep import Outcome
    from imagekin.leaderboard import Files

_JUDGES: Final = {"": "", "classifier": "", "neighbours": " n", "names": " z"}
_MODELS: Final = (
    (Column("model", most=56), "name"),
    (Column("numbers", right=True), "dim"),
    (Column("input", right=True), "input"),
    (Column("million", right=True), "parameters_millions"),
    (Column("top-1", right=True), "top1"),
    (Column("images/s", right=True), "images_per_s"),
    (Column("licence"), "licence"),
    (Column("weights"), "weights"),
    (Column("here"), "state"),
)
_NARROW: Final = 150
_SPARED: Final = frozenset({"parameters_millions", "licence", "weights"})
"""Columns that a terminal narrower than that does without, where names are cut as well; JSON has them."""

_NAME: Final = 34
_RANKED: Final = (
    Column(""),
    Column("precision@4", right=True),
    Column("95 % interval", right=True),
    Column("mAP@R", right=True),
    Column("images/s", right=True),
    Column("network/s", right=True),
    Column("query ms", right=True),
    Column("bytes", right=True),
    Column("model"),
)


def listed() -> list[dict[str, Any]]:
    """Every model of the registry and every known one of many names, as plain data."""
    rows = [_entry(each) for each in known.KNOWN]
    named = {each.name for each in known.KNOWN}
    for name, entry in EMBEDDERS.items():
        if name not in named:
            here = availability.of(name)
            form = f"{name}:NAME" if name in SCHEMES else "FILE.onnx" if name == "onnx" else name
            rows.append(
                {"name": name, "spec": form, "summary": entry.summary, "extra": entry.extra,
                 "installed": here.installed, "images_per_s": speeds.known(name)}
            )  # fmt: skip
    return rows


def _entry(each: Known) -> dict[str, Any]:
    here, name = availability.of(each.name), each.name.partition(":")[0]
    entry = EMBEDDERS[name] if name in EMBEDDERS else None
    return {
        "name": each.name,
        "spec": each.name,
        "summary": entry.summary if entry else "",
        "extra": entry.extra if entry else "",
        "installed": here.installed,
        "cached": here.cached,
        "state": str(here),
        "dim": each.dim,
        "input": each.size,
        "parameters_millions": each.parameters,
        "licence": each.licence,
        "weights": each.source,
        "top1": each.top1,
        "judge": each.judge,
        "text": each.text,
        "images_per_s": speeds.known(each.name),
    }


def models(width: int | None) -> Iterator[str]:
    """The known models, a row each."""
    rows = [row for row in listed() if "dim" in row]
    columns = list(_MODELS)
    if width is not None and width < _NARROW:
        columns = [(Column("model", most=_NAME), "name"), *(each for each in columns[1:] if each[1] not in _SPARED)]
    cells = ([_cell(row, name) for _, name in columns] for row in rows)
    yield from render([column for column, _ in columns], cells, width)
    yield "top-1: ImageNet-1k in percent by the classifier, n by nearest neighbours, z by the names of the classes;"
    yield "images/s: as `imagekin models bench` found it here; million: parameters."
    yield 'needs [torch]: pip install "imagekin[torch]".'


def _cell(row: dict[str, Any], name: str) -> str:
    value = row[name]
    if name == "top1" and value is not None:
        return f"{value:.1f}{_JUDGES[row['judge']]}"
    if name == "parameters_millions":
        return f"{value:.1f}" if value else ""
    if name == "state" and row["extra"] and not row["installed"]:
        return f"needs [{row['extra']}]"
    if name in ("dim", "images_per_s") and value is not None:
        return f"{value:,.0f}"
    return str(value or "")


def ranked(found: Sequence[Record], width: int | None) -> Iterator[str]:
    """A row for each model that was measured, the most accurate first; ``*`` = on the Pareto front."""
    rows = [record for record in report.ranked(found) if not record.failed]
    front = {record.key for record in pareto.front(rows, "images_per_s", "precision@4")}
    if rows:
        yield from render(_RANKED, (_figures(record, front) for record in rows), width)
        yield "* no other model is both quicker and more accurate."


def _figures(record: Record, front: set[str]) -> list[str]:
    return [
        "*" if record.key in front else "",
        f"{record.figure('precision@4'):.1%}",
        f"{record.figure('precision@4 low'):.1%} - {record.figure('precision@4 high'):.1%}",
        f"{record.figure('mAP@R'):.1%}",
        f"{record.figure('images_per_s'):,.1f}",
        f"{record.figure('network_per_s'):,.1f}",
        f"{record.figure('query_ms'):,.2f}",
        f"{record.figure('bytes'):,.0f}",
        record.engine,
    ]


def summary(outcome: Outcome, files: Files | None, width: int | None) -> Iterator[str]:
    """Everything that ``models bench`` prints for people."""
    data = outcome.data
    yield (
        f"{escape.terminal(str(data['name']))}: {data['rows']:,} pictures of {data['classes']:,} classes, every one of "
        "which asks all others"
    )
    yield from ranked(outcome.records, width)
    yield from measuring.faults(outcome.records, outcome.absent)
    skipped = max((int(record.figures.get("skipped", 0)) for record in outcome.records), default=0)
    if skipped:
        yield f"Up to {output.plural(skipped, 'picture')} could not be embedded and were left out."
    if files is not None:
        yield from filter(None, [files.missing])
        yield from (escape.terminal(str(path)) for path in (files.csv, files.json, files.png) if path is not None)
    if outcome.interrupted:
        yield (
            f"Stopped early, with {len(outcome.records):,} of {output.plural(outcome.total, 'model')}; they are kept. "
            "Run the same command again to go on."
        )


def plain(outcome: Outcome, files: Files | None) -> dict[str, Any]:
    """The same as data."""
    paths = {name: getattr(files, name, None) for name in ("json", "csv", "png")}
    return report.plain(outcome) | {name: None if path is None else str(path) for name, path in paths.items()}
