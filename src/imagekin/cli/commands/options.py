"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from imagekin.cli.settings import kept

Command = TypeVar("Command", bound=Callable[..., Any])


def filtered(command: Command) -> Command:
    """Give *command* the filters ``--under``, ``--label``, ``--where`` and ``--tag``."""
    for option in (
        click.option("--tag", metavar="TAG", multiple=True, callback=_given, help="Only pictures with this tag."),
        click.option("--where", metavar="EXPR", help="Only what fits, such as \"width >= 1000 and label != 'dog'\"."),
        click.option("--label", help="Only pictures with this label."),
        click.option("--under", metavar="FOLDER", help="Only pictures in this folder, at any depth."),
    ):
        command = option(command)
    return command


def _given(context: click.Context, option: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    """What an option that may be repeated was given, or None."""
    return list(value) or None


def modelled(command: Command) -> Command:
    """Give *command* the options that choose how images are embedded and found."""
    command = placed(command)
    for option in (
        click.option("--engine", metavar="SPEC", help="How neighbours are found: auto, exact, faiss:HNSW32, …"),
        click.option("--precision", type=click.Choice(["int8", "fp32"]), help="By default the faster one here."),
        click.option("--model", metavar="NAME|FILE", help="A name from `imagekin models`, or an ONNX file."),
    ):
        command = option(command)
    return command


def by_model(command: Command) -> Command:
    """Give *command* the option that chooses among the models of a collection."""
    return kept("--model", metavar="NAME|FILE", help="Which model of the collection.")(command)


def second_looks(command: Command) -> Command:
    """Give *command* the options that look twice at what was found."""
    for option in (
        click.option("--rerank", metavar="k-reciprocal", help="Order the nearest by the neighbours that they share."),
        click.option("--expand", metavar="aqe|alpha-qe|dba", help="Search again with the neighbours' help."),
    ):
        command = option(command)
    return command


def placed(command: Command) -> Command:
    """Give *command* the options that say what the model runs on, and whether its weights may be a pickle."""
    for option in (
        kept("--trust", is_flag=True, help="Let the model's weights be read from a pickle, if they are one."),
        kept("--device", metavar="NAME", help="What the model runs on: cpu, cuda, cuda:1, openvino, … [the best]."),
    ):
        command = option(command)
    return command


NUMBER = click.IntRange(0, 2**63 - 1)
"""An item's id, as a database can hold it."""


class Region(click.ParamType[tuple[int, int, int, int]]):
    """A rectangle ``x,y,w,h`` in pixels."""

    name = "x,y,w,h"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int, int]:
        """Four whole numbers from text."""
        try:
            x, y, width, height = (int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not four whole numbers x,y,w,h.", param, ctx)
        return x, y, width, height
