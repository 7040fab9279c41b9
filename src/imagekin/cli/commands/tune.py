"""``imagekin tune``: the engine that meets a target on one's own vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imagekin.cli import measuring, output
from imagekin.cli.app import INTERRUPTED
from imagekin.cli.commands.options import by_model
from imagekin.cli.quantities import Size, Time
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from imagekin.tune import Choice


@click.command("tune")
@click.option("--recall", type=float, default=0.95, show_default=True, help="Share of the true neighbours to find.")
@click.option("--memory", type=Size(), metavar="SIZE", help="Memory that the index may take, such as 2GB.")
@click.option("--latency", type=Time(), metavar="TIME", help="Time that a search may take, such as 5ms.")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="Hits that recall is measured over.")
@click.option("--engines", metavar="all|NAME,...", default="all", show_default=True, help="Engines to choose from.")
@click.option("--queries", type=click.IntRange(1), default=1000, show_default=True, help="Queries to hold out at most.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Chooses the queries.")
@click.option("--time-limit", type=Time(), default="10min", show_default=True, help="For each engine's process.")
@click.option("--dry-run", is_flag=True, help="Only say what would be chosen.")
@by_model
@shared
@click.pass_obj
def command(settings: Settings, /, **given: Any) -> int:
    """Find the quickest engine that reaches the target on the collection's own vectors, and use it from now on.

    With a --latency and no --memory: the one that takes the least memory. Where nothing reaches the target, the
    collection stays as it is.
    """
    try:
        choice = _choice(settings, given)
    except KeyboardInterrupt:
        click.echo("Stopped early; the collection is as it was.", err=True)
        return INTERRUPTED
    if settings.json:
        output.record(measuring.plain_choice(choice, applied=not given["dry_run"]))
    else:
        output.say(measuring.tuned(choice, applied=not given["dry_run"], width=settings.width))
    return 0


def _choice(settings: Settings, given: dict[str, Any]) -> Choice:
    from imagekin import tune
    from imagekin.benchmark import Limits

    goal = tune.Goal(**{name: given[name] for name in ("recall", "memory", "latency", "k")})
    engines = [name.strip() for name in given["engines"].split(",") if name.strip()]
    how = {"queries": given["queries"], "seed": given["seed"], "worker": Limits(given["time_limit"])}
    try:
        with settings.open() as photos, measuring.bar(settings) as step:
            return tune.tune(photos, goal, engines=engines, apply=not given["dry_run"], watch=step, **how)
    except tune.UnmetError as error:
        if not settings.json:
            output.say(measuring.trials(error.trials, settings.width))
        raise
