"""``imagekin search``: the pictures that look like one picture, or show what words say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imagekin.cli import judging, output, seeking
from imagekin.cli.commands.options import NUMBER, Region, by_model, filtered, placed, second_looks
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagekin.mixture import Sought
    from imagekin.types import Hit


@click.command("search")
@click.argument("query", nargs=-1, metavar="[QUERY [+|- QUERY]...]")
@click.option("-k", type=int, default=10, show_default=True, help="Hits wanted.")
@click.option("--id", type=NUMBER, help="Search by this item of the collection instead of by QUERY.")
@click.option("--text", metavar="WORDS", multiple=True, help="Words to search by, alone or beside QUERY or --id.")
@filtered
@click.option("--crop", type=Region(), help="Search by this region of QUERY, in its pixels.")
@second_looks
@click.option("--verify", type=int, metavar="N", help="Compare the N nearest with QUERY by points that match.")
@by_model
@click.option("--fuse", metavar="MODEL,MODEL[:WEIGHT]", help="Search by several models of the collection at once.")
@click.option("--fuse-by", type=click.Choice(["rank", "score"]), help="By ranks, or by similarities.  [rank]")
@click.option("--plot", metavar="FILE", help="Also draw query and hits into a PNG, JPEG or WebP file.")
@click.option("--allow-urls", is_flag=True, help="Let QUERY be an http(s) URL, and fetch it.")
@placed
@shared
@click.pass_obj
def command(settings: Settings, /, query: tuple[str, ...], plot: str | None, allow_urls: bool, **options: Any) -> None:
    """Find the pictures that look like QUERY: a file, - for standard input, a URL (see --allow-urls), or words.

    Words need a model that takes them. Several are added and taken away: "2:beach" + pool.jpg - people
    """
    phrases = seeking.phrases(query)
    texts = seeking.words(options.pop("text"))
    if (phrases and options["id"] is not None) or not (phrases or texts or options["id"] is not None):
        raise click.UsageError("Give either a QUERY picture, words or --id.")
    if options["fuse_by"] is None:
        options.pop("fuse_by")
    elif options["fuse"] is None:
        raise click.UsageError("--fuse-by says how to fuse models; name them with --fuse.")
    if plot is not None:
        seeking.writable(plot)
    with settings.open(allow_urls=allow_urls) as photos:
        sought = seeking.query(phrases, photos, fetch=allow_urls and plot is not None)
        found = photos.search(sought, text=texts, **options)
        item = None if options["id"] is None else photos.get([options["id"]])[0].path
        sure = judging.matches(photos, sought, found, texts=texts, options=options)
    if settings.json:
        output.records(found if sure is None else judging.matched(found, sure))
    else:
        output.say(output.hits(found, settings.width, sure))
    if plot is not None:
        asked = [each for each in (item, sought, texts) if each is not None]
        _draw(plot, asked, found, crop=options["crop"], caption=" ".join(query))


def _draw(path: str, asked: Sequence[Sought], hits: Sequence[Hit], *, crop: Any, caption: str) -> None:
    from imagekin import plots
    from imagekin.mixture import Text

    shown = seeking.shown(asked)
    told = caption if caption != "-" and not isinstance(shown, Text) else ""
    plots.save(plots.sheet(shown, hits, crop=crop, caption=told or None), path)
