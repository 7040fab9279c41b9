"""Exporting: from a store to a file or folder of another form, in blocks, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Protocol

from imagekin import files
from imagekin.errors import InputError
from imagekin.exchange.formats import FORMATS
from imagekin.exchange.selection import Selection
from imagekin.replacement import check_parent, failures

_SUFFIXES: Final = {".parquet": "parquet", ".csv": "csv"}
_NUMBERS: Final = ("float16", "float32")


@dataclass(frozen=True, slots=True)
class How:
    """What can be chosen of an export.

    Attributes:
        numbers: ``float16``, as vectors are stored, or ``float32``, for programs that know no halves.
        vectors: whether a form that can do without vectors has them.
        tell: called after each block with how many items are written; None for nobody who listens.
    """

    numbers: str = "float16"
    vectors: bool = False
    tell: Callable[[int], None] | None = None


class Writer(Protocol):
    """A form that collections are written in.

    Attributes:
        parts: names of what lies in the folder that it writes; none for a form that is one file.
    """

    parts: ClassVar[tuple[str, ...]]

    def write(self, selection: Selection, target: Path, how: How) -> int:
        """Write everything, in place of what may be there, whole or not at all; returns how many items."""
        ...


def export(target: Path, writer: Writer, selection: Selection, how: How, *, force: bool = False) -> int:
    """Write a selection to a file or folder, whole or not at all; see ``Collection.export``.

    Raises:
        InputError: there is nothing to write, or *target* is taken, or cannot be written.
    """
    if how.numbers not in _NUMBERS:
        raise InputError(f"vectors are written as {' or '.join(_NUMBERS)}, not as {how.numbers!r}.")
    _check_target(target, writer.parts, force=force)
    if not selection.dim or not len(selection):
        raise InputError("no picture of the collection fits, so there is nothing to export.")
    with failures(target):
        return writer.write(selection, target, how)


def writer(target: Path, format: str | None) -> Writer:
    """What writes *format*, or what the suffix of *target* says.

    Raises:
        InputError: the suffix says nothing.
        UnknownNameError: no such format.
        MissingPackageError: the format needs a package that is not installed.
    """
    name = format or _SUFFIXES.get(target.suffix.lower())
    if name is None:
        raise InputError(
            f"{str(target)!r} does not say what to write; let it end in {' or '.join(_SUFFIXES)}, or give a format: "
            f"{', '.join(FORMATS)}."
        )
    made: Writer = FORMATS.load(name)()
    return made


def _check_target(target: Path, parts: tuple[str, ...], *, force: bool) -> None:
    """Refuse a target before the long work, above all a folder that holds anything but an earlier export.

    Raises:
        InputError: it is there and *force* is not, or is not what would be written, or its folder is absent.
    """
    shown = repr(str(target))
    check_parent(target, target)
    if files.is_absent(str(target)) and not target.is_symlink():
        return
    if not force:
        raise InputError(f"{shown} exists; give another name, or --force (force=True) to replace it.")
    fits = target.is_dir() if parts else target.is_file()
    if target.is_symlink() or not fits:
        raise InputError(f"{shown} is not what would take its place; give another name, or move it away.")
    for entry in sorted(target.iterdir()) if parts else ():
        if entry.name not in parts:
            raise InputError(
                f"{shown} is a folder that holds {entry.name!r}, so it is no earlier export; give another name."
            )
