"""``imagekin list``: the pictures of a collection."""

from __future__ import annotations

from typing import Any

import click

from imagekin.cli import output
from imagekin.cli.commands.options import NUMBER, filtered
from imagekin.cli.settings import Settings, shared


@click.command("list")
@filtered
@click.option("-n", "--limit", type=NUMBER, help="At most this many.")
@click.option("--after", type=NUMBER, default=0, help="Only items with an id above this one.")
@shared
@click.pass_obj
def command(settings: Settings, /, **options: Any) -> None:
    """List the pictures of the collection, by id."""
    with settings.open() as photos:
        found = photos.items(**options)
        if settings.json:
            output.records(found)
        else:
            output.say(output.items(found, settings.width))
