"""``imagekin study``: the whole similarity study of a folder, as one HTML file."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
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

    target = studies.writable(out)
    parts = how["parts"]
    wanted = studies.chosen(None if parts is None else [name.strip() for name in parts.split(",") if name.strip()])
    if folder is not None and settings.collection is None:
        settings.collection = _collection_of(folder)
    model = {name: how[name] for name in how if name not in ("parts", "seed")}
    with settings.open(create=folder is not None, **model) as photos:
        indexed = _indexed(settings, photos, folder, label_from)
        if indexed is not None and indexed.interrupted:
            return INTERRUPTED
        words = shlex.join(["imagekin", *sys.argv[1:]])
        with _steps(settings) as watch:
            found = studies.study(photos, parts=wanted, indexed=indexed, seed=how["seed"], command=words, watch=watch)
            studies.write(found, photos, target)
    _tell(settings, found, target, data)
    return 0


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
    from imagekin import replacement
    from imagekin.studies import explained

    if data is not None:
        text = json.dumps(found.to_dict(), indent=1, ensure_ascii=False) + "\n"
        replacement.replace(data.expanduser(), text.encode("utf-8", "surrogateescape"))
    if settings.json:
        output.record({**found.to_dict(), "report": str(target)})
        return
    output.say(escape.terminal(sentence) for sentence in explained.summary(found))
    output.say(escape.terminal(f"Note: {note}") for note in found.notes)
    output.say([escape.terminal(str(target))])
