"""``imagekin study``: the whole similarity study of a folder, as one HTML file."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from imagekin import escape
from imagekin.cli import output, progress
from imagekin.cli.app import INTERRUPTED
from imagekin.cli.commands.options import modelled
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.studies import Step, Study
    from imagekin.types import Report

_NAME: Final = 40


@click.command("study")
@click.argument("folder", required=False)
@click.option("--out", type=Path, default="study.html", show_default=True, help="The report, one HTML file.")
@click.option("--data", type=Path, metavar="FILE", help="Also write every figure to a JSON file.")
@click.option("--parts", metavar="NAME,...", help="Leave the other parts out: examples, accuracy, dimensions, …")
@click.option("--label-from", metavar="parent|none|FILE.csv", help="Where labels come from [new folders: parent].")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn at random.")
@modelled
@shared
@click.pass_obj
def command(
    settings: Settings, /, folder: str | None, out: Path, data: Path | None, label_from: str | None, **how: Any
) -> int:
    """Study FOLDER: neighbours, accuracy, worst classes, dimensions, engines, map, in one HTML report.

    Subfolders are classes. Without -c, a collection is kept for each FOLDER, so that a second study need not read the
    pictures again. Without a FOLDER, the collection is studied as it is.
    """
    from imagekin import studies

    target, figures = _targets(out, data)
    parts = how["parts"]
    wanted = studies.chosen(None if parts is None else [name.strip() for name in parts.split(",") if name.strip()])
    told = {"parts": wanted, "seed": how["seed"], "command": shlex.join(["imagekin", *sys.argv[1:]])}
    model = {name: how[name] for name in how if name not in ("parts", "seed")}
    with _kept(settings, folder, model) as photos:
        indexed = _indexed(settings, photos, folder, label_from)
        if indexed is not None and indexed.interrupted:
            return INTERRUPTED
        with _steps(settings) as watch:
            name = Path(folder).resolve().name if folder else ""
            found = studies.study(photos, indexed=indexed, name=name, watch=watch, **told)
            studies.write(found, photos, target)
    _tell(settings, found, target, figures)
    return 0


def _targets(out: Path, data: Path | None) -> tuple[Path, Path | None]:
    """Where to write report and figures, known to be good before the long work."""
    from imagekin import studies

    target = studies.writable(out)
    return target, None if data is None else studies.writable(data, [".json"])


@contextmanager
def _kept(settings: Settings, folder: str | None, model: dict[str, Any]) -> Iterator[Collection]:
    """The collection to study; one that is made for a folder stays only if there is something in it."""
    if folder is None:
        with settings.open(**model) as photos:
            yield photos
        return
    from imagekin import location

    if not Path(location.absolute(folder)).is_dir():
        raise click.UsageError(f"there is no folder {folder!r} to study.")
    settings.collection = settings.collection or _collection_of(folder)
    place = location.resolve(settings.collection)
    fresh, there = not place.exists(), False
    try:
        with settings.open(create=True, **model) as photos:
            try:
                yield photos
            finally:
                there = len(photos) > 0
    finally:
        if fresh and not there:
            shutil.rmtree(place, ignore_errors=True)


def _collection_of(folder: str) -> str:
    """The name of the collection that is kept for a folder's study."""
    from imagekin import location

    place = location.absolute(folder)
    name = re.sub(r"[^\w-]+", "-", Path(place).name).strip("-")[:_NAME] or "folder"
    return f"study-{name}-{hashlib.blake2b(place.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"


def _indexed(settings: Settings, photos: Collection, folder: str | None, label_from: str | None) -> Report | None:
    if folder is None:
        return None
    with progress.bar(settings) as step:
        return photos.index(folder, label_from=label_from, progress=step)


@contextmanager
def _steps(settings: Settings) -> Iterator[Callable[[Step], None] | None]:
    """A line that says what is being done, where somebody sees it."""
    if settings.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("Reading") as shown:
        yield lambda step: shown.update(f"{step.number}/{step.steps}  {step.what}")


def _tell(settings: Settings, found: Study, target: Path, data: Path | None) -> None:
    from imagekin import studies
    from imagekin.studies import explained

    if data is not None:
        studies.put(data, json.dumps(found.to_dict(), indent=1) + "\n")
    if settings.json:
        output.record({**found.to_dict(), "report": str(target)})
        return
    output.say(escape.terminal(sentence) for sentence in explained.summary(found))
    output.say(escape.terminal(f"Note: {note}") for note in found.notes)
    output.say([escape.terminal(str(target))])
