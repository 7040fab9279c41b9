"""Tags and proposals as text for people and as JSON for programs; and which pictures a command line means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from imagekin import escape, location
from imagekin.cli import output
from imagekin.cli.settings import Settings
from imagekin.cli.table import Column, render
from imagekin.errors import InputError
from imagekin.tagging import known

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.proposals import Proposals

_TAGS: Final = (Column("pictures", right=True), Column("tag"))
_PROPOSALS: Final = (
    Column("confidence", right=True),
    Column("similarity", right=True),
    Column("id", right=True),
    Column("path"),
)


def chosen(photos: Collection, how: Mapping[str, Any]) -> dict[str, Any]:
    """The pictures that paths, ids and filters of a command line name together, as ``Collection.tag`` takes them.

    Raises:
        InputError: an id or a path is not in the collection.
    """
    if how["ids"]:
        photos.get(how["ids"])  # an id that is not there is an error here as it is elsewhere
    return {**({"ids": how["ids"]} if how["ids"] else {}), **filters(photos, how)}


def filters(photos: Collection, how: Mapping[str, Any]) -> dict[str, Any]:
    """The filters of a command line; paths are what pictures lie under, and each must be of the collection.

    Raises:
        InputError: no picture of the collection is at a path; or paths and ``--under`` are both given.
    """
    found = {name: how[name] for name in ("under", "label", "where", "tag") if how[name] is not None}
    if how["paths"]:
        if "under" in found:
            raise InputError("paths say where pictures lie, as --under does; give one or the other.")
        found["under"] = [location.absolute(path) for path in how["paths"]]
        for path in found["under"]:
            if not photos.count(under=path):
                raise InputError(f"no picture of the collection is at {path}; index it first.")
    return found


def tagged(photos: Collection, word: str) -> dict[str, Any]:
    """All pictures that have a tag, as ``Collection.tag`` takes them.

    Raises:
        InputError: there is no such tag.
    """
    known(photos.store, word)
    return {"tag": [word]}


def examples(photos: Collection, how: Mapping[str, Any]) -> tuple[list[int], dict[str, Any]]:
    """Pictures that a command line names as examples, by id or as files, and the filters: folders are among those.

    Raises:
        InputError: no picture of the collection is at a path.
    """
    paths = {path: location.absolute(path) for path in how["paths"]}
    found = photos.store.lookup([*paths.values()])
    folders = [path for path, absolute in paths.items() if absolute not in found]
    return [*how["ids"], *(one.id for one in found.values())], filters(photos, {**how, "paths": folders})


def having(photos: Collection, word: str, chosen: Mapping[str, Any]) -> int:
    """How many of the pictures have a tag, at most."""
    others = {name: value for name, value in chosen.items() if name not in ("ids", "tag")}
    fit = photos.count(**others, tag=[*(chosen.get("tag") or ()), word])
    return min(fit, len(chosen["ids"])) if "ids" in chosen else fit


def listed(settings: Settings, counts: Mapping[str, int]) -> None:
    """Every tag with its number of pictures."""
    if settings.json:
        output.records({"tag": tag, "count": count} for tag, count in counts.items())
    elif counts:
        output.say(render(_TAGS, ([f"{count:,}", tag] for tag, count in counts.items()), settings.width))
    else:
        click.echo("No picture has a tag; give one: imagekin tag TAG FILE…")


def changed(settings: Settings, number: int) -> None:
    """How many pictures have other tags than before."""
    if settings.json:
        output.record({"changed": number})
    elif not settings.quiet:
        click.echo(f"Changed the tags of {output.plural(number, 'picture')}.")


def proposed(settings: Settings, found: Proposals) -> None:
    """Pictures that may deserve a tag, the most certain first."""
    if settings.json:
        output.record(found)
        return
    rows = (
        [f"{one.confidence:.0%}", f"{one.similarity:.1%}", str(one.id), one.path] for one in found.proposals
    )  # fmt: skip
    output.say(render(_PROPOSALS, rows, settings.width))
    if not settings.quiet:
        about = (
            "calibrated on this collection"
            if found.calibrated
            else "as measured elsewhere; this collection tells too little"
        )
        click.echo(
            f"From {output.plural(found.examples, 'example')}; the confidence is {escape.terminal(about)}.", err=True
        )
