"""``imagekin have``: is this picture in the collection?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from imagekin import escape
from imagekin.cli import duplicates, evaluating, output
from imagekin.cli.settings import Settings, shared
from imagekin.errors import ImagekinError, InputError

if TYPE_CHECKING:
    from imagekin.duplicates import Answer
    from imagekin.types import Skipped

FOUND, ABSENT, FAILED = 0, 1, 2
"""Exit codes, those of grep."""


@click.command("have")
@click.argument("queries", nargs=-1, required=True, metavar="QUERY...")
@click.option("--error", type=float, help="Share of strangers that may be taken for copies [0.0001].")
@click.option("--allow-urls", is_flag=True, help="Let a QUERY be an http(s) URL, and fetch it.")
@shared
@click.pass_obj
def command(settings: Settings, /, queries: Sequence[str], error: float | None, allow_urls: bool) -> int:
    """Say whether pictures are in the collection: files, folders of them, - for standard input.

    The verdict is one of: exact, edited, crop or mirror, same scene, look-alike, none. Exits with 0 if at least one
    picture is there (one of the first three), with 1 if none is, with 2 if something went wrong.
    """
    try:
        found, failed = _answers(settings, queries, error, allow_urls)
    except ImagekinError as sentence:
        settings.complain(sentence)
        return FAILED
    if settings.json:
        output.records(one.to_dict() for one in found)
    elif found:
        output.say(duplicates.answers(found, settings.width))
    for skip in failed:
        click.echo(f"imagekin: {escape.terminal(f'{skip.path}: {skip.reason}')}", err=True)
    return FAILED if failed else FOUND if any(one.there for one in found) else ABSENT


def _answers(
    settings: Settings, asked: Sequence[str], error: float | None, allow_urls: bool
) -> tuple[list[Answer], list[Skipped]]:
    from imagekin.duplicates import Answer, Presence, answers

    rate: dict[str, Any] = {} if error is None else {"error": error}
    found: list[Answer] = []
    failed: list[Skipped] = []
    with settings.open(allow_urls=allow_urls) as photos, evaluating.bar(settings) as step:
        for one in answers(Presence(photos, progress=step, **rate), _listed(asked, failed)):
            if isinstance(one, Answer):
                found.append(one)
            else:
                failed.append(one)
    return found, failed


def _listed(asked: Sequence[str], failed: list[Skipped]) -> Iterator[tuple[str, str | bytes]]:
    """Name and query of each picture; folders are walked."""
    from imagekin import files

    for one in asked:
        if one == "-":
            yield "-", sys.stdin.buffer.read()
        elif os.path.isdir(one):
            scan = files.Scan([one])
            empty = True
            for info in scan:
                empty = False
                yield info.path, info.path
            failed += scan.skipped
            if empty and not scan.skipped:
                raise InputError(f"the folder {one!r} has no pictures.")
        else:
            yield one, one
