"""``imagekin info``: what a collection holds."""

from __future__ import annotations

import click

from imagekin.cli import output
from imagekin.cli.commands.options import by_model
from imagekin.cli.settings import Settings, shared


@click.command("info")
@click.option("--skipped", is_flag=True, help="List the files that cannot be indexed, each with its reason.")
@by_model
@shared
@click.pass_obj
def command(settings: Settings, skipped: bool) -> None:
    """Say what the collection holds: images, size on disk, model, engine, folders."""
    with settings.open() as photos:
        if skipped and settings.json:
            output.records(photos.skips())
        elif skipped:
            output.say(output.skips(photos.skips()))
        elif settings.json:
            output.record(photos.info())
        else:
            output.say(output.pairs(output.facts(photos.info())))
