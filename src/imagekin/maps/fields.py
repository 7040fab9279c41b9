"""What a map is coloured by: the label, what a file says of itself, and every metadata column."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.types import Item

MOST: Final = 2_000
"""Classes up to which a field says anything as colours; one with more, such as a serial number, is no field."""


@dataclass(frozen=True, eq=False)
class Field:
    """One property of every picture of a map.

    Attributes:
        name: ``label``, ``folder``, … or a metadata column; from outside, so hostile.
        kind: ``class``, ``number`` or ``date`` (seconds since 1970).
        codes: ``(n,)`` number of each picture's class, -1 for none; empty unless ``class``.
        names: of the classes, by number.
        values: ``(n,)``, NaN for none; empty unless ``number`` or ``date``.
    """

    name: str
    kind: Literal["class", "number", "date"]
    codes: NDArray[np.int32]
    names: tuple[str, ...]
    values: NDArray[np.float64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Pictures of each class."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    @property
    def told(self) -> int:
        """How many pictures have it."""
        return int((self.codes >= 0).sum() if self.kind == "class" else np.isfinite(self.values).sum())


def of_items(items: Sequence[Item]) -> list[Field]:
    """Every field that tells the pictures apart, the label first."""
    columns = dict.fromkeys(name for item in items for name in item.metadata)
    made = [_known(name, items) for name in _KNOWN]
    made += [of_values(name, [item.metadata.get(name) for item in items]) for name in columns if name not in _KNOWN]
    return [field for field in made if field is not None and (_tells(field) or field.name == "label")]


def of_values(name: str, values: Iterable[Any], kind: str | None = None) -> Field | None:
    """A field from one value a picture; None and NaN stand for none.

    Numbers are a scale where there are more than a dozen different ones, and otherwise classes, as text is.

    Returns:
        None where there is no value at all, or more than ``MOST`` classes.
    """
    given = [None if value is None or (isinstance(value, float) and math.isnan(value)) else value for value in values]
    there = [value for value in given if value is not None]
    if not there:
        return None
    plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)
    if kind in ("number", "date") or (plain and len(set(there)) > 12):
        numbers = np.array([np.nan if value is None else float(value) for value in given])
        scale: Literal["number", "date"] = "date" if kind == "date" else "number"
        return Field(name, scale, np.empty(0, np.int32), (), numbers)
    texts = [None if value is None else str(value) for value in given]
    names = tuple(sorted({text for text in texts if text is not None}, key=lambda text: (text.casefold(), text)))
    if len(names) > MOST:
        return None
    number = {text: code for code, text in enumerate(names)}
    codes = np.array([-1 if text is None else number[text] for text in texts], np.int32)
    return Field(name, "class", codes, names, np.empty(0))


def chosen(fields: Sequence[Field], name: str) -> Field:
    """The field of that name.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    for field in fields:
        if field.name == name:
            return field
    listed = ", ".join(repr(field.name) for field in fields[:20]) or "none"
    raise InputError(f"the pictures have no {name!r} to be coloured by, or each its own; there is: {listed}.")


def _tells(field: Field) -> bool:
    if field.kind == "class":
        return len(field.names) > 1 or (len(field.names) == 1 and bool((field.codes < 0).any()))
    values = field.values[np.isfinite(field.values)]
    return len(values) > 1 and float(np.ptp(values)) > 0


def _known(name: str, items: Sequence[Item]) -> Field | None:
    value, kind = _KNOWN[name]
    if name == "folder":
        folders = [os.path.dirname(item.path) for item in items]
        short = _shortened(sorted(set(folders)))
        return of_values(name, [short[folder] for folder in folders])
    return of_values(name, map(value, items), kind)


def _shortened(folders: Sequence[str]) -> dict[str, str]:
    """Folders without the beginning that all of them share."""
    parts = [PurePath(folder).parts for folder in folders]
    shared = 0
    while len(folders) > 1 and all(len(part) > shared for part in parts) and len({part[shared] for part in parts}) == 1:
        shared += 1
    return {
        folder: str(PurePath(*part[shared:])) if len(folders) > 1 else folder
        for folder, part in zip(folders, parts, strict=True)
    }


def _shape(item: Item) -> str | None:
    if not item.width or not item.height:
        return None
    ratio = item.width / item.height
    return "square" if 0.95 < ratio < 1.05 else "portrait" if ratio < 1 else "landscape"


_KNOWN: Final[Mapping[str, tuple[Callable[[Item], Any], str | None]]] = {
    "label": (lambda item: item.label, None),
    "folder": (lambda item: item.path, None),
    "megapixels": (lambda item: item.width * item.height / 1e6, "number"),
    "shape": (_shape, None),
    "megabytes": (lambda item: item.size / 1e6, "number"),
    "changed": (lambda item: item.mtime, "date"),
    "format": (lambda item: os.path.splitext(item.path)[1].lower().lstrip(".") or None, None),
}
