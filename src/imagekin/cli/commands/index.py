"""``imagekin index``: bring a collection up to date with folders."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from imagekin.cli import output, progress
from imagekin.cli.app import INTERRUPTED
from imagekin.cli.commands.options import modelled
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.types import Report


@click.command("index")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@click.option("--label-from", metavar="parent|none|FILE.csv", help="Where labels come from [new folders: parent].")
@modelled
@click.option("--reduce", metavar="SPEC", help="Compare shorter vectors: pca:150, lda, …; none: whole ones again.")
@click.option("--follow", is_flag=True, help="Stay, and index what changes in the folders, until Ctrl-C.")
@click.option("--force", is_flag=True, help="Embed again what is unchanged.")
@shared
@click.pass_obj
def command(
    settings: Settings,
    /,
    folders: tuple[str, ...],
    label_from: str | None,
    follow: bool,
    force: bool,
    **how: str | None,
) -> int:
    """Index FOLDERs of pictures: what is new, changed, moved or deleted in them.

    Without a FOLDER, every folder that the collection knows. Ctrl-C at any moment leaves a good collection.
    """
    reduce = how.pop("reduce")
    with settings.open(create=True, **how) as photos:
        if follow:
            return _follow(settings, photos, folders, label_from=label_from, reduce=reduce, force=force)
        with progress.bar(settings) as step:
            report = photos.index(*folders, label_from=label_from, reduce=reduce, force=force, progress=step)
        _print(settings, report, photos)
        return INTERRUPTED if report.interrupted else 0


def _follow(settings: Settings, photos: Collection, folders: tuple[str, ...], **how: Any) -> int:
    """Index and stay, with a bar for the first run only."""
    last: Report | None = None
    with ExitStack() as bar:

        def tell(report: Report) -> None:
            nonlocal last
            if settings.json:
                output.line(report)
            elif last is None:
                bar.close()
                _print(settings, report, photos)
                progress.note(settings, "Following what changes; Ctrl-C ends it.")
            elif not settings.quiet and output.changed(report, last.missing):
                output.say(output.summary(report))
            last = report

        photos.watch(*folders, on_report=tell, progress=bar.enter_context(progress.bar(settings)), **how)
    return INTERRUPTED


def _print(settings: Settings, report: Report, photos: Collection) -> None:
    if settings.json:
        output.record(report)
    elif not settings.quiet:
        output.say(output.report(report, len(photos)))
        if photos.reduce is not None and not report.interrupted:
            output.say([f"{output.reduction(photos.info())}."])
