"""Where an image's label comes from: its folder's name, a CSV file, or nowhere."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from imagekin.errors import InputError

_NUMBER: Final = re.compile(r"-?(?:(?:0|[1-9][0-9]{0,30})(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_CODE: Final = re.compile(r"0[0-9]+")
FORGED: Final = ", forged"
"""Behind the name of a class: imitations of it, a class of their own that stays beside it."""

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
    """The rule's text as it is stored: a CSV file by absolute path.

    Raises:
        InputError: an empty text, or none at all.
    """
    if not isinstance(text, (str, os.PathLike)) or not str(text).strip():
        raise InputError(f"labels come from 'parent', 'none' or a CSV file, not from {text!r}.")
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
            become metadata, as numbers where they are written as numbers.  A column in which one value begins with a
            needless zero (``007``) holds codes, which all stay text.

    Attributes:
        columns: names of the further columns.
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
                self.columns = frozenset(reader.fieldnames or ()) - {"path", "label", ""}
                for row in reader:
                    name = row.pop("path") or ""
                    row.pop("", None)
                    label = row.pop("label", None) or None
                    extra = {key: value for key, value in row.items() if value not in (None, "")}
                    self._rows[os.path.normpath(os.path.join(base, name))] = (label, extra)
        except (OSError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"cannot read the label file {path} ({reason}); give parent, none, or a CSV file: path,label,…."
            ) from error
        self._type()

    def _type(self) -> None:
        """Make numbers of what is written as numbers, except in columns of codes."""
        rows = [extra for _, extra in self._rows.values()]
        codes = {name for extra in rows for name, value in extra.items() if _CODE.fullmatch(value)}
        for extra in rows:
            extra.update((name, typed(value)) for name, value in extra.items() if name not in codes)

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
    """A CSV value as int or float where it is written as one that a store can hold, else as it stands."""
    if not _NUMBER.fullmatch(text.strip()):
        return text
    value = float(text) if set(text) & set(".eE") else int(text)
    return value if abs(value) < 2**63 else text
