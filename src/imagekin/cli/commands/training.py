"""``imagekin train``: learn from labels."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from imagekin import escape
from imagekin.cli import evaluating, heads, networks, output
from imagekin.cli.app import INTERRUPTED
from imagekin.cli.commands.options import by_model
from imagekin.cli.settings import Settings, shared


@click.group("train")
def command() -> None:
    """Learn from labels which differences between pictures matter."""


@command.command("head")
@click.option("--dims", type=click.IntRange(1), metavar="N", help="Numbers that are left of a vector. [512, or all]")
@click.option("--known-only", is_flag=True, help="No new classes will come: never mind how it does on those.")
@click.option(
    "--from", "source", type=click.Choice(["labels", "judgements"]), help="What to learn from.  [labels, if enough]"
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn at random.")
@click.option("--dry-run", is_flag=True, help="Only say what it would gain.")
@click.option("--undo", is_flag=True, help="Take the head away, and search as before it.")
@click.option("--full", is_flag=True, help="Print every recipe that was tried.")
@by_model
@shared
@click.pass_obj
def head(settings: Settings, /, dry_run: bool, undo: bool, full: bool, **how: Any) -> int:
    """Learn a head from the stored vectors and their labels, and search by it if it is better. Reads no picture.

    What it gains is measured on pictures and on classes that it did not learn from. Otherwise nothing is changed.
    Without labels it learns from judgements: what you said on the page is right, and what is wrong.
    """
    if undo and (dry_run or full or how["dims"] is not None or how["known_only"] or how["source"]):
        raise click.UsageError("--undo takes a head away and goes with no other option.")
    from imagekin import train

    with settings.open() as photos:
        if undo:
            before = train.undo(photos)
            if settings.json:
                output.record({"reduce": before})
            else:
                output.say([f"The head was taken away; vectors are compared {_by(before)}."])
            return 0
        try:
            with evaluating.bar(settings) as step:
                found = train.head(photos, apply=not dry_run, progress=step, **how)
        except KeyboardInterrupt:
            click.echo("Stopped early; the collection is as it was.", err=True)
            return INTERRUPTED
    if settings.json:
        output.record(found.to_dict())
    else:
        output.say(heads.told(found, dry_run=dry_run, full=full, width=settings.width))
    return 0


@command.command("finetune")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--batch", type=click.IntRange(2), metavar="N", help="Pictures of a step. [64]")
@click.option(
    "--smoothing", type=click.FloatRange(0, 1, max_open=True), metavar="SHARE", help="Doubt in the labels. [0.1]"
)
@click.option("--order", type=click.Choice(["balanced", "shuffled"]), help="Classes or pictures alike. [balanced]")
@networks.trained
@shared
@click.pass_obj
def finetune(settings: Settings, /, folder: Path, **how: Any) -> int:
    """Train a network's last stages on the labelled pictures in FOLDER; the result is a model like any other.

    Needs imagekin[torch]. What is gained is measured on pictures that it did not learn from. Each epoch is kept:
    an interrupted training goes on by the same command and --resume.
    """
    from imagekin import train

    return networks.trained_by(settings, how, partial(train.finetune, folder))


@command.command("metric")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--known-classes", is_flag=True, help="No new classes will come: hold pictures of each out instead.")
@click.option("--dims", type=click.IntRange(2, 4096), metavar="N", help="Learn N numbers from all places of the map.")
@click.option("--refit", is_flag=True, help="Learn from all pictures at the end, also from those held out.")
@click.option("--margin", type=click.FloatRange(0), help="Of the loss, if it has one.")
@click.option("--images", type=click.IntRange(2), metavar="K", help="Pictures of each class in a batch. [4]")
@click.option("--classes", type=click.IntRange(2), metavar="P", help="Classes in a batch. [16, or all]")
@click.option("--loss", metavar="NAME", help="triplet, contrastive, proxy-anchor, arcface, supcon. [multi-similarity]")
@networks.trained
@shared
@click.pass_obj
def metric(settings: Settings, /, folder: Path, **how: Any) -> int:
    """Train a network so that pictures in FOLDER that belong together lie together; for classes that are yet to come.

    Needs imagekin[torch]. Whole classes are held out, and what is gained is measured on those. The labels of
    --label-from signatures are writers. As for finetune, each epoch is kept, and --resume goes on.
    """
    from imagekin import train

    return networks.trained_by(settings, how, partial(train.metric, folder))


def _by(before: str | None) -> str:
    return "as they are" if before is None else f"as {escape.terminal(before)} makes them"
