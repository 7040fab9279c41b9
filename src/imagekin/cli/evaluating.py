"""What ``evaluate`` shows: a bar, and tables of measures, classes, confusions and edits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from imagekin import escape
from imagekin.cli.output import plural
from imagekin.cli.table import Column, render

if TYPE_CHECKING:
    from imagekin.cli.settings import Settings
    from imagekin.evaluation import (
        EditFigures,
        Episodes,
        Evaluation,
        FewShot,
        Figure,
        Length,
        Progress,
        SelfRetrieval,
        Sweep,
    )

_SHOWN: Final = 10
_LABEL: Final = 28
_WHOLE: Final = ("R-precision", "mAP@R", "MRR")
_CLASSES: Final = (
    Column("mAP@R", right=True),
    Column("queries", right=True),
    Column("class", most=_LABEL),
    Column("most often taken for"),
)
_PAIRS: Final = (Column("queries", right=True), Column("share", right=True), Column("class", most=_LABEL))
_EDITS: Final = (
    Column("recall@1", right=True),
    Column("95 % interval", right=True),
    Column("similarity", right=True),
    Column("edit"),
    Column("strength"),
)


_TASKS: Final = (
    Column("task"),
    Column("accuracy", right=True),
    Column("95 % interval", right=True),
    Column("by chance", right=True),
    Column("classes", right=True),
)
_WHOLE_LENGTH: Final = "whole"
_LENGTHS: Final = ("points against whole", "mAP@R", "bytes", "search ms", "speed")


@contextmanager
def bar(settings: Settings) -> Iterator[Callable[[Progress], None] | None]:
    """What an evaluation calls with its progress, or None where nobody would see a bar."""
    if settings.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("Reading", total=None)

        def step(progress: Progress) -> None:
            shown.update(task, description=progress.what, completed=progress.done, total=progress.total)

        yield step


def by_labels(found: Evaluation, *, full: bool, width: int | None) -> Iterator[str]:
    """An evaluation for people: measures, worst classes, most confused pairs, notes."""
    yield escape.terminal(
        f"{found.name}: {plural(found.images, 'image')} of {len(found.per_class):,} classes, "
        f"{', '.join(filter(None, [found.model, found.metric, found.split]))}"
    )
    asked = f"{found.queries:,} queries, each compared with {plural(found.searched, 'image')}, {found.seconds:,.1f} s"
    yield asked
    yield ""
    yield from _measures(found, width)
    yield "Means over queries; their 95 % intervals are over classes."
    yield ""
    yield from _classes(found, None if full else _SHOWN, width)
    yield ""
    yield from _pairs(found, None if full else _SHOWN, width)
    yield from _notes(found.notes)


def by_edits(found: SelfRetrieval, *, width: int | None) -> Iterator[str]:
    """Self-retrieval for people: a line an edit and strength, mildest first."""
    yield escape.terminal(
        f"{found.name}: {plural(found.pictures, 'picture')} edited, each searched for among {found.searched:,}"
        f"{f', {found.model}' if found.model else ''}, {found.seconds:,.1f} s"
    )
    yield ""
    rows = [_edit(one, number == 0) for _, some in _grouped(found.edits) for number, one in enumerate(some)]
    yield from render(_EDITS, rows, width)
    yield "recall@1: the share of edited pictures whose original is the nearest of all."
    yield from _notes(found.notes)


def by_dimension(found: Sweep, *, width: int | None) -> Iterator[str]:
    """A sweep over lengths for people: a line a length, the knee marked, and what it means."""
    yield escape.terminal(
        f"{found.name}: {plural(found.images, 'image')}, "
        f"{', '.join(filter(None, [found.model, found.metric, found.split]))}; "
        f"{found.reducer} fitted to {plural(found.fitted, 'image')}"
    )
    yield f"{found.queries:,} queries, each compared with {plural(found.searched, 'image')}, {found.seconds:,.1f} s"
    yield ""
    columns = [Column(name, right=True) for name in ("dimensions", f"precision@{found.k}", *_LENGTHS)]
    knee = found.knee if found.reaches else None
    rows = [_length(one, "knee" if one is knee else "") for one in found.lengths]
    yield from render([*columns, Column("")], [*rows, _length(found.whole, _WHOLE_LENGTH)], width)
    yield "Means over queries; their 95 % intervals are over classes. Searches: by brute force, in turns, the median."
    yield ""
    yield found.sentence
    yield from _notes(found.notes)


def by_episodes(found: Episodes, *, width: int | None) -> Iterator[str]:
    """Few-shot classification for people: a line a task, and what it means."""
    parts = filter(None, [found.model, found.metric])
    yield escape.terminal(f"{found.name}: {plural(found.images, 'image')}, {', '.join(parts)}, {found.seconds:,.1f} s")
    yield ""
    yield from render(_TASKS, map(_task, found.tasks), width)
    yield "N x K: N classes drawn, K examples of each known, and other pictures of them put to the nearest mean of"
    yield f"examples. Means of {plural(found.episodes, 'episode')}; intervals are over these, of the same pictures."
    yield from _notes(found.notes)


def plain(
    found: Episodes | Evaluation | SelfRetrieval | Sweep, *, plot: object, sheets: Sequence[object]
) -> dict[str, Any]:
    """The same as data, and what was drawn."""
    drawn = {"plot": None if plot is None else str(plot), "sheets": [str(path) for path in sheets]}
    return {**found.to_dict(), **drawn}


def _task(one: FewShot) -> list[str]:
    chance = _percent(1 / one.task.way)
    return [str(one.task).replace("x", " x "), _percent(one.accuracy), _interval(one), chance, f"{one.classes:,}"]


def _measures(found: Evaluation, width: int | None) -> Iterator[str]:
    by_name = {one.name: one for one in found.figures}
    cutoffs = sorted(found.k)
    names = dict.fromkeys(name.rpartition("@")[0] for name in by_name if name not in _WHOLE)
    rows = [[name, *(_figure(by_name[f"{name}@{k}"]) for k in cutoffs), ""] for name in names]
    yield from render([Column("measure"), *(Column(f"k = {k}", right=True) for k in cutoffs), Column("")], rows, width)
    yield ""
    whole = [[name, _figure(by_name[name]), ""] for name in _WHOLE]
    yield from render([Column("measure"), Column("whole ranking", right=True), Column("")], whole, width)


def _classes(found: Evaluation, most: int | None, width: int | None) -> Iterator[str]:
    shown = found.per_class[:most]
    yield f"Worst classes first ({len(shown):,} of {len(found.per_class):,}):"
    rows = (
        [
            _percent(one.precision),
            _percent(one.map_r),
            f"{one.queries:,}",
            one.label,
            "" if one.taken_for is None else f"{one.taken_for} ({one.taken:,})",
        ]
        for one in shown
    )
    yield from render([Column(f"precision@{found.k[0]}", right=True), *_CLASSES], rows, width)


def _pairs(found: Evaluation, most: int | None, width: int | None) -> Iterator[str]:
    shown = found.confusions[:most]
    if not shown:
        yield f"No query was put into a wrong class by its {found.k[0]} nearest."
        return
    yield f"Most confused by the votes of {found.k[0]} neighbours ({len(shown):,} of {len(found.confusions):,} pairs):"
    rows = ([f"{pair.count:,}", f"{pair.share:.0%}", pair.label, pair.taken_for] for pair in shown)
    yield from render([*_PAIRS, Column("taken for")], rows, width)


def _notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield ""
    shown = notes if len(notes) <= _SHOWN else [*notes[:_SHOWN], f"and {len(notes) - _SHOWN:,} more; see --json."]
    yield from (f"Note: {escape.terminal(note)}" for note in shown)


def _edit(one: EditFigures, first: bool) -> list[str]:
    return [_percent(one.recall), _interval(one), _percent(one.similarity), one.edit if first else "", one.strength]


def _length(one: Length, mark: str) -> list[str]:
    value, low, high = (100 * share for share in (one.change.value, one.change.low, one.change.high))
    return [
        f"{one.dim:,}",
        _figure(one.precision),
        "" if mark == _WHOLE_LENGTH else f"{value:+.2f} ({low:+.1f} to {high:+.1f})",
        _figure(one.map_r),
        f"{one.bytes:,}",
        f"{one.ms:.3g}",
        f"{one.speed:.1f} ×",
        mark,
    ]


def _grouped(edits: Sequence[EditFigures]) -> Iterator[tuple[str, list[EditFigures]]]:
    return ((name, list(some)) for name, some in groupby(edits, key=lambda one: one.edit))


def _figure(one: Figure) -> str:
    return f"{_percent(one.value)} ({_interval(one)})"


def _interval(one: Figure | EditFigures | FewShot) -> str:
    return f"{100 * one.low:.1f}–{100 * one.high:.1f}"


def _percent(share: float) -> str:
    return f"{share:.2%}"
