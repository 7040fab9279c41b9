"""Results as text for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import click

from imagekin import escape
from imagekin.cli.table import Column, render
from imagekin.store.models import called

if TYPE_CHECKING:
    from imagekin.registry import Entry, Registry
    from imagekin.types import Hit, Item, Report, Skipped

_SHOWN: Final = 10
_NOTHING: Final = "No picture of the collection fits."
_LABEL: Final = 16
_HITS: Final = (
    Column("similarity", right=True),
    Column("id", right=True),
    Column("label", most=_LABEL),
    Column("size", right=True),
    Column("path"),
)
_MATCH: Final = Column("match", right=True)
_VERIFIED: Final = (Column("points", right=True), Column("thing"))
_ITEMS: Final = _HITS[1:]
_ENTRIES: Final = (Column("kind"), Column("name"), Column("what"))
_COUNTS: Final = (
    "added",
    "updated",
    "reused",
    "unchanged",
    "relabelled",
    "completed",
    "removed",
    "missing",
    "returned",
)
_SAID: Final = {"completed": "embedded by further models"}


def say(lines: Iterable[str]) -> None:
    """Print lines as they come."""
    for line in lines:
        click.echo(line)


def record(value: Any) -> None:
    """Print one JSON object: ASCII only, so that no name can write to the terminal."""
    click.echo(json.dumps(_plain(value), indent=2))


def line(value: Any) -> None:
    """Print one JSON object in one line, for a reader who takes them as they come."""
    click.echo(json.dumps(_plain(value)))
    sys.stdout.flush()


def records(values: Iterable[Any]) -> None:
    """Print a JSON array, one element a line, as they come."""
    before = "["
    for value in values:
        click.echo(before + "\n" + json.dumps(_plain(value)), nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def hits(found: Sequence[Hit], width: int | None, sure: Sequence[float] | None = None) -> Iterator[str]:
    """A search's table, nearest first; *sure*: the probability that each shows the same as the query."""
    if not found:
        yield _NOTHING
        return
    columns, rows = [_HITS[0]], [[f"{hit.similarity:.1%}"] for hit in found]
    for some, cells in (
        ((_MATCH,), [] if sure is None else [[f"{match:.0%}"] for match in sure]),
        (_VERIFIED, [] if all(hit.inliers is None for hit in found) else [_points(hit.inliers) for hit in found]),
        (_ITEMS, [_cells(hit) for hit in found]),
    ):
        if cells:
            columns.extend(some)
            rows = [row + more for row, more in zip(rows, cells, strict=True)]
    yield from render(columns, rows, width)


def items(found: Iterable[Item], width: int | None) -> Iterator[str]:
    """A list's table, by id."""
    rest = iter(found)
    first = next(rest, None)
    if first is None:
        yield _NOTHING
    else:
        yield from render(_ITEMS, (_cells(item) for item in chain([first], rest)), width)


def skips(found: Iterable[Skipped]) -> Iterator[str]:
    """Every file that cannot be indexed, and below it the reason."""
    for skip in found:
        yield escape.terminal(skip.path)
        yield escape.terminal(f"    {skip.reason}")


def registries(families: Mapping[str, Registry]) -> Iterator[str]:
    """The members of families (models, engines), each with what it needs that is not installed."""
    rows = ([kind, name, _about(entry)] for kind, family in families.items() for name, entry in family.items())
    yield from render(_ENTRIES, rows, None)


def entries(family: Registry) -> list[dict[str, Any]]:
    """A family's members as plain data."""
    return [
        {"name": name, "summary": entry.summary, "extra": entry.extra, "installed": entry.installed()}
        for name, entry in family.items()
    ]


def facts(info: Mapping[str, Any]) -> dict[str, object]:
    """The part of ``Collection.info`` that a person wants to see."""
    model = info.get("embedder") or {}
    named = called(model) if model else "none yet"
    shown = {
        "collection": info["location"],
        "images": info["images"],
        "missing": f"{info['missing']:,} (their drive or folder is absent)" if info["missing"] else 0,
        "skipped": f"{info['skipped']:,} (see imagekin info --skipped)" if info["skipped"] else 0,
        "model": f"{named}, {model['dim']:,} numbers an image" if model else named,
        "models": models(info.get("models") or []),
        "reduced": reduction(info) if info.get("reduce") else 0,
        "calibrated": calibration(info) or 0,
        "engine": f"{info['serving']}, because {info['reason']}" if "serving" in info else info["engine"],
        "on disk": f"{megabytes(info['database_bytes'])}, and {megabytes(info.get('cache_bytes', 0))} of caches",
        "folders": [f"{folder}  (labels: {rule})" for folder, rule in info["roots"].items()],
    }
    return {name: value for name, value in shown.items() if value not in (0, []) or name in ("images", "folders")}


