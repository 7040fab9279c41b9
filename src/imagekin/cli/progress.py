"""A progress bar on the terminal's error stream; silence where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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
            what = "Building the index" if progress.phase == "build" else "Indexing"
            extra = f"{progress.skipped:,} skipped" if progress.skipped else ""
            shown.update(task, description=what, completed=progress.done, total=progress.total, extra=extra)

        yield step


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Images done, of how many, and how many in a second."""

        def render(self, task: Any) -> Text:
            of = "" if task.total is None else f"/{int(task.total):,}"
            speed = f"  {task.speed:,.0f} images/s" if task.speed else ""
            return Text(f"{int(task.completed):,}{of}{speed}")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        Rate(),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        TextColumn("{task.fields[extra]}"),
        console=Console(stderr=True),
        transient=True,
    )
