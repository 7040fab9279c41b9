"""Queries of words, and of several parts: pictures and words, some of which hits are to be like, others unlike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from imagekin import query as queries
from imagekin.errors import InputError
from imagekin.query import Query
from imagekin.searching import AWAY
from imagekin.types import Vectors

LONGEST: Final = 2_000
"""Characters of a text; models read far fewer words."""

HEAVIEST: Final = 1_000.0
"""The largest weight; its inverse is the smallest."""

_WRITTEN: Final = re.compile(r"\s*([+−-]?)\s*(?:(\d{1,9}(?:\.\d{0,20})?|\.\d{1,20}):)?(.*)", re.DOTALL)


class Term:
    """The arithmetic of queries: ``2 * Text("beach") + "pool.jpg" - Text("people")``."""

    __array_ufunc__ = None  # an array beside it is a picture, not numbers to be added one by one
    __slots__ = ()

    def terms(self) -> tuple[Part, ...]:
        """Its parts."""
        raise NotImplementedError

    def __add__(self, other: Sought) -> Mixture:
        """Hits are to be like *other* as well."""
        return Mixture(self, other)

    def __radd__(self, other: Sought) -> Mixture:
        return Mixture(other, self)

    def __sub__(self, other: Sought) -> Mixture:
        """Hits are to be unlike *other*, which counts half unless it has a weight."""
        return Mixture(self, -Mixture(other))

    def __rsub__(self, other: Sought) -> Mixture:
        return Mixture(other, -self)

    def __neg__(self) -> Mixture:
        """Hits are to be unlike it."""
        return of(replace(part, away=not part.away) for part in self.terms())

    def __mul__(self, weight: object) -> Mixture:
        """Every part counts *weight* times as much."""
        if not isinstance(weight, int | float | np.integer | np.floating):
            return NotImplemented
        return of(part.times(float(weight)) for part in self.terms())

    __rmul__ = __mul__


@dataclass(frozen=True, slots=True)
class Text(Term):
    """Words to search by, for models that embed words and pictures into the same space.

    Attributes:
        words: what hits are to show, such as ``a dog on a beach``.

    Raises:
        InputError: it is no text, or empty, or of more than 2,000 characters.
    """

    words: str

    def __post_init__(self) -> None:
        given: Any = self.words
        if not isinstance(given, str) or not given.strip():
            raise InputError(f"a text to search by needs words, such as 'a dog on a beach', not {given!r}.")
        if len(given) > LONGEST:
            raise InputError(f"a text of {len(given):,} characters is too long; give at most {LONGEST:,}.")
        try:
            given.encode()
        except UnicodeEncodeError:
            raise InputError(f"{given[:40]!r} has bytes that are no UTF-8 text; write the words anew.") from None

    def terms(self) -> tuple[Part, ...]:
        """Itself alone."""
        return (Part(self),)


@dataclass(frozen=True, slots=True, eq=False)
class Known(Term):
    """A vector ``(dim,)`` of length 1 that is there already, as that of an item."""

    vector: Vectors

    def terms(self) -> tuple[Part, ...]:
        """Itself alone."""
        return (Part(self),)


Sought: TypeAlias = "Query | Term"
"""What a search takes: a picture in any form, words, or several of both."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One of a mixture's parts.

    Attributes:
        source: a picture or a text.
        weight: how much it counts; None: 1, or half where hits are to be unlike it.
        away: whether hits are to be unlike it.
    """

    source: Query | Text | Known
    weight: float | None = None
    away: bool = False

    @property
    def signed(self) -> float:
        """Its weight, below 0 where hits are to be unlike it."""
        weight = self.weight if self.weight is not None else AWAY if self.away else 1.0
        return -weight if self.away else weight

    def times(self, factor: float) -> Part:
        """The same part with another weight; below 0 it turns to the other side.

        Raises:
            InputError: the weight would be beyond 1/1000…1000.
        """
        weight = abs(factor) * (1.0 if self.weight is None else self.weight)
        return replace(self, weight=weighed(weight), away=self.away != (factor < 0))


class Mixture(Term):
    """Several pictures and texts that make one query; made by adding and subtracting, or from its terms.

    Args:
        terms: pictures in any form, texts and mixtures, all of which hits are to be like.
    """

    __slots__ = ("parts",)
    parts: tuple[Part, ...]

    def __init__(self, *terms: Sought) -> None:
        self.parts = tuple(part for term in terms for part in parts_of(term))

    def terms(self) -> tuple[Part, ...]:
        """Its parts, in the order in which they were added."""
        return self.parts

    def __repr__(self) -> str:
        return f"<Mixture {written(self)}>"


def parts_of(query: Sought) -> tuple[Part, ...]:
    """The parts of a query; a picture or a text is one.

    Raises:
        InputError: it is a list.
    """
    if isinstance(query, Term):
        return query.terms()
    if queries.is_many(query):
        raise InputError("a list is several queries; to make one of several pictures, add them: Mixture('a.jpg') + …")
    return (Part(query),)


def weighed(weight: float) -> float:
    """A weight that can be.

    Raises:
        InputError: it is not within 1/1000…1000.
    """
    if not math.isfinite(weight) or not 1 / HEAVIEST <= weight <= HEAVIEST:
        raise InputError(f"a weight is a number from {1 / HEAVIEST:g} to {HEAVIEST:g}, not {weight:g}.")
    return weight


def split(text: str) -> tuple[bool, float | None, str]:
    """Sign, weight and rest of a part as a person writes it: ``-2:people`` is ``(True, 2.0, "people")``.

    Raises:
        InputError: the weight cannot be.
    """
    found = _WRITTEN.fullmatch(text)
    sign, weight, rest = found.groups() if found else ("", None, text)
    return sign in ("-", "−") and bool(sign), None if weight is None else weighed(float(weight)), rest


def read(text: str) -> Mixture:
    """Words as a person writes them: ``beach``, ``2:beach`` (twice as much), ``-people`` (hits are to be unlike).

    What begins with a sign or a number of its own is written with a weight: ``1:-5 degrees``.

    Raises:
        InputError: there are no words, or too many, or the weight cannot be.
    """
    away, weight, rest = split(text)
    return of([Part(Text(rest), weight, away)])


def write(part: Part) -> str:
    """A text's part so that ``read`` gives it again."""
    words = part.source.words if isinstance(part.source, Text) else str(part.source)
    return f"{'-' if part.away else ''}{abs(part.signed)!r}:{words}"


def written(query: Sought) -> str:
    """A query in a few words, for people."""
    shown = ""
    for part in parts_of(query):
        source = part.source
        name = source.words if isinstance(source, Text) else source if queries.is_named(source) else "a picture"
        weight = "" if part.weight is None else f"{part.weight:g}:"
        shown += f"{' − ' if part.away else ' + ' if shown else ''}{weight}{name}"
    return shown.strip()


def words(text: str | Text | Mixture) -> Text | Mixture:
    """What is given as words, where a plain string is words and no path."""
    return Text(text) if isinstance(text, str) else text


def with_text(wanted: Sequence[Sought], text: str | Text | Mixture | None) -> list[Sought]:
    """Queries, each with the same words beside it, if there are any."""
    return list(wanted) if text is None else [Mixture(each, words(text)) for each in wanted]


def of(parts: Iterable[Part]) -> Mixture:
    """The mixture of these parts."""
    made = Mixture()
    made.parts = tuple(parts)
    return made
