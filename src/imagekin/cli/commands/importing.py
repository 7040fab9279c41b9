"""``imagekin import``: vectors that were made elsewhere into a collection."""

from __future__ import annotations

import click

import imagekin
from imagekin import escape
from imagekin.cli import output, progress
from imagekin.cli.settings import Settings, shared


@click.command("import")
@click.argument("source", metavar="FILE|FOLDER")
@click.option("--model", metavar="NAME|FILE", help="The model that made the vectors, where the file does not say.")
@click.option("--precision", type=click.Choice(["int8", "fp32"]), help="Of that model.")
@shared
@click.pass_obj
def command(settings: Settings, source: str, model: str | None, precision: str | None) -> None:
    """Read a Parquet FILE, or a FOLDER in the layout of clip-retrieval, into the collection.

    Everything is checked first. A picture whose path is known already is replaced. Import only what you trust.
    """
    settings.attach_log()
    with progress.steps(settings) as step:

        def tell(phase: str, done: int, total: int) -> None:
            step("Checking" if phase == "check" else "Writing", done, total)

        found = imagekin.import_(source, settings.collection, model=model, precision=precision, progress=tell)
    with found as photos:
        if settings.json:
            output.record({"collection": photos.location, "images": len(photos)})
        elif not settings.quiet:
            where = escape.terminal(photos.location)
            click.echo(f"The collection {where} has {output.plural(len(photos), 'image')}.")
