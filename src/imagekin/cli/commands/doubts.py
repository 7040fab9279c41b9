"""``imagekin doubts``: labels that the neighbours disagree with, and outliers."""

from __future__ import annotations

import click

from imagekin.cli import classifying, output
from imagekin.cli.commands.options import by_model
from imagekin.cli.settings import Settings, shared


@click.command("doubts")
@click.option("-n", type=click.IntRange(1), default=20, show_default=True, help="How many to show of each.")
@click.option("-k", type=int, default=10, show_default=True, help="Neighbours that vote.")
@by_model
@shared
@click.pass_obj
def command(settings: Settings, /, n: int, k: int) -> None:
    """List labels that the neighbours disagree with, and pictures that are like no other; change nothing."""
    from imagekin import classification

    with settings.open() as photos:
        found = classification.doubts(photos, k=k)
    if settings.json:
        output.record(found.to_dict())
    else:
        output.say(classifying.doubts(found, n, settings.width))
