"""What ``train finetune`` and ``train metric`` take and show: a bar, a line an epoch, and what was gained."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from imagekin import escape
from imagekin.cli import heads, output
from imagekin.cli.app import INTERRUPTED
from imagekin.cli.commands.options import placed
from imagekin.cli.output import plural
from imagekin.cli.table import render

if TYPE_CHECKING:
    from imagekin.cli.settings import Settings
    from imagekin.train import Learned
    from imagekin.train.feeds import Step
    from imagekin.train.loop import Moment, Watch
    from imagekin.train.runs import Epoch, History

Command = TypeVar("Command", bound=Callable[..., Any])

_SHOWN: Final = 10
_USUAL: Final = "efficientnet-lite0"


class Stages(click.ParamType[int]):
    """A number of stages from the end, or ``all``, which is 0."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number from text."""
        if value in ("all", 0):
            return 0
        text = str(value)
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 1000:
            self.fail(f"{value!r} is neither a number of stages, 1 or more, nor all.", param, ctx)
        return int(text)


def trained(command: Command) -> Command:
    """Give *command* the options of a training of a network."""
    command = placed(command)
    for option in _options():
        command = option(command)
    return command


def _options() -> Iterator[Callable[[Command], Command]]:
    """From the last to the first."""
    share, above = click.FloatRange(0, 1, min_open=True, max_open=True), click.FloatRange(0, min_open=True)
    yield click.option("--time-limit", "minutes", type=above, metavar="MINUTES", help="Come to the end in about this.")
    yield click.option("--seed", type=click.IntRange(0), help="Of everything drawn at random. [0]")
    yield click.option("--resume", is_flag=True, help="Go on with the interrupted training in --out.")
    path = click.Path(path_type=Path)
    yield click.option("--out", type=path, metavar="FOLDER", help="Where the run and its model are kept. [runs/MODEL]")
    yield click.option(
        "--held", type=share, metavar="SHARE", help="Not learned from, to stop in time and to judge. [0.3]"
    )
    yield click.option(
        "--label-from", metavar="parent|CSV", help="The folder's name, or a CSV file: path,label. [parent]"
    )
    kinds = click.Choice(["none", "flip", "crop", "shift", "colour"])
    yield click.option("--augment", type=kinds, help="How pictures are varied. [crop]")
    yield click.option("--patience", type=click.IntRange(1), metavar="N", help="Stop after N epochs without gain. [5]")
    yield click.option("--lr", type=above, metavar="RATE", help="Of learning; the network's own is half. [0.002]")
    yield click.option(
        "--epochs", type=click.IntRange(1), metavar="N", help="Rounds through the pictures, at most. [15]"
    )
    yield click.option("--unfreeze", type=Stages(), help="Stages that learn, counted from the end. [3]")
    named = "efficientnet-lite0, timm:NAME, torchvision:NAME, cnn, or an earlier run's folder."
    yield click.option("--model", metavar="SPEC", help=named)


