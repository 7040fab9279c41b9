"""Filters compiled to an SQL condition with bound values; no text of the user's ever becomes SQL."""

from __future__ import annotations

import os
from typing import Any, Final

from imagekin.store.filters import And, Compare, Contains, Filter, In, Not, Or, Under, Value

_COLUMNS: Final = {
    "id": "item.id",
    "path": "CAST(item.path AS TEXT)",
    "name": "basename(item.path)",
    "width": "item.width",
    "height": "item.height",
    "pixels": "(item.width * item.height)",
    "size": "item.size",
    "date": "(item.mtime / 1e9)",
    "label": "item.label",
}
_SIGNS: Final = {"==": "IS", "!=": "IS NOT", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_SEPARATOR: Final = os.sep.encode()
_AFTER_SEPARATOR: Final = bytes([_SEPARATOR[0] + 1])


class Condition:
    """An SQL condition on the table ``item`` and the values to bind to it.

    Attributes:
        sql: text with one ``?`` for each value; "1" when there is no filter.
        values: what to bind, in order.
    """

    def __init__(self, condition: Filter | None) -> None:
        self.values: list[Any] = []
        self.sql = "1" if condition is None else self._compile(condition)

    def _compile(self, node: Filter) -> str:
        match node:
            case And(parts):
                return "(" + " AND ".join(self._compile(part) for part in parts) + ")"
            case Or(parts):
                return "(" + " OR ".join(self._compile(part) for part in parts) + ")"
            case Not(part):
                return f"(NOT coalesce({self._compile(part)}, 0))"
            case Compare(field, operator, value):
                return f"({self._column(field)} {_SIGNS[operator]} {self._bind(value)})"
            case In(field, values):
                column = self._column(field)
                return f"({column} IN (" + ", ".join(self._bind(value) for value in values) + "))"
            case Contains(field, text):
                return f"(instr({self._column(field)}, {self._bind(text)}) > 0)"
            case Under(folders):
                return "(" + " OR ".join(self._under(folder) for folder in folders) + ")"

    def _column(self, field: str) -> str:
        known = _COLUMNS.get(field)
        return known or f"json_extract(item.metadata, {self._bind('$.' + _quoted(field))})"

    def _bind(self, value: Value | bytes) -> str:
        self.values.append(int(value) if isinstance(value, bool) else value)
        return "?"

    def _under(self, folder: str) -> str:
        path = os.fsencode(folder)
        inside = path.rstrip(_SEPARATOR)
        first, last = self._bind(path), self._bind(inside + _SEPARATOR)
        return f"(item.path = {first} OR (item.path >= {last} AND item.path < {self._bind(inside + _AFTER_SEPARATOR)}))"


def _quoted(field: str) -> str:
    return '"' + field.replace('"', "") + '"'


def basename(path: Any) -> str | None:
    """The last part of a stored path, as the SQL function ``basename``."""
    return None if path is None else bytes(path).rpartition(_SEPARATOR)[2].decode("utf-8", "replace")