def models(models: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each model of a collection that has several, with the images that it has vectors of."""
    lines = [f"{called(each)}, {each['dim']:,} numbers, {plural(each['images'], 'image')}" for each in models]
    return lines if len(lines) > 1 else []


def reduction(info: Mapping[str, Any]) -> str:
    """What the reducer of a collection does, in a few words: lengths, variance, recall, bytes."""
    says, whole = info["reduce"], info["embedder"]["dim"]
    name = says["spec"].partition(":")[0]
    parts = [f"{whole:,} → {says['dim']:,} numbers an image by {name}"]
    if "variance" in says:
        parts[0] += f" ({says['variance']:.1%} of the variance)"
    if says.get("fault"):
        return f"{parts[0]}, but not in use: it is damaged (see imagekin doctor)"
    if says.get("recall") is not None:
        parts.append(f"recall@10 {says['recall']:.3f} with {10 * says['candidates']:,} candidates")
    if says.get("hopeless"):
        parts.append("too low, so that whole vectors are compared")
    elif says.get("waiting") or says.get("recall", 0) is None:
        parts.append("not in use for so few images, or before they are indexed again")
    elif "bytes" in says:
        parts.append(f"{says['bytes']:,.0f} bytes an image in the index instead of {2 * whole:,}")
    return ", ".join(parts)


def calibration(info: Mapping[str, Any]) -> str:
    """What a collection's calibration says, in a line; empty where there is none."""
    says = info.get("calibration")
    if not says:
        return ""
    if "fault" in says:
        return "damaged, so not in use (see imagekin doctor)"
    if says["stale"]:
        return "for other vectors than are compared now, so not in use (see imagekin calibrate)"
    pairs = f"{says['genuine']:,} same and {says['impostors']:,} different pairs of {says['identities']:,} identities"
    return f"{says['scaling']}, from {pairs}; equal error rate {says['eer']:.1%}"


def changed(done: Report, missing: int) -> bool:
    """Whether a run did anything worth a line, after one that found *missing* items missing."""
    counts = (getattr(done, name) for name in _COUNTS if name not in ("unchanged", "missing"))
    return done.missing > missing or any(counts)


def report(done: Report, images: int) -> Iterator[str]:
    """What an indexing run did, and what it could not index."""
    yield from summary(done)
    if done.interrupted:
        yield f"Stopped early; what is done is kept. The collection has {plural(images, 'image')}."
        yield "Run the same command again to go on."
    else:
        yield f"The collection has {plural(images, 'image')}."
    if done.ignored:
        yield f"Ignored, as no image has such a name: {_suffixes(done.ignored)}."
    yield from reasons(done.skipped)


def summary(done: Report) -> Iterator[str]:
    """The counts of a run in one line."""
    counts = [f"{getattr(done, name):,} {_SAID.get(name, name)}" for name in _COUNTS if getattr(done, name)]
    counts += [f"{len(done.skipped):,} skipped"] if done.skipped else []
    embedded = done.added + done.updated + done.completed
    rate = f" ({embedded / done.seconds:,.0f} images/s)" if embedded and done.seconds > 0 else ""
    nothing = "nothing done yet" if done.interrupted else "nothing to do"
    yield f"{', '.join(counts) or nothing} in {done.seconds:,.1f} s{rate}".capitalize()


def reasons(skipped: Sequence[Skipped]) -> Iterator[str]:
    """Files that could not be indexed, grouped by reason: every reason, and the first files of each."""
    if not skipped:
        return
    groups: dict[str, list[Skipped]] = {}
    for skip in skipped:
        groups.setdefault(re.sub(r"\d[\d.,]*", "#", skip.reason), []).append(skip)
    yield f"{plural(len(skipped), 'file')} could not be indexed:"
    each = max(1, _SHOWN // len(groups))
    largest = sorted(groups.values(), key=len, reverse=True)[:_SHOWN]
    for group in largest:
        yield escape.terminal(f"  {len(group):,} x {group[0].reason}")
        yield from (escape.terminal(f"      {skip.path}") for skip in group[:each])
    left = len(skipped) - sum(len(group[:each]) for group in largest)
    if left:
        yield f"  and {left:,} more; see --json or imagekin info --skipped."


def pairs(values: Mapping[str, object], indent: int = 0) -> Iterator[str]:
    """Names and values in two columns; a mapping or a list among the values goes below its name, indented."""
    space = " " * indent
    widest = max((len(name) for name, value in values.items() if not _nested(value)), default=0)
    for name, value in values.items():
        safe = escape.terminal(str(name))
        if isinstance(value, Mapping) and value:
            yield f"{space}{safe}"
            yield from pairs(value, indent + 2)
        elif isinstance(value, list) and value:
            yield f"{space}{safe}"
            yield from (f"{space}  {escape.terminal(str(element))}" for element in value)
        else:
            yield f"{space}{safe:<{widest}}  {escape.terminal(_text(value))}".rstrip()


def first(sentences: Sequence[str]) -> list[str]:
    """A few of many sentences, and how many there are besides."""
    left = len(sentences) - 2 * _SHOWN
    return [*sentences[: 2 * _SHOWN], f"and {left:,} more; see --json."] if left > 0 else list(sentences)


def plural(number: int, noun: str) -> str:
    """``1 image``, ``8,677 images``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def megabytes(size: float) -> str:
    """A size on disk for people."""
    return f"{size / 1e6:,.1f} MB"


def _points(inliers: int | None) -> list[str]:
    """What geometric verification found, in two columns."""
    from imagekin.rerank.verifying import is_same

    return ["" if inliers is None else str(inliers), "same" if is_same(inliers) else ""]


def _cells(item: Item) -> list[str]:
    size = "missing" if item.missing else f"{item.width} x {item.height}"
    return [str(item.id), item.label or "", size, item.path]


def _about(entry: Entry) -> str:
    return entry.summary if entry.installed() else f'{entry.summary}; pip install "imagekin[{entry.extra}]"'


def _suffixes(ignored: Mapping[str, int]) -> str:
    most = sorted(ignored.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{count:,} {escape.terminal(suffix) or 'without a suffix'}" for suffix, count in most[:_SHOWN]]
    left = sum(count for _, count in most[_SHOWN:])
    return ", ".join(shown + ([f"{left:,} others"] if left else []))


def _nested(value: object) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value) if value or value == 0.0 else "none"


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