def plain(settings: Settings, how: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as the library takes them."""
    given = {name: value for name, value in how.items() if value is not None}
    if "unfreeze" in given:
        given["unfreeze"] = given["unfreeze"] or None
    if settings.device is not None:
        given["device"] = settings.device
    if settings.trust:
        given["trust"] = True
    return given


def trained_by(settings: Settings, how: Mapping[str, Any], learn: Callable[..., Learned]) -> int:
    """Train by the options that were given, show what came of it, and give the exit status."""
    from imagekin.train import learning

    settings.attach_log()
    given = plain(settings, how)
    if not given.get("resume"):
        given.setdefault("out", learning.default_folder(given.get("model", _USUAL)))
    out = Path(given.get("out", "")).expanduser().absolute()
    try:
        with watching(settings, out) as watch:
            found = learn(watch=watch, **given)
    except KeyboardInterrupt:
        click.echo(_stopped(out), err=True)
        return INTERRUPTED
    if settings.json:
        output.record(found.to_dict())
    else:
        output.say(told(found, settings.width))
    return 0


def _stopped(out: Path) -> str:
    from imagekin.train.runs import CHECKPOINT

    if not (out / CHECKPOINT).is_file():
        return "Stopped early, before there was anything to keep."
    return f"Stopped early; go on by the same command and --resume --out {_typed(out)}."


@contextmanager
def watching(settings: Settings, out: Path) -> Iterator[tuple[Step | None, Watch | None]]:
    """What a training tells its progress: a bar where somebody watches, and a line an epoch."""
    if settings.quiet:
        yield None, None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task, told = bar.add_task("Reading", total=None), [0]

        def step(done: int, total: int, what: str) -> None:
            bar.update(task, description=what, completed=done, total=total)

        def watch(moment: Moment) -> None:
            what = f"Epoch {moment.epoch} of {moment.epochs}" if moment.done else "Trying"
            bar.update(task, description=what, completed=moment.done, total=moment.batches)
            if moment.history and not told[0]:
                click.echo(f"How it goes: {escape.terminal(_shown(out))}/curves.html", err=True)
            for epoch in moment.history[told[0] :]:
                _tell(epoch, moment.history)
            told[0] = len(moment.history)

        yield step, watch


def _tell(epoch: Epoch, history: History) -> None:
    from imagekin.train.curves import sparkline

    curve = sparkline([each.precision for each in history[: epoch.number + 1]])
    loss = "            " if epoch.loss is None else f"loss {epoch.loss:7.4f}"
    mark = " best" if epoch.best and epoch.number else ""
    figures = f"held-out precision {epoch.precision:6.2%}  {epoch.seconds:6,.0f} s"
    click.echo(f"epoch {epoch.number:3d}  {loss}  {figures}  {curve}{mark}", err=True)


def told(found: Learned, width: int | None) -> Iterator[str]:
    """A training for people."""
    facts, trial = found.run.facts, found.trial
    images = facts["images"]
    yield escape.terminal(
        f"{facts['model']}: {plural(images['learn'], 'image')} of {len(facts['labels']):,} classes learned from, "
        f"{len(found.history) - 1} epochs, {facts['seconds']:,.0f} s"
    )
    yield ""
    yield from render(heads.GAINS, heads.rows(trial, "images"), width)
    yield (
        f"{trial.queries:,} queries among {plural(trial.images, 'image')} of {trial.classes:,} classes that had no "
        f"part in the training; {images['check']:,} others said that epoch {found.best} was best."
    )
    yield ""
    yield from _end(found)
    for note in found.notes:
        yield f"Note: {escape.terminal(note)}"
    for skip in found.skipped[:_SHOWN]:
        yield f"Not read: {escape.terminal(skip.path)}: {escape.terminal(skip.reason)}"
    if len(found.skipped) > _SHOWN:
        yield f"and {len(found.skipped) - _SHOWN:,} more; see --json."


def _end(found: Learned) -> Iterator[str]:
    change = found.trial.precision
    interval = f"95 % interval {100 * change.low:+.1f} to {100 * change.high:+.1f}"
    points = f"{100 * change.gain:+.1f} points of {change.name}, {interval}"
    surely = "The trained network is better" if change.low > 0 else "The trained network is not surely better"
    yield f"{surely}: {points}."
    folder = found.run.folder
    yield f"Use it as any model: imagekin index FOLDER -c NEW --model {_typed(folder)}"
    yield f"How it went: {escape.terminal(_shown(folder))}/curves.html"


def _typed(folder: Path) -> str:
    """The folder as a word of a command."""
    return shlex.quote(escape.terminal(_shown(folder)))


def _shown(folder: Path) -> str:
    """The folder as it may be typed; a model's name needs a slash."""
    here = Path.cwd()
    return f"./{folder.relative_to(here)}" if folder.is_relative_to(here) else str(folder)
