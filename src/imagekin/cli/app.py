"""The command ``imagekin``: its table of commands, loaded one at a time, and how every one of them fails."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import click

from imagekin.cli.settings import Settings, shared
from imagekin.errors import ImagekinError

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "index": ("index", "Index folders of pictures, or what changed in them."),
    "search": ("search", "Find the pictures that look like one picture."),
    "compare": ("compare", "Show where two pictures agree."),
    "info": ("info", "Say what a collection holds."),
    "list": ("listing", "List the pictures of a collection."),
    "remove": ("remove", "Take pictures out of a collection; the files stay."),
    "tag": ("tag", "Give pictures words of your own, or see who may deserve one."),
    "dupes": ("dupes", "Find duplicates, and link, move or delete them."),
    "have": ("have", "Say whether pictures are in the collection."),
    "evaluate": ("evaluate", "Measure how good the neighbours are, by labels or by edits."),
    "calibrate": ("calibrate", "Find from pairs what similarities mean."),
    "verify": ("verify", "Say whether two pictures show the same."),
    "classify": ("classify", "Say what pictures are, by the labels of others."),
    "doubts": ("doubts", "List labels that the neighbours disagree with."),
    "bias": ("bias", "Say whether similarities come from the subject or from around it."),
    "train": ("training", "Learn from labels which differences matter."),
    "study": ("study", "Study a folder from every side, as one HTML report."),
    "map": ("mapping", "Lay the pictures out in the plane, as a page or a plot."),
    "bench": ("bench", "Compare the index engines on your own vectors."),
    "tune": ("tune", "Choose the engine that meets your target."),
    "export": ("exporting", "Write items and vectors for other programs."),
    "import": ("importing", "Read vectors that were made elsewhere."),
    "serve": ("serve", "Serve a collection to the browser and to programs."),
    "datasets": ("datasets", "List the data sets that are known by name, or download one."),
    "collections": ("collections", "List the collections in the data folder."),
    "models": ("models", "List the models and the engines, or measure models."),
    "doctor": ("doctor", "Say what is installed and in use, and check a collection."),
}
"""Name, as typed, to (module in ``imagekin.cli.commands``, one line for ``--help``)."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


class App(click.Group):
    """A group that imports a command's module only when that command is run, and turns errors into sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of a first visit."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"imagekin.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run a command line and exit: 0 well, 1 an error in one sentence, 2 wrong usage, 130 Ctrl-C."""
        settings = Settings()
        extra["standalone_mode"] = False
        try:
            code = super().main(args, "imagekin", obj=settings, **extra)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of a pipe has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except BaseException as error:
            code = _failed(error, settings)
        sys.exit(code or 0)


def _failed(error: BaseException, settings: Settings) -> int:
    """Say what went wrong, in one line unless it is about usage, and return the exit code."""
    if isinstance(error, click.ClickException):
        _show(error)
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        if error.__cause__ is None:  # a question was being asked: leave its line
            click.echo(err=True)
        _say("stopped.")
        return INTERRUPTED
    if isinstance(error, SystemExit | GeneratorExit):
        raise error
    if settings.debug:
        raise error
    _say(_sentence(error))
    return 1


def _sentence(error: BaseException) -> str:
    if isinstance(error, ImagekinError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename!r}' if error.filename else ''}."
    return f"unexpected {type(error).__name__}: {error}; run the command again with --debug to see where."


def _show(error: click.ClickException) -> None:
    """What click says of wrong usage, which quotes arguments as they came."""
    from imagekin import escape

    text = io.StringIO()
    error.show(text)
    for line in text.getvalue().rstrip("\n").split("\n"):
        click.echo(escape.terminal(line), err=True)


def _say(sentence: str) -> None:
    from imagekin import escape

    click.echo(f"imagekin: {escape.terminal(sentence)}", err=True)


@click.group(cls=App, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="imagekin", message="imagekin %(version)s")
@shared
def app() -> None:
    """Find the kin of an image: index folders of pictures, search them by picture, offline."""
