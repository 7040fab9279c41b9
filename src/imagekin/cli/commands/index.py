"""``imagekin index``: bring a collection up to date with folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    with settings.open(create=True, **how) as photos:
        with progress.bar(settings) as step:
            report = photos.index(*folders, label_from=label_from, force=force, progress=step)
        _print(settings, report, photos)
        if follow and not report.interrupted:
            progress.note(settings, "Following what changes; Ctrl-C ends it.")
            photos.watch(*folders, label_from=label_from, on_report=lambda each: _print_change(settings, each))
        return INTERRUPTED if report.interrupted or follow else 0


def _print(settings: Settings, report: Report, photos: Collection) -> None:
    if settings.json:
        output.record(report)
    elif not settings.quiet:
        output.say(output.report(report, len(photos)))


def _print_change(settings: Settings, report: Report) -> None:
    """Print what a watched folder brought, unless it brought nothing."""
    if settings.json:
        output.record(report)
    elif not settings.quiet and output.changed(report):
        output.say(output.summary(report))
