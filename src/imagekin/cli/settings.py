"""What holds for every command: which collection, how to print, how to fail."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.errors import ImagekinError

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Settings:
    """The options that stand before or after a command's name.

    Attributes:
        collection: name or path; None for the default one.
        json: print JSON instead of tables.
        quiet: print results and errors only.
        debug: show the traceback of an unexpected error.
        device: what the model runs on; None for the best there is.
        model: which model of the collection; None for the first one.
        trust: let its weights be read from a pickle.
    """

    collection: str | None = None
    json: bool = False
    quiet: bool = False
    debug: bool = False
    device: str | None = None
    model: str | None = None
    trust: bool = False

    def open(self, *, create: bool = False, **options: Any) -> Collection:
        """Open the chosen collection; ``None`` among the *options* means the library's default."""
        import imagekin

        self.attach_log()
        chosen = {"model": self.model, "device": self.device, "trust": self.trust or None, **options}
        given = {name: value for name, value in chosen.items() if value is not None}
        return imagekin.open(self.collection, create=create, **given)

    def attach_log(self) -> None:
        """Show the library's warnings as the command's own sentences, made harmless like any other text."""
        import logging

        from imagekin import escape

        class Log(logging.Handler):
            def emit(self, entry: logging.LogRecord) -> None:
                click.echo(f"imagekin: {escape.terminal(entry.getMessage())}", err=True)

        logger = logging.getLogger("imagekin")
        logger.handlers[:] = [Log()]
        logger.propagate = False
        logger.setLevel(logging.DEBUG if self.debug else logging.ERROR if self.quiet else logging.WARNING)

    def complain(self, sentence: ImagekinError) -> None:
        """Print an error's sentence, for commands whose exit status says more than that; with --debug raise it."""
        from imagekin import escape

        if self.debug:
            raise sentence
        click.echo(f"imagekin: {escape.terminal(str(sentence))}", err=True)

    @property
    def width(self) -> int | None:
        """Columns that a table may take, or None where nothing needs shortening because no terminal shows it."""
        if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdigit():
            return None
        return max(40, shutil.get_terminal_size().columns)


def shared(command: Command) -> Command:
    """Give *command* the options that every command takes; where both are given, the later one counts."""
    for option in (
        kept("--debug", help="Show the traceback of an unexpected error.", is_flag=True),
        kept("-q", "--quiet", help="Print results and errors only.", is_flag=True),
        kept("--json", help="Print results as JSON.", is_flag=True),
        kept("-c", "--collection", metavar="NAME|PATH", help="The collection to use."),
    ):
        command = option(command)
    return command


def kept(*names: str, **options: Any) -> Callable[[Command], Command]:
    """An option that is kept in the settings instead of being handed to the command."""
    return click.option(*names, expose_value=False, callback=_keep, **options)


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    settings = context.ensure_object(Settings)
    if value not in (None, False) and option.name is not None:
        setattr(settings, option.name, value)
