"""What a command line searches by: files, standard input, URLs and words, added to and taken from each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.mixture import Mixture, Part, Sought

_SIGNS: Final = {"+": False, "-": True, "−": True}


def phrases(arguments: Sequence[str]) -> list[tuple[bool, str]]:
    """The parts of a query, each with whether hits are to be unlike it.

    Raises:
        click.UsageError: two parts have no sign between them, or a sign has nothing behind it.
    """
    found: list[tuple[bool, str]] = []
    sign: str | None = "+"
    for argument in arguments:
        if sign is not None:
            found.append((_SIGNS[sign], argument))
            sign = None
        elif argument in _SIGNS:
            sign = argument
        else:
            raise click.UsageError(
                f"Between {found[-1][1]!r} and {argument!r} there is no + or -; words that belong together stand in "
                "quotes."
            )
    if arguments and sign is not None:
        raise click.UsageError(f"Nothing stands behind the last {sign}.")
    return found


def query(phrases: Sequence[tuple[bool, str]], photos: Collection, *, fetch: bool) -> Sought | None:
    """What the parts of a query are, and how much each of them counts.

    Args:
        phrases: the parts.
        photos: whose model says whether words can be searched by.
        fetch: read URLs here, so that they are fetched once only.

    Raises:
        InputError: one is no file, and the model takes no words.
        FetchError: a URL does not answer with an image.
    """
    from imagekin import mixture

    parts = [_part(away, phrase, photos, fetch) for away, phrase in phrases]
    if len(parts) == 1 and parts[0].signed == 1:
        return parts[0].source
    return mixture.of(parts) if parts else None


def words(texts: Sequence[str]) -> Mixture | None:
    """Words as ``mixture.read`` takes them, all of them together; None if there are none.

    Raises:
        InputError: one cannot be.
    """
    from imagekin import mixture

    return mixture.Mixture(*map(mixture.read, texts)) if texts else None


def shown(asked: Sequence[Sought]) -> Any:
    """What is drawn for a query: its first picture, or else its words."""
    from imagekin import mixture
    from imagekin.mixture import Mixture, Text

    whole = Mixture(*asked)
    pictures = [part.source for part in whole.parts if not isinstance(part.source, Text)]
    return pictures[0] if pictures else Text(mixture.written(whole))


def writable(path: str) -> None:
    """Check that a plot can be written there, which is better refused before the search than after it.

    Raises:
        InputError: it cannot.
    """
    from imagekin import plots

    plots.writable(path)


def _part(away: bool, phrase: str, photos: Collection, fetch: bool) -> Part:
    from imagekin.mixture import Part, split

    if phrase == "-":
        return Part(sys.stdin.buffer.read(), None, away)
    unlike, weight, rest = (False, None, phrase) if _is_there(phrase) else split(phrase)
    source = (_fetched(rest) if fetch else rest) if _is_picture(rest) else _words(rest, photos)
    return Part(source, weight, away != unlike)


def _is_there(phrase: str) -> bool:
    from imagekin.query import is_url

    return is_url(phrase) or os.path.lexists(phrase)


def _is_picture(phrase: str) -> bool:
    """Whether it is a URL, a file, or called as pictures are: then words are not what was meant."""
    from imagekin import formats

    return _is_there(phrase) or formats.by_suffix(os.path.splitext(phrase)[1].lower()) is not None


def _words(phrase: str, photos: Collection) -> Any:
    from imagekin.embed.base import NO_TEXT
    from imagekin.errors import InputError
    from imagekin.mixture import Text

    if not photos.takes_text:
        raise InputError(f"there is no such file: {phrase!r}; and words it cannot be, as the model {NO_TEXT}")
    return Text(phrase)


def _fetched(source: str) -> str | bytes:
    from imagekin import fetch
    from imagekin.query import is_url

    return fetch.get(source) if is_url(source) else source
