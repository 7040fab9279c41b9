"""A progress bar on the terminal's error stream; silence where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from imagekin.cli.settings import Settings
    from imagekin.progress import Progress


@contextmanager
def bar(settings: Settings) -> Iterator[Callable[[Progress], None] | None]:
    """What ``Collection.index`` calls with its progress, or None where nobody would see a bar."""
    if settings.quiet or not sys.stderr.isatty():
        yield None
        return
    with _bar() as shown:
        task = shown.add_task("Counting", total=None, extra="")

        def step(progress: Progress) -> None:
            what = {"build": "Building", "learn": "Learning"}.get(progress.phase, "Indexing")
            extra = f"  {progress.skipped:,} skipped" if progress.skipped else ""
            shown.update(task, description=what, completed=progress.done, total=progress.total, extra=extra)

        yield step


@contextmanager
def steps(settings: Settings) -> Iterator[Callable[[str, int, int | None], None]]:
    """What is called with a word for what goes on, how many images are done, and of how many, or None."""
    if settings.quiet or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    with _bar() as shown:
        task = shown.add_task("", total=None, extra="")

        def step(what: str, done: int, total: int | None) -> None:
            shown.update(task, description=what, completed=done, total=total)

        yield step


def note(settings: Settings, sentence: str) -> None:
    """Tell somebody who watches what is going on; silent where nobody does."""
    if not settings.quiet and sys.stderr.isatty():
        click.echo(sentence, err=True)


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Rate(ProgressColumn):
        """Images done, of how many, how many in a second, and the time left."""

        def render(self, task: Any) -> Text:
            of = "" if task.total is None else f"/{int(task.total):,}"
            speed = f"  {task.speed:,.0f} images/s" if task.speed else ""
            left = "" if task.time_remaining is None else f"  {timedelta(seconds=int(task.time_remaining))} left"
            return Text(f"{int(task.completed):,}{of}{speed}{left}{task.fields['extra']}")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        Rate(table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
    )
