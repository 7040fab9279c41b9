"""``imagekin bias``: does a similarity come from the subject, or from what is around it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imagekin.cli import evaluating, hiding, output
from imagekin.cli.commands.options import NUMBER, Region, by_model, placed
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagekin.bias import Look


class Subject(Region):
    """How a subject is found, or where it is."""

    name = "edge|centre|x,y,w,h"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A name as it is, or four numbers."""
        return value if value in ("edge", "centre") else super().convert(value, param, ctx)


@click.command("bias")
@click.argument("query", required=False)
@click.option("--id", type=NUMBER, help="Look at this item of the collection instead of at QUERY.")
@click.option("-k", type=click.IntRange(1, 1_000), default=4, show_default=True, help="Neighbours that are looked at.")
@click.option("--subject", type=Subject(), default="edge", show_default=True, help="How it is found, or where it is.")
@click.option("--area", type=float, default=0.5, show_default=True, help="The subject's share of the picture.")
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Labelled pictures that are looked at.  [500]")
@click.option("--seed", type=click.IntRange(0), help="Of their draw.  [0]")
@click.option("--plot", metavar="FILE", help="Also draw pictures and what their parts find.")
@click.option("--full", is_flag=True, help="Print every class.")
@by_model
@placed
@shared
@click.pass_obj
def command(settings: Settings, /, query: str | None, id: int | None, plot: str | None, full: bool, **how: Any) -> None:
    """Hide the surroundings of a picture, hide its subject, and see what it is similar to then.

    Without QUERY this is done with labelled pictures of the collection, and classes are listed that are found by their
    surroundings.
    """
    one = query is not None or id is not None
    drawn = {name: value for name in ("samples", "seed") if (value := how.pop(name)) is not None}
    if (query is not None and id is not None) or (one and (drawn or full)):
        raise click.UsageError("Give QUERY or --id; --samples, --seed and --full are for labelled pictures.")
    if not one and not isinstance(how["subject"], str):
        raise click.UsageError("x,y,w,h is where the subject of one picture is; give QUERY or --id.")
    from imagekin import bias, plots

    if plot is not None:
        plots.writable(plot)
    with settings.open() as photos:
        looks: list[Look]
        if one:
            looks = [bias.look(photos, id if id is not None else str(query), **how)]
            told = hiding.looked(looks[0])
        else:
            with evaluating.bar(settings) as step:
                found = bias.survey(photos, progress=step, **drawn, **how)
            told = hiding.surveyed(found, full=full, width=settings.width)
            looks = [bias.look(photos, each.id, **how) for each in found.examples] if plot is not None else []
    if settings.json:
        output.record(looks[0].to_dict() if one else found.to_dict())
    else:
        output.say(told)
    _draw(plot, looks)


def _draw(plot: str | None, looks: Sequence[Look]) -> None:
    from imagekin import bias, plots

    if plot is not None and looks:
        plots.save(bias.sheet(looks), plot)
    elif plot is not None:
        click.echo("No picture is found by its surroundings more than by its subject, so nothing was drawn.", err=True)
