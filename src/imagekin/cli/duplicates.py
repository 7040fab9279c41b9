"""What ``dupes`` and ``have`` show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from imagekin import escape
from imagekin.cli.output import megabytes, plural
from imagekin.cli.table import Column, render

if TYPE_CHECKING:
    from imagekin.duplicates import Answer, Done, Found, Plan, Undone
    from imagekin.types import Skipped

_SHOWN: Final = 20
_GROUPS: Final = (
    Column("group", right=True),
    Column("what"),
    Column("similarity", right=True),
    Column("size", right=True),
)
_ANSWERS: Final = (
    Column("verdict"),
    Column("confidence", right=True),
    Column("similarity", right=True),
    Column("query", most=40),
    Column("in the collection"),
)
_DOES: Final = {"hardlink": "link", "move": "move", "delete": "delete"}
_DID: Final = {"hardlink": "linked", "move": "moved", "delete": "deleted"}


def table(found: Found, *, full: bool, width: int | None) -> Iterator[str]:
    """Groups for people: the picture to keep, then the others."""
    from imagekin.duplicates import page

    yield escape.terminal(f"{found.name}: {page.summary(found)}")
    shown = found.groups if full else found.groups[:_SHOWN]
    if shown:
        columns = (*_GROUPS, *([Column("why")] if full else []), Column("path"))
        yield ""
        yield from render(columns, _rows(found, len(shown), full), width)
    if len(found.groups) > len(shown):
        yield f"and {len(found.groups) - len(shown):,} further groups; see --full, --json or --html FILE."
    yield ""
    yield from page.explained(found)
    yield f"It took {found.seconds:,.1f} s."
    yield from (f"Note: {escape.terminal(note)}" for note in found.notes)
    yield from _left_alone(found.skipped, "could not be looked at")


def _rows(found: Found, shown: int, full: bool) -> Iterator[list[str]]:
    for number, group in enumerate(found.groups[:shown], 1):
        keeper = group.keeper
        why = [group.rule] if full else []
        yield [str(number), "keep", "", f"{keeper.width} x {keeper.height}", *why, keeper.path]
        for member in group.members:
            item = member.item
            why = [member.evidence] if full else []
            yield ["", member.kind, f"{member.similarity:.1%}", f"{item.width} x {item.height}", *why, item.path]


def would(plan: Plan, act: str) -> Iterator[str]:
    """A dry run."""
    for step in plan.steps:
        arrow = f" = {step.keeper.path}" if act == "hardlink" else f" -> {step.to}"
        yield escape.terminal(f"{_DOES[act]} {step.item.path}{arrow}")
    if not plan.steps:
        yield "There is nothing to do."
        return
    yield f"{plural(len(plan.steps), 'file')}, {megabytes(plan.bytes)}. Nothing was done; to do it, add --yes."


def did(done: Done, plan: Plan, act: str) -> Iterator[str]:
    """What was done, and how to take it back."""
    yield f"{plural(len(done.acted), 'file')} {_DID[act]}, {megabytes(done.bytes)}.".capitalize()
    if done.interrupted:
        yield "It was stopped before its end; the other files were not touched."
    if act == "delete" and done.acted:
        yield "They lie in these hidden folders until you remove these, which is what frees the space:"
        yield from (escape.terminal(f"  {place}") for place in plan.places)
    if done.acted:
        yield escape.terminal(f"To take it back: imagekin dupes --undo {done.log}")
    yield from _left_alone(done.refused, "were left alone")


def undid(done: Undone) -> Iterator[str]:
    """What was taken back."""
    yield f"{plural(len(done.restored), 'file')} restored and indexed again."
    if done.unchanged:
        yield f"{plural(done.unchanged, 'file')} had not been touched, or had been restored before."
    yield from _left_alone(done.refused, "were left as they are")


def proposed(plan: Plan) -> dict[str, Any]:
    """A dry run as plain data."""
    steps = [
        {"act": step.act, "path": step.item.path, "to": step.to, "keeper": step.keeper.path, "size": step.item.size}
        for step in plan.steps
    ]
    return {"done": False, "bytes": plan.bytes, "steps": steps}


def plain(done: Done | Undone) -> dict[str, Any]:
    """What was done or undone as plain data."""
    refused = [{"path": one.path, "reason": one.reason} for one in done.refused]
    return {**{name: value for name, value in vars(done).items() if name != "gone"}, "refused": refused}


def answers(found: Iterable[Answer], width: int | None) -> Iterator[str]:
    """A verdict a line."""
    rows = (
        [
            one.verdict,
            f"{one.confidence:.1%}",
            "" if one.item is None else f"{one.similarity:.1%}",
            one.query,
            "" if one.item is None else one.item.path,
        ]
        for one in found
    )
    yield from render(_ANSWERS, rows, width)


def _left_alone(skipped: Sequence[Skipped], what: str) -> Iterator[str]:
    if not skipped:
        return
    yield f"{plural(len(skipped), 'file')} {what}:"
    for skip in skipped[:_SHOWN]:
        yield escape.terminal(f"  {skip.path}: {skip.reason}")
    if len(skipped) > _SHOWN:
        yield f"  and {len(skipped) - _SHOWN:,} more; see --json."
