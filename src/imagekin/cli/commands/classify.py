"""``imagekin classify``: what pictures are, by the labels of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from imagekin.cli import classifying, output
from imagekin.cli.commands.options import NUMBER, by_model, placed
from imagekin.cli.settings import Settings, shared


@click.command("classify")
@click.argument("pictures", nargs=-1, metavar="[FILE]...")
@click.option("--id", "ids", type=NUMBER, multiple=True, help="An item of the collection; may be repeated.")
@click.option("--unlabelled", is_flag=True, help="Every picture of the collection that has no label.")
@click.option("--method", metavar="auto|neighbours|prototypes", default="auto", show_default=True, help="How to tell.")
@click.option("-k", type=int, default=10, show_default=True, help="Neighbours that vote.")
@click.option("--error", type=float, default=0.05, show_default=True, help="Share of the answers that may be wrong.")
@click.option("--unknown", type=float, default=0.1, show_default=True, help="Share of pictures of no known class.")
@by_model
@placed
@shared
@click.pass_obj
def command(settings: Settings, /, pictures: Sequence[str], ids: Sequence[int], unlabelled: bool, **how: Any) -> None:
    """Say what pictures are by the labels of the collection, or that they are unknown."""
    if not pictures and not ids and not unlabelled:
        raise click.UsageError("Give pictures: files, --id, or --unlabelled.")
    from imagekin.classification import Classifier

    with settings.open() as photos:
        classifier = Classifier.learn(photos, **how)
        items = [*photos.get(ids), *(photos.items(where="label == None") if unlabelled else ())]
        found = classifier.classify(list(pictures), ids=[item.id for item in items])
    names = [*pictures, *(item.path for item in items)]
    if settings.json:
        rows = [{"path": name, **asdict(guess)} for name, guess in zip(names, found, strict=True)]
        output.record({"trial": asdict(classifier.trial), "pictures": rows})
        return
    output.say(classifying.guesses(names, found, settings.width))
    if not settings.quiet:
        click.echo(classifying.trial(classifier.trial), err=True)
