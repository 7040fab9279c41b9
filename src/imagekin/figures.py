"""Plots by matplotlib, with no window and no global state: blank figures, one look, files that are whole or not there.

made = figures.new(8, 5)
figures.dress(made.add_subplot(), across="dimensions", up="precision@4")
figures.save(made, "plot.png")
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from imagekin import ellipsis, escape
from imagekin.errors import InputError, MissingPackageError
from imagekin.replacement import failures, place, replace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK: Final = "#1c1c1e"
"""What is read first."""

SOFT: Final = "#707076"
"""What is read second: ticks, remarks."""

EDGE: Final = "#dededa"
"""Grid and frame."""

ACCENT: Final = "#1f6fd6"
PALE: Final = "#a9c9f2"

SUFFIXES: Final = (".png", ".svg", ".pdf", ".jpg", ".jpeg", ".webp")
"""What a figure can be saved as."""

PLAIN: Final[dict[str, Any]] = {"parse_math": False}
"""Given with every text that others chose, so that a dollar sign in it is one."""


def new(width: float, height: float, *, dpi: int = 130) -> Figure:
    """A blank figure that belongs to nobody else.

    Args:
        width: inches.
        height: inches.
        dpi: pixels an inch, where it is saved as pixels.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            'plots need a package that is not installed (matplotlib); install it with: pip install "imagekin[bench]"'
        ) from error
    return Figure(figsize=(width, height), dpi=dpi, facecolor="white", layout="constrained")


def need() -> None:
    """Do nothing where plots can be drawn: to be asked before long work.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    new(1, 1)


def dress(
    axes: Any,
    *,
    across: str = "",
    up: str = "",
    grid: Literal["both", "x", "y"] = "both",
    frame: Sequence[str] = ("left", "bottom"),
) -> None:
    """Give axes the look of all: a light grid behind everything, soft ticks, a frame on some sides only.

    Args:
        axes: of matplotlib.
        across: what the x axis is of.
        up: what the y axis is of.
        grid: the directions that have lines.
        frame: the sides that are drawn.
    """
    axes.set_xlabel(across, color=INK, **PLAIN)
    axes.set_ylabel(up, color=INK, **PLAIN)
    axes.grid(True, axis=grid, color=EDGE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, which="both")
    for side, spine in axes.spines.items():
        spine.set_visible(side in frame)
        spine.set_color(EDGE)


def head(axes: Any, text: str, *, pad: float | None = None) -> None:
    """A title above axes, to the left."""
    axes.set_title(
        escape.terminal(text), loc="left", fontsize=12, color=INK, pad=pad, fontweight="bold", **PLAIN
    )  # fmt: skip


def short(text: str, most: int = 48) -> str:
    """A name that others chose, harmless and of bounded length."""
    return ellipsis.middle(escape.terminal(text), lambda part: len(part) <= most)


def writable(path: str | os.PathLike[str]) -> Path:
    """The path to save a figure to, once its suffix and folder are known to be good: to be asked before long work.

    Raises:
        InputError: another suffix, or no such folder.
        MissingPackageError: matplotlib is not installed.
    """
    target, given = Path(path).expanduser(), os.fspath(path)
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot write {given!r}: a plot is saved as {', '.join(SUFFIXES)}.")
    place(path)
    need()
    return target


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure in the format of its suffix, replacing a file of that name in one step.

    Raises:
        InputError: another suffix, no such folder, or it cannot be written.
    """
    target, data = writable(path), io.BytesIO()
    with failures(path):
        drawn(figure, data, target.suffix[1:].lower())
        replace(target, data.getvalue())
    return target


def drawn(figure: Figure, file: BinaryIO, form: str) -> None:
    """Draw a figure into *file*; a name in a script that the font lacks has boxes, and no warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(file, format=form)
