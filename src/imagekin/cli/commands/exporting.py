"""``imagekin export``: items and vectors for other programs."""

from __future__ import annotations

from typing import Any

import click

from imagekin import escape
from imagekin.cli import output, progress
from imagekin.cli.commands.options import by_model, filtered
from imagekin.cli.settings import Settings, shared


@click.command("export")
@click.argument("target", metavar="FILE|FOLDER")
@click.option("--format", metavar="NAME", help="parquet, npy, csv or faiss [by the suffix: .parquet, .csv].")
@click.option("--float32", "single", is_flag=True, help="Vectors as float32 instead of float16 (parquet, npy).")
@click.option("--vectors", is_flag=True, help="Also the vectors, a column a number (csv).")
@click.option("--force", is_flag=True, help="Replace an earlier export of that name.")
@filtered
@by_model
@shared
@click.pass_obj
def command(settings: Settings, /, target: str, single: bool, **options: Any) -> None:
    """Write pictures' paths, labels, metadata and vectors to FILE.parquet, FILE.csv or a FOLDER."""
    with settings.open() as photos, progress.steps(settings) as step:

        def tell(done: int) -> None:
            step("Writing", done, None)

        written = photos.export(target, numbers="float32" if single else "float16", progress=tell, **options)
    if settings.json:
        output.record({"target": target, "images": written})
    elif not settings.quiet:
        click.echo(f"Wrote {output.plural(written, 'image')} to {escape.terminal(target)}")
