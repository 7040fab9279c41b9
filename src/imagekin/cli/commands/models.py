"""``imagekin models``: what can embed and what can find, and ``models bench``: which is best on one's own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imagekin.cli import measuring, output
from imagekin.cli.app import INTERRUPTED
from imagekin.cli.settings import Settings, shared
from imagekin.embed import EMBEDDERS
from imagekin.index import ENGINES


@click.group("models", invoke_without_command=True)
@shared
@click.pass_context
def command(context: click.Context) -> None:
    """List the models that embed pictures and the engines that find neighbours, and whether each is installed.

    `imagekin models bench FOLDER` measures models on labelled pictures of your own.
    """
    if context.invoked_subcommand is not None:
        return
    from imagekin.cli import ranking

    settings = context.ensure_object(Settings)
    if settings.json:
        output.record({"models": ranking.listed(), "engines": output.entries(ENGINES)})
        return
    output.say(output.registries({"model": EMBEDDERS, "engine": ENGINES}))
    click.echo()
    output.say(ranking.models(settings.width))


@command.command("bench")
@click.argument("folder", type=Path)
@click.option("--models", metavar="NAME,…", help="Models to measure [default: all that are ready here].")
@click.option("--label-from", metavar="parent|CSV", default="parent", show_default=True, help="Whence the labels.")
@click.option("--limit", type=click.IntRange(4), metavar="N", help="Take only N of the pictures, at random.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn at random.")
@click.option("--precision", type=click.Choice(["int8", "fp32"]), help="For the models that offer a choice.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads for one call of a network.")
@click.option("--device", metavar="NAME", help="What the networks run on: cpu, cuda, …")
@click.option("--trust", is_flag=True, help="Let weights be read from a pickle, if they are one.")
@click.option("--out", type=Path, default="imagekin-models", show_default=True, help="Folder of records and report.")
@click.option("--retry", is_flag=True, help="Measure again what failed.")
@click.option("--again", is_flag=True, help="Measure everything again.")
@shared
@click.pass_obj
def bench(settings: Settings, /, folder: Path, models: str | None, out: Path, **given: Any) -> int:
    """Compare models on the labelled pictures of FOLDER: accuracy, images a second, bytes a vector.

    Writes a table as CSV and JSON, and a plot. What has been measured is kept, so a run that was stopped goes on.
    """
    from imagekin import leaderboard
    from imagekin.cli import ranking

    settings.attach_log()
    pictures = leaderboard.of_folder(folder, **{name: given[name] for name in ("label_from", "limit", "seed")})
    options = leaderboard.Options(
        **{name: given[name] for name in ("precision", "threads", "device", "trust", "seed", "retry", "again")}
    )
    specs = _specs(models) if models is not None else leaderboard.available()
    with measuring.bar(settings) as step:
        outcome = leaderboard.run(pictures, specs, out, options=options, watch=step)
    files = leaderboard.write(outcome, out) if outcome.records or not outcome.interrupted else None
    if settings.json:
        output.record(ranking.plain(outcome, files))
    else:
        output.say(ranking.summary(outcome, files, settings.width))
    return INTERRUPTED if outcome.interrupted else 0


def _specs(text: str) -> list[str]:
    """Models parted by commas, those within brackets apart."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
