"""``imagekin verify``: do two pictures show the same?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from imagekin.cli import judging, output
from imagekin.cli.commands.options import NUMBER, by_model, placed
from imagekin.cli.settings import Settings, shared
from imagekin.errors import ImagekinError

if TYPE_CHECKING:
    from imagekin.query import Query

SAME, DIFFERENT, FAILED = 0, 1, 2
"""Exit codes, those of ``have``."""


@click.command("verify")
@click.argument("pictures", nargs=-1, metavar="[A] [B]")
@click.option("--id", "ids", type=NUMBER, multiple=True, help="An item of the collection in place of a picture.")
@click.option("--far", type=float, metavar="F", help="Share of different pairs that may pass as the same. [0.01]")
@click.option("--prior", type=float, metavar="P", help="Share of such pairs that are the same.")
@click.option("--allow-urls", is_flag=True, help="Let A or B be an http(s) URL, and fetch it.")
@by_model
@placed
@shared
@click.pass_obj
def command(settings: Settings, /, pictures: Sequence[str], ids: Sequence[int], allow_urls: bool, **how: Any) -> int:
    """Say whether A and B show the same, with a probability, once the collection is calibrated.

    Exits with 0 if they do, with 1 if they do not, with 2 if something went wrong.
    """
    if len(pictures) + len(ids) != 2 or pictures.count("-") > 1:
        raise click.UsageError("Give two pictures: files, - for standard input, or --id for items of the collection.")
    from imagekin import verification

    both: list[Query | int] = [*(sys.stdin.buffer.read() if each == "-" else each for each in pictures), *ids]
    try:
        with settings.open(allow_urls=allow_urls) as photos:
            found = verification.verify(photos, *both, **how)
    except ImagekinError as sentence:
        settings.complain(sentence)
        return FAILED
    if settings.json:
        output.record(found.to_dict())
    else:
        output.say(judging.verdict(found))
    return SAME if found.same else DIFFERENT
