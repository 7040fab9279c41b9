"""Pictures named by labels in words: shown, or given the labels as tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from imagekin.cli import output, tagging
from imagekin.cli.settings import Settings
from imagekin.cli.table import Column, render
from imagekin.errors import InputError
from imagekin.store import tags

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.zeroshot import Guesses

SURE: Final = 0.9
_FEW: Final = 3
_PAGE: Final = 1_000
_COLUMNS: Final = (
    Column("label", most=24), Column("pictures", right=True), Column("confidence", right=True),
    Column("id", right=True), Column("path"),
)  # fmt: skip


def named(settings: Settings, photos: Collection, how: Mapping[str, Any]) -> int:
    """Show what pictures are by the labels of a file, or give the sure ones those labels as tags.

    Raises:
        InputError: the file cannot be read, or a label cannot be, or no picture is at a path.
        UnsupportedError: the model takes no words.
    """
    labels = _labels(how["labels"])
    if how["above"] is not None:
        labels = {tags.checked(label): words for label, words in labels.items()}
    found = photos.zero_shot(labels, **tagging.filters(photos, how))
    if how["above"] is not None:
        return _given(settings, photos, found.above(how["above"]), yes=how["yes"])
    if settings.json:
        output.records(_records(photos, found))
    else:
        output.say(render(_COLUMNS, _rows(photos, found, how["k"] or _FEW), settings.width))
        if not settings.quiet:
            sure = sum(map(len, found.above(SURE).values()))
            click.echo(f"{sure:,} of {output.plural(len(found), 'picture')} are at least {SURE:.0%} sure.", err=True)
    return 0


def _labels(path: str) -> Mapping[str, str | Sequence[str]]:
    from imagekin import zeroshot

    try:
        with open(path, encoding="utf-8") as file:
            return zeroshot.read(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"the labels in {path!r} cannot be read ({reason}).") from error


def _given(settings: Settings, photos: Collection, ids: Mapping[str, Sequence[int]], *, yes: bool) -> int:
    number = sum(map(len, ids.values()))
    if number and not yes:
        listed = ", ".join(f"{label!r} to {len(some):,}" for label, some in ids.items())
        if not click.confirm(f"Give {listed}, {output.plural(number, 'picture')} in all?", err=True):
            click.echo("Nothing was changed.", err=True)
            return 1
    tagging.changed(settings, sum(photos.tag(some, label) for label, some in ids.items()))
    return 0


def _rows(photos: Collection, found: Guesses, k: int) -> Iterator[list[str]]:
    """The surest pictures of each label; how many have it stands beside the first of them."""
    for place, label in enumerate(found.labels):
        surest = found.surest(label, k)
        count = f"{int((found.best[:, 0] == place).sum()):,}"
        if not surest:
            yield [label, count, "", "", ""]
        paths = [item.path for item in photos.get([number for number, _ in surest])]
        for at, ((number, confidence), path) in enumerate(zip(surest, paths, strict=True)):
            yield ["" if at else label, "" if at else count, f"{confidence:.0%}", str(number), path]


def _records(photos: Collection, found: Guesses) -> Iterator[dict[str, Any]]:
    """Every picture with its best labels."""
    for at in range(0, len(found), _PAGE):
        rows = slice(at, at + _PAGE)
        items = photos.get(found.ids[rows])
        for item, best, shares in zip(items, found.best[rows].tolist(), found.shares[rows].tolist(), strict=True):
            named = [{"label": found.labels[place], "confidence": share}
                     for place, share in zip(best, shares, strict=True)]  # fmt: skip
            yield {"id": item.id, "path": item.path, **named[0], "others": named[1:]}
