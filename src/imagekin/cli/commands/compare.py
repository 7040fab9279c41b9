"""``imagekin compare``: where two pictures agree."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from imagekin import escape
from imagekin.cli import output
from imagekin.cli.commands.options import NUMBER, Region, by_model
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from imagekin.comparing import Comparison, Heat
    from imagekin.query import Query

_SHADES = " .:+#"


@click.command("compare")
@click.argument("pictures", nargs=-1, metavar="[A] [B]")
@click.option("--id", "ids", type=NUMBER, multiple=True, help="An item of the collection in place of a picture.")
@click.option("--crop", type=Region(), help="Compare this region of the first one, in its pixels.")
@click.option("--out", metavar="FILE", help="Also draw both under their heat into a PNG, JPEG or WebP file.")
@click.option("--allow-urls", is_flag=True, help="Let A or B be an http(s) URL, and fetch it.")
@by_model
@shared
@click.pass_obj
def command(settings: Settings, /, pictures: Sequence[str], ids: Sequence[int], out: str | None, **how: Any) -> None:
    """Show where two pictures agree: how much of their similarity comes from each place of A and of B."""
    if len(pictures) + len(ids) != 2 or pictures.count("-") > 1:
        raise click.UsageError("Give two pictures: files, - for standard input, or --id for items of the collection.")
    if out is not None:
        from imagekin import plots

        plots.writable(out)  # better refused before the work than after it
    both: list[Query | int] = [*(_read(each, how["allow_urls"]) for each in pictures), *ids]
    with settings.open(allow_urls=how["allow_urls"]) as photos:
        found = photos.compare(*both, crop=how["crop"])
        names = [*pictures, *(photos.get([each])[0].path for each in ids)]
    if settings.json:
        output.record(found.to_dict())
    else:
        output.say(_told(found, names))
    if out is not None:
        _draw(
            out, found, [name if isinstance(each, int) else each for name, each in zip(names, both, strict=True)], names
        )


def _read(given: str, allow_urls: bool) -> str | bytes:
    """What to compare; standard input and URLs are read once, as they are drawn too."""
    if given == "-":
        return sys.stdin.buffer.read()
    if allow_urls and given.lower().startswith(("http://", "https://")):
        from imagekin import fetch

        return fetch.get(given)
    return given


def _told(found: Comparison, names: Sequence[str]) -> Iterator[str]:
    """The similarity, and each picture's places from little (blank) to much (#)."""
    yield f"similarity  {found.similarity:.1%}"
    for name, heat in zip(names, (found.query, found.hit), strict=True):
        yield ""
        yield escape.terminal(f"{name}: half of it comes from {_half(heat)} of {heat.values.size} places")
        if heat.values.shape[1] <= 32:
            most = max(float(heat.values.max()), 1e-9)
            for row in heat.values / most:
                yield "  |" + "".join(2 * _SHADES[min(4, max(0, int(5 * share)))] for share in row) + "|"


def _half(heat: Heat) -> int:
    """How many places, the strongest first, make up half of the similarity."""
    import numpy as np

    totals = np.cumsum(np.sort(heat.values.ravel())[::-1])
    return int(np.argmax(totals >= totals[-1] / 2)) + 1


def _draw(path: str, found: Comparison, pictures: Sequence[Any], names: Sequence[str]) -> None:
    from imagekin import overlays, plots

    plots.save(overlays.sheet(found, *pictures, captions=(names[0], names[1])), path)
