"""``imagekin calibrate``: what a collection's distances mean, from pairs."""

from __future__ import annotations

import click

from imagekin import escape
from imagekin.cli import judging, output
from imagekin.cli.commands.options import by_model, placed
from imagekin.cli.settings import Settings, shared


@click.command("calibrate")
@click.argument("pairs", required=False, metavar="[PAIRS.csv|FOLDER]")
@click.option("--from-labels", is_flag=True, help="Draw pairs from the labels of the collection's pictures.")
@click.option("--prior", type=float, default=0.5, show_default=True, help="Share of pairs that are the same.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn at random.")
@click.option("--plot", metavar="FILE", help="Also draw ROC, DET and scores into a PNG, SVG, PDF, JPEG or WebP file.")
@click.option("--dry-run", is_flag=True, help="Measure only; keep nothing.")
@click.option("--forget", is_flag=True, help="Take the calibration away.")
@by_model
@placed
@shared
@click.pass_obj
def command(
    settings: Settings, /, pairs: str | None, from_labels: bool, plot: str | None, forget: bool, **how: object
) -> None:
    """Find thresholds and probabilities from pairs: a CSV file a,b,same, or --from-labels; kept with the collection.

    A FOLDER is one of signatures, genuine and forged, whose pairs are drawn. Once it is calibrated, verify answers, and
    search shows how sure a match is.
    """
    if (pairs is not None) + from_labels + forget != 1:
        raise click.UsageError("Give one of: a file of pairs, --from-labels, --forget.")
    from imagekin import figures, verification

    target = figures.writable(plot) if plot is not None else None
    with settings.open() as photos:
        if forget:
            there = verification.forget(photos.store)
            click.echo("The calibration was taken away." if there else "There was no calibration.", err=True)
            return
        keep = not how["dry_run"]
        found = verification.calibrate(photos, pairs, prior=how["prior"], seed=how["seed"], keep=keep)  # type: ignore[arg-type]
    if target is not None:
        figures.save(verification.plot.figure(found), target)
    if settings.json:
        output.record({**found.to_dict(), "kept": keep, "plot": None if target is None else str(target)})
        return
    output.say(judging.calibrated(found, settings.width))
    if target is not None:
        click.echo(escape.terminal(str(target)))
