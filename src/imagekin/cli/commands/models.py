"""``imagekin models``: what can embed and what can find."""

from __future__ import annotations

import click

from imagekin.cli import output
from imagekin.cli.settings import Settings, shared
from imagekin.embed import EMBEDDERS
from imagekin.index import ENGINES


@click.command("models")
@shared
@click.pass_obj
def command(settings: Settings) -> None:
    """List the models that embed pictures and the engines that find neighbours, and whether each is installed."""
    if settings.json:
        output.record({"models": output.entries(EMBEDDERS), "engines": output.entries(ENGINES)})
    else:
        output.say(output.registries({"model": EMBEDDERS, "engine": ENGINES}))
