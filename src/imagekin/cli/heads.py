"""What ``train head`` shows: the gain on what was not learned from, and what becomes of the head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from imagekin import escape
from imagekin.cli.output import plural
from imagekin.cli.table import Column, render

if TYPE_CHECKING:
    from imagekin.train import Candidate, Training, Trial

GAINS: Final = (
    Column("tried on"),
    Column("measure"),
    Column("before", right=True),
    Column("after", right=True),
    Column("points", right=True),
    Column("95 % interval", right=True),
)
_RECIPES: Final = (Column("images", right=True), Column("new classes", right=True), Column("recipe"))


def told(found: Training, *, dry_run: bool, full: bool, width: int | None) -> Iterator[str]:
    """A training for people."""
    judged = found.source == "judgements"
    what = f"{plural(found.judgements, 'judgement')} of {plural(found.images, 'image')}" if judged else (
        f"{plural(found.images, 'image')} of {found.labels:,} classes"
    )  # fmt: skip
    model = f", {found.model}" if found.model else ""
    yield escape.terminal(f"{found.name}: {what}{model}, {found.seconds:,.0f} s")
    yield ""
    if full:
        yield from render(_RECIPES, (_recipe(each) for each in found.candidates), width)
        yield "Points of precision gained on other pictures, by which the first one was chosen."
        yield ""
    cells = [*rows(found.on_images, "searches" if judged else "images")]
    if found.on_classes is not None:
        cells += rows(found.on_classes, "new classes")
    yield from render(GAINS, cells, width)
    yield from _tried(found)
    yield ""
    yield found.reason
    yield _end(found, dry_run)
    yield from (f"Note: {escape.terminal(note)}" for note in found.notes)


def _tried(found: Training) -> Iterator[str]:
    one = found.on_images
    if found.source == "judgements":
        yield f"searches: {one.queries:,} that were judged, each tried by what the others taught."
        return
    yield (
        f"images: {one.queries:,} queries among {plural(one.images, 'image')} of classes that it knew, learned from "
        f"{one.learned:,} others."
    )
    if (two := found.on_classes) is not None:
        yield (
            f"new classes: {two.queries:,} queries among {plural(two.images, 'image')} of {two.classes:,} classes, "
            f"learned from {two.learned:,} images of others."
        )


def _end(found: Training, dry_run: bool) -> str:
    short = f"{found.dim:,} → {found.short:,} numbers an image"
    if found.applied:
        return (
            f"The collection is searched by it from now on, {short}, learned from all {found.images:,} images. "
            "To take it away: imagekin train head --undo"
        )
    return f"Nothing was changed{f' ({short})' if found.kept and dry_run else ''}."


def rows(trial: Trial, what: str) -> list[list[str]]:
    """A trial's measures before and after."""
    return [
        [
            "" if number else what,
            change.name,
            f"{change.before:.2%}",
            f"{change.after:.2%}",
            f"{100 * change.gain:+.2f}",
            f"{100 * change.low:+.1f} to {100 * change.high:+.1f}",
        ]
        for number, change in enumerate(trial.changes)
    ]


def _recipe(one: Candidate) -> list[str]:
    parameters = ", ".join(f"{name} {value}" for name, value in one.recipe.items())
    gained = ["" if gain is None else f"{100 * gain:+.2f}" for gain in (one.images, one.classes)]
    return [*gained, f"{one.name} ({parameters})"]
