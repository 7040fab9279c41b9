"""``imagekin search``: the pictures that look like one picture."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from imagekin.cli import output
from imagekin.cli.commands.options import NUMBER, Region, filtered
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagekin.query import Query
    from imagekin.types import Hit


@click.command("search")
@click.argument("query", required=False)
@click.option("-k", type=int, default=10, show_default=True, help="Hits wanted.")
@click.option("--id", type=NUMBER, help="Search by this item of the collection instead of by QUERY.")
@filtered
@click.option("--crop", type=Region(), help="Search by this region of QUERY, in its pixels.")
@click.option("--plot", metavar="FILE", help="Also draw query and hits into a PNG, JPEG or WebP file.")
@click.option("--allow-urls", is_flag=True, help="Let QUERY be an http(s) URL, and fetch it.")
@shared
@click.pass_obj
def command(settings: Settings, /, query: str | None, plot: str | None, allow_urls: bool, **options: Any) -> None:
    """Find the pictures that look like QUERY: a file, - for standard input, or a URL (see --allow-urls)."""
    if (query is None) == (options["id"] is None):
        raise click.UsageError("Give either a QUERY picture or --id.")
    source = _source(query, plot, allow_urls)
    with settings.open(allow_urls=allow_urls) as photos:
        found = photos.search(source, **options)
        shown = source if source is not None else photos.get([options["id"]])[0].path
    if settings.json:
        output.records(found)
    else:
        output.say(output.hits(found, settings.width))
    if plot is not None:
        _draw(plot, shown, query, found, options["crop"])


def _source(query: str | None, plot: str | None, allow_urls: bool) -> Query | None:
    """What to search by; a URL that is to be drawn too is fetched only once."""
    if plot is not None:
        from imagekin import plots

        plots.writable(plot)  # better refused before the search than after it
    if query == "-":
        return sys.stdin.buffer.read()
    if query is not None and plot is not None and allow_urls and query.lower().startswith(("http://", "https://")):
        from imagekin import fetch

        fetched: bytes = fetch.get(query)
        return fetched
    return query


def _draw(path: str, query: Query, name: str | None, hits: Sequence[Hit], crop: Any) -> None:
    from imagekin import plots

    plots.save(plots.sheet(query, hits, crop=crop, caption=None if name == "-" else name), path)
