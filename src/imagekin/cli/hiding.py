"""What ``bias`` shows: what pictures are found by, their subjects or what is around these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from imagekin import escape
from imagekin.cli.output import plural
from imagekin.cli.table import Column, render

if TYPE_CHECKING:
    from imagekin.bias import Look, Part, Sort, Survey

_PARTS: Final = (
    Column("shown"), Column("right", right=True), Column("95 %", right=True),
    Column("another label wins", right=True), Column("95 %", right=True),
)  # fmt: skip
_SORTS: Final = (
    Column("pictures", right=True), Column("subject", right=True), Column("surroundings", right=True),
    Column("without surroundings", right=True), Column("without subject", right=True), Column("class", most=28),
)  # fmt: skip
_SHOWN: Final = 10


def looked(found: Look) -> Iterator[str]:
    """One picture for people."""
    yield escape.terminal(f"{found.name}{f' ({found.label})' if found.label else ''}")
    for part, hits in found.hits.items():
        near = ", ".join(f"{hit.label or hit.path} {hit.similarity:.0%}" for hit in hits)
        yield escape.terminal(f"{part:<18}  {near}")
    yield found.verdict
    if found.share is not None:
        yield (
            f"The places of the subject, {found.area:.0%} of the picture, add {found.share:.0%} of its similarity with "
            "its nearest."
        )


def surveyed(found: Survey, *, full: bool, width: int | None) -> Iterator[str]:
    """A collection for people."""
    from imagekin.bias.hiding import SUBJECTS

    model = f", {found.model}" if found.model else ""
    yield escape.terminal(
        f"{found.name}: {found.queries:,} of {plural(found.images, 'labelled image')}{model}, {found.seconds:,.0f} s"
    )
    yield f"Subject: {found.area:.0%} of what the network sees, {SUBJECTS[found.subject]}."
    yield ""
    yield from render(_PARTS, map(_part, found.parts), width)
    yield (
        f"right: of the {found.k} nearest, the share with the picture's label; another label wins: the share of "
        "pictures whose nearest vote otherwise than those of the whole picture."
    )
    if found.share is not None:
        yield f"The subjects' places add {found.share:.0%} of the similarity with the nearest."
    yield ""
    leaning = [each for each in found.sorts if each.leaning > 0]
    shown = found.sorts if full else leaning[:_SHOWN]
    yield from _leaning(leaning, len(found.sorts))
    if shown:
        yield from render(_SORTS, map(_sort, shown), width)
        yield (
            "subject, surroundings: right where only these are shown; without …: share of pictures for which another "
            "label wins then, with its 95 % interval."
        )
    yield from (f"Note: {escape.terminal(note)}" for note in found.notes)


def _leaning(leaning: list[Sort], classes: int) -> Iterator[str]:
    if leaning:
        yield (
            f"Of {classes:,} classes {len(leaning):,} {'is' if len(leaning) == 1 else 'are'} found by the surroundings "
            "more than by the subjects:"
        )
    else:
        yield f"None of the {classes:,} classes is found by the surroundings more than by the subjects."


def _part(one: Part) -> list[str]:
    from imagekin.bias.records import WHOLE

    changed = "" if one.name == WHOLE else f"{one.changed:.1%}"
    interval = "" if one.name == WHOLE else f"{100 * one.changed_low:.1f}–{100 * one.changed_high:.1f}"
    return [one.name, f"{one.precision:.1%}", f"{100 * one.low:.1f}–{100 * one.high:.1f}", changed, interval]


def _sort(one: Sort) -> list[str]:
    from imagekin.bias.records import SUBJECT, SURROUNDINGS

    shares = [
        f"{share:.0%} ({100 * low:.0f}–{100 * high:.0f})"
        for share, low, high in (one.changed[part] for part in (SUBJECT, SURROUNDINGS))
    ]
    right = [f"{one.precision[part]:.0%}" for part in (SUBJECT, SURROUNDINGS)]
    return [f"{one.queries:,}", *right, *shares, escape.terminal(one.label)]
