"""Classes and doubts as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from imagekin.cli import output
from imagekin.cli.table import Column, render

if TYPE_CHECKING:
    from imagekin.classification import Doubts, Guess, Trial

_GUESSES: Final = (
    Column("confidence", right=True),
    Column("label", most=24),
    Column("likeliest", most=24),
    Column("path"),
)
_DOUBTS: Final = (
    Column("confidence", right=True), Column("id", right=True), Column("label", most=20), Column("instead", most=20),
    Column("path"),
)  # fmt: skip
_OUTLIERS: Final = (
    Column("deviations", right=True),
    Column("id", right=True),
    Column("label", most=20),
    Column("path"),
)


def guesses(names: Sequence[str], found: Sequence[Guess], width: int | None) -> Iterator[str]:
    """What pictures are, a row each."""
    rows = ([f"{one.confidence:.0%}", one.label or "unknown", one.likeliest, name]
            for name, one in zip(names, found, strict=True))  # fmt: skip
    yield from render(_GUESSES, rows, width)


def trial(found: Trial) -> str:
    """How far the answers can be trusted."""
    return (
        f"By {found.method}: {found.accuracy:.1%} right ({100 * found.low:.1f}–{100 * found.high:.1f}) of "
        f"{found.tried:,} labelled pictures, each left out in turn, if it must answer. At {found.wanted:.0%} wrong "
        f"answers where {found.unknown:.0%} of pictures are of no known class it answers for {found.answered:.0%} of "
        f"those that are, and refuses {found.refused:.0%} of the others; on classes held out {found.wrong:.1%} of its "
        "answers were wrong."
    )


def doubts(found: Doubts, most: int, width: int | None) -> Iterator[str]:
    """Doubtful labels and outliers."""
    pictures = output.plural(found.pictures, "labelled picture")
    yield f"The neighbours of {len(found.labels):,} of {pictures} disagree with its label:"
    rows = ([f"{one.confidence:.0%}", str(one.id), one.label, one.instead, one.path] for one in found.labels[:most])
    yield from render(_DOUBTS, rows, width)
    yield ""
    yield f"{output.plural(len(found.outliers), 'picture')} far from all others, by what is usual in the class:"
    rows = ([f"{one.deviations:.1f}", str(one.id), one.label, one.path] for one in found.outliers[:most])
    yield from render(_OUTLIERS, rows, width)
    if max(len(found.labels), len(found.outliers)) > most:
        yield f"The first {most:,} of each; see -n and --json."
