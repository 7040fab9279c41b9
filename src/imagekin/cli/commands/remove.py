"""``imagekin remove``: take pictures out of a collection."""

from __future__ import annotations

from typing import Any, Final

import click

from imagekin.cli import output
from imagekin.cli.commands.options import NUMBER, filtered
from imagekin.cli.settings import Settings, shared

MANY: Final = 10
"""More than this many pictures are removed only after asking."""


@click.command("remove")
@click.argument("ids", type=NUMBER, nargs=-1, metavar="[ID]...")
@filtered
@click.option("--root", metavar="FOLDER", help="Forget this indexed folder, and all its pictures.")
@click.option("--model", metavar="NAME|FILE", help="Forget this further model, and all its vectors.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@shared
@click.pass_obj
def command(settings: Settings, /, ids: tuple[int, ...], root: str | None, yes: bool, **filters: Any) -> int:
    """Take pictures out of the collection, by ID or by filter. The picture files themselves are never touched.

    A removed picture comes back when its folder is indexed again. --root also ends the indexing of that folder.
    """
    model = filters.pop("model")
    chosen = bool(ids) or any(filters.values())
    if chosen + (root is not None) + (model is not None) != 1:
        raise click.UsageError("Give IDs, --under, --label, --where or --tag; or else --root or --model alone.")
    if model is not None:
        return _forget(settings, model, yes)
    with settings.open() as photos:
        asked = filters if root is None else {"under": root}
        if not yes and not _agreed(photos.count(**asked) if any(asked.values()) else len(ids)):
            click.echo("Nothing was removed.", err=True)
            return 1
        photos.get(ids)  # an id that is not there is an error here as it is elsewhere
        removed = photos.remove(ids or None, **filters) if root is None else photos.forget_root(root)
    if settings.json:
        output.record({"removed": removed})
    elif not settings.quiet:
        click.echo(f"Removed {output.plural(removed, 'picture')} from the collection; the files were not touched.")
    return 0


def _forget(settings: Settings, model: str, yes: bool) -> int:
    """Take a model out, after asking."""
    with settings.open() as photos:
        vectors = len(photos.using(model))
        question = f"Remove {model} and its vectors of {output.plural(vectors, 'picture')} from the collection?"
        if not yes and vectors and not click.confirm(question, err=True):
            click.echo("Nothing was removed.", err=True)
            return 1
        photos.forget_model(model)
    if settings.json:
        output.record({"removed": vectors})
    elif not settings.quiet:
        click.echo(f"Removed {model} from the collection; the pictures and the other models were not touched.")
    return 0


def _agreed(number: int) -> bool:
    """Whether so few that nobody need be asked, or the person says yes."""
    question = f"Remove {output.plural(number, 'picture')} from the collection (the files stay)?"
    return number <= MANY or click.confirm(question, err=True)
