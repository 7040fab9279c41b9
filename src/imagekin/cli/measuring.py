"""What ``bench`` and ``tune`` show: a bar with the time left, and tables of what was measured."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from imagekin import escape
from imagekin.benchmark import pareto
from imagekin.benchmark.page import shown, uneven
from imagekin.cli import output
from imagekin.cli.table import Column, render

if TYPE_CHECKING:
    from imagekin.benchmark import Absent, Files, Outcome, Progress, Record
    from imagekin.cli.settings import Settings
    from imagekin.tune import Choice, Trial

_COLUMNS: Final = (
    (Column(""), ""),
    (Column("recall", right=True), "recall"),
    (Column("1-R@1", right=True), "first"),
    (Column("search ms", right=True), "p50_ms"),
    (Column("p99 ms", right=True), "p99_ms"),
    (Column("queries/s", right=True), "single_qps"),
    (Column("in batches", right=True), "batch_qps"),
    (Column("build s", right=True), "build_s"),
    (Column("memory MB", right=True), "anonymous_bytes"),
    (Column("disk MB", right=True), "disk_bytes"),
    (Column("open ms", right=True), "open_s"),
    (Column("engine"), "engine"),
)


_NARROW: Final = 120
_SPARED: Final = frozenset({"p99_ms", "batch_qps", "disk_bytes", "open_s"})
"""Columns that a terminal narrower than that does without; the report has them."""


@contextmanager
def bar(settings: Settings) -> Iterator[Callable[[Progress], None] | None]:
    """What a measurement calls with its progress, or None where nobody would see a bar."""
    if settings.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=16), TextColumn("{task.fields[far]}  {task.description}", markup=False))
    with Bar(*columns, console=Console(stderr=True), transient=True) as there:
        task = there.add_task("", total=None, far="")

        def step(progress: Progress) -> None:
            left = "" if progress.left is None else f"  {timedelta(seconds=round(progress.left))} left"
            far = f"{progress.done}/{progress.total}{left}"
            what = escape.terminal(progress.what)
            there.update(task, description=what, completed=progress.done, total=progress.total, far=far)

        yield step


def table(records: Sequence[Record], recall: float, width: int | None) -> Iterator[str]:
    """One row an engine: its quickest setting that reaches *recall*, or else its best; ``*`` = on the Pareto front."""
    rows = [
        found for found in map(_quickest(records, recall), dict.fromkeys(record.engine for record in records)) if found
    ]
    rows.sort(key=lambda record: (record.figure("recall") < recall, -record.figure("single_qps")))
    yield from every(rows, pareto.front(records), width)


def every(rows: Sequence[Record], front: Sequence[Record], width: int | None) -> Iterator[str]:
    """A row for each of the records, those of *front* marked."""
    marked = {record.key for record in front}
    columns = [each for each in _COLUMNS if width is None or width >= _NARROW or each[1] not in _SPARED]
    if rows:
        cells = ([_cell(record, name, marked) for _, name in columns] for record in rows)
        yield from render([column for column, _ in columns], cells, width)


def summary(outcome: Outcome, files: Files | None, *, recall: float, full: bool, width: int | None) -> Iterator[str]:
    """Everything that ``bench`` prints for people."""
    data, there = outcome.data, [record for record in outcome.records if not record.failed]
    if data:
        name = escape.terminal(str(data["name"]))
        yield (
            f"{name}: {data['rows']:,} vectors of {data['dim']:,}, {data['metric']}; {data['queries']:,} held-out "
            f"queries, recall@{data['k']}"
        )
    if there and full:
        yield from every(there, pareto.front(there), width)
    elif there:
        yield from table(there, recall, width)
        yield f"One row an engine: its quickest setting with recall {recall:g} or better. * on the Pareto front."
    yield from faults(outcome.records, outcome.absent)
    yield from (escape.terminal(note) for note in [*outcome.notes, *filter(None, [uneven(outcome.records)])])
    if files is not None:
        yield from filter(None, [files.missing])
        yield from (escape.terminal(str(path)) for path in (files.html, files.png) if path is not None)
    if outcome.interrupted:
        yield (
            f"Stopped early, with {len(outcome.records):,} of {output.plural(outcome.total, 'measurement')}; they "
            "are kept. Run the same command again to go on."
        )


def faults(records: Sequence[Record], absent: Sequence[Absent]) -> Iterator[str]:
    """What was not measured, a line each, with the reason."""
    rows = [(record.spec, record.reason) for record in records if record.failed]
    rows += [(each.engine, each.reason) for each in absent]
    if rows:
        yield "Not measured:"
        yield from (escape.terminal(f"  {spec}: {reason}") for spec, reason in rows)


def tuned(choice: Choice, *, applied: bool, width: int | None) -> Iterator[str]:
    """Everything that ``tune`` prints for people: what was measured, then what was chosen."""
    yield from trials([*choice.trials, choice.trial], width, choice.spec)
    yield from faults([], choice.absent)
    best, asked = choice.trial, choice.data["queries"] - choice.data["queries"] // 2
    yield (
        f"{escape.terminal(choice.spec)}: recall@{choice.data['k']} {best.recall:.3f} on {asked:,} queries that it "
        f"was not chosen by, {best.seconds * 1e3:,.3f} ms a search, {best.bytes / 1e6:,.1f} MB of memory."
    )
    before = escape.terminal(choice.before)
    now = f"The collection is served by it from now on, before by {before}."
    yield f"{now if applied else f'The collection stays with {before}.'} Found in {choice.seconds:,.0f} s."


def trials(found: Sequence[Trial], width: int | None, chosen: str = "") -> Iterator[str]:
    """The quickest trial of each build, and the *chosen* one, which is marked."""
    last = {trial.spec: trial for trial in found}
    best: dict[str, Trial] = {}
    for trial in sorted(last.values(), key=lambda each: each.seconds):
        best.setdefault(trial.spec if trial.spec == chosen else trial.build.spec, trial)
    columns = [each for each in _COLUMNS if each[1] not in ("batch_qps", "disk_bytes", "open_s")]
    rows = ([_trial_cell(trial, name, chosen) for _, name in columns] for trial in best.values())
    if best:
        yield from render([column for column, _ in columns], rows, width)


def plain(outcome: Outcome, files: Files | None) -> dict[str, Any]:
    """The same as data."""
    from dataclasses import asdict

    return {
        "data": outcome.data,
        "records": [{"spec": record.spec, **asdict(record)} for record in outcome.records],
        "absent": [asdict(each) for each in outcome.absent],
        "notes": outcome.notes,
        "total": outcome.total,
        **outcome.summary(),
        "interrupted": outcome.interrupted,
        "report": None if files is None else str(files.html),
        "plot": None if files is None or files.png is None else str(files.png),
    }


def plain_choice(choice: Choice, *, applied: bool) -> dict[str, Any]:
    """What ``tune`` found, as data."""
    return {
        "engine": choice.spec,
        "applied": applied,
        "before": choice.before,
        "data": choice.data,
        "seconds": choice.seconds,
        "figures": dict(choice.trial.figures),
        "trials": [{"spec": trial.spec, "figures": dict(trial.figures)} for trial in choice.trials],
        "absent": [{"engine": each.engine, "reason": each.reason} for each in choice.absent],
    }


def _quickest(records: Sequence[Record], recall: float) -> Callable[[str], Record | None]:
    return lambda name: pareto.quickest([record for record in records if record.engine == name], recall)


def _cell(record: Record, name: str, marked: set[str]) -> str:
    if not name:
        return "*" if record.key in marked else ""
    return record.spec if name == "engine" else shown(name, record.figure(name))


def _trial_cell(trial: Trial, name: str, chosen: str) -> str:
    if not name:
        return ">" if trial.spec == chosen else ""
    value = trial.figures.get(name)
    return trial.spec if name == "engine" else shown(name, math.nan if value is None else float(value))
