"""Where an image's label comes from: its folder's name, a CSV file, or nowhere."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from imagekin.errors import InputError

MAX_ROWS: Final = 20_000_000
_NOTHING: Final[tuple[str | None, dict[str, Any]]] = (None, {})


class Labels(Protocol):
    """A rule: path of an image to its label (or None) and further columns."""

    def __call__(self, path: str) -> tuple[str | None, Mapping[str, Any]]:
        """The label and metadata of the image at an absolute path."""
        ...


def rule(text: str) -> Labels:
    """The rule that *text* names: ``parent``, ``none``, or the path of a CSV file with the columns ``path,label,…``.

    Raises:
        InputError: no such file, or it lacks the column ``path``.
    """
    if text == "parent":
        return _parent
    if text == "none":
        return _none
    return Table(Path(text))


def canonical(text: str) -> str:
    """The rule's text as it is stored: a CSV file by absolute path."""
    return text if text in ("parent", "none") else os.path.abspath(os.path.expanduser(text))


def _parent(path: str) -> tuple[str | None, Mapping[str, Any]]:
    name = os.path.basename(os.path.dirname(path))
    return os.fsencode(name).decode("utf-8", "replace") or None, {}


def _none(path: str) -> tuple[str | None, Mapping[str, Any]]:
    return _NOTHING


class Table:
    """Labels and further columns from a CSV file; relative paths are relative to the file's folder.

    Args:
        path: a UTF-8 CSV file with a header line that has the column ``path`` and perhaps ``label``; other columns
            become metadata, as numbers where they read as numbers.

    Attributes:
        asked: whether a label was asked for.
        used: whether a row fitted.
    """

    def __init__(self, path: Path) -> None:
        self.asked = self.used = False
        self._rows: dict[str, tuple[str | None, dict[str, Any]]] = {}
        base = os.path.abspath(path.expanduser().parent)
        try:
            with path.expanduser().open(newline="", encoding="utf-8-sig", errors="surrogateescape") as handle:
                reader = csv.DictReader(handle, restkey="")
                if "path" not in (reader.fieldnames or ()):
                    raise InputError(
                        f"the label file {path} has no column 'path'; its first line must be: path,label,…."
                    )
                for row in reader:
                    name = row.pop("path") or ""
                    row.pop("", None)
                    label = row.pop("label", None) or None
                    extra = {key: typed(value) for key, value in row.items() if value not in (None, "")}
                    self._rows[os.path.normpath(os.path.join(base, name))] = (label, extra)
        except (OSError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"cannot read the label file {path} ({reason}); give parent, none, or a CSV file: path,label,…."
            ) from error

    def __call__(self, path: str) -> tuple[str | None, Mapping[str, Any]]:
        """The row of an absolute path; nothing for a path that is not in the file."""
        self.asked = True
        row = self._rows.get(path)
        self.used = self.used or row is not None
        return row or _NOTHING

    def __len__(self) -> int:
        """How many files have a row."""
        return len(self._rows)


def typed(text: str) -> int | float | str:
    """A CSV value as int or float where it reads as a finite one, else as it stands."""
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if abs(value) < 2**63:
            return value
    return text
