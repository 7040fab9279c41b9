"""``imagekin datasets``: pictures with labels, to try things on and to compare with others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from imagekin import escape
from imagekin.cli import output
from imagekin.cli.settings import Settings, shared
from imagekin.cli.table import Column, render

if TYPE_CHECKING:
    from imagekin.datasets.base import Dataset
    from imagekin.datasets.job import Step

_COLUMNS = (Column("name"), Column("here"), Column("what"))


@click.command("datasets")
@click.argument("action", type=click.Choice(["list", "download"]), default="list", metavar="[list|download]")
@click.argument("name", required=False, metavar="[NAME|FILE.csv]")
@click.option("--from", "source", metavar="FILE|FOLDER|URL", help="Take it from here instead of where it is published.")
@click.option("--to", "folder", metavar="FOLDER", help="Put it here [imagekin's data folder].")
@click.option("--workers", type=click.IntRange(1, 256), default=16, show_default=True, help="Pictures at once, in all.")
@click.option("--per-host", type=click.IntRange(1, 256), default=2, show_default=True, help="Of these, from one host.")
@shared
@click.pass_obj
def command(settings: Settings, /, action: str, name: str | None, **how: Any) -> None:
    """List the data sets that are known by name, or download one.

    What has come is kept: the same command goes on where it was stopped, and does nothing when all is there.
    """
    from imagekin import datasets

    if action == "list":
        _list(settings, name, how)
        return
    if not name:
        raise click.UsageError(f"Say which one: {', '.join(datasets.DATASETS)}, or a CSV file of URLs.")
    how["per_host"] = min(how["per_host"], how["workers"])
    with _bar(settings) as step:
        found = datasets.download(name, progress=step, **how)
    if settings.json:
        output.record(_plain(found))
    elif not settings.quiet:
        output.say(_lines(found))


def _list(settings: Settings, name: str | None, how: dict[str, Any]) -> None:
    from imagekin import datasets
    from imagekin.datasets import manifest

    if name or how["source"] or how["folder"]:
        raise click.UsageError("list takes nothing further; to fetch a data set: imagekin datasets download NAME.")
    here = {each: manifest.read(datasets.place(each)) for each in datasets.DATASETS}
    if settings.json:
        output.records(
            {**entry, "folder": str(datasets.place(entry["name"])), "images": there.images if there else 0}
            for entry in output.entries(datasets.DATASETS)
            for there in [here[entry["name"]]]
        )
        return
    rows = (
        [each, f"{there.images:,}" if there else "no", datasets.DATASETS[each].summary] for each, there in here.items()
    )
    output.say(render(_COLUMNS, rows, settings.width))


def _lines(found: Dataset) -> Iterator[str]:
    yield f"{escape.terminal(found.name)}: {output.plural(len(found), 'image')} in {_classes(found)}"
    yield escape.terminal(str(found.folder))
    yield from (escape.terminal(note) for note in found.notes)
    if found.failures is not None:
        yield f"{escape.terminal(str(found.failures))} says which, and why; run the same command again to try them."


def _classes(found: Dataset) -> str:
    return f"{len(found.classes):,} class{'' if len(found.classes) == 1 else 'es'}"


def _plain(found: Dataset) -> dict[str, Any]:
    return {
        "name": found.name,
        "folder": str(found.folder),
        "images": len(found),
        "classes": found.classes,
        "skipped": [{"path": skip.path, "reason": skip.reason} for skip in found.skipped],
        "failures": None if found.failures is None else str(found.failures),
        "notes": found.notes,
    }


@contextmanager
def _bar(settings: Settings) -> Iterator[Callable[[Step], None] | None]:
    """What a download calls with its steps, or None where nobody would see a bar."""
    if settings.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[far]}"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as there:
        task = there.add_task("", total=None, far="")

        def step(now: Step) -> None:
            if now.what != there.tasks[0].description:
                there.reset(task, description=escape.terminal(now.what))
            there.update(task, completed=now.done, total=now.total, far=_far(now))

        yield step


def _far(step: Step) -> str:
    if step.unit == "bytes":
        return f"{step.done / 1e6:,.1f}{f'/{step.total / 1e6:,.1f}' if step.total else ''} MB"
    failed = f", {step.failed:,} failed" if step.failed else ""
    return f"{step.done:,}{f'/{step.total:,}' if step.total else ''} images{failed}"
