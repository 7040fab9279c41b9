"""``imagekin collections``: the named collections."""

from __future__ import annotations

import click

import imagekin
from imagekin import escape
from imagekin.cli import output
from imagekin.cli.settings import Settings, shared


@click.command("collections")
@shared
@click.pass_obj
def command(settings: Settings) -> None:
    """List the collections in the data folder; collections elsewhere are used by their path."""
    names = imagekin.collections()
    if settings.json:
        output.records({"name": name} for name in names)
    elif names:
        output.say(map(escape.terminal, names))
    else:
        click.echo("There is no collection yet; make one with: imagekin index FOLDER")
