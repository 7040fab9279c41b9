"""Filters compiled to an SQL condition with bound values; no text of the user's ever becomes SQL."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, Final

from imagekin.store.base import as_text
from imagekin.store.filters import And, Compare, Contains, Filter, In, Not, Or, Under, Value, has_tag, is_field

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
    "missing": "item.missing",
}
_SIGNS: Final = {"==": "IS", "!=": "IS NOT", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_MANY: Final = 100
_SEPARATOR: Final = os.sep.encode()
_AFTER_SEPARATOR: Final = bytes([_SEPARATOR[0] + 1])


class Condition:
    """An SQL condition on the table ``item`` and the values to bind to it.

    Where every item that fits has a certain tag, the query walks along that tag's items, which the index has in order,
    and not along all there are.

    Attributes:
        source: what to select from: the table ``item``, perhaps behind that of tags.
        key: the column of ids to order and to page by.
        sql: text with one ``?`` for each value; "1" when there is no filter.
        values: what to bind, in order.
    """

    def __init__(self, condition: Filter | None) -> None:
        self.values: list[Any] = []
        self.source, self.key = "item", "item.id"
        parts = [] if condition is None else _conjuncts(condition)
        tag = next((part for part in parts if _is_led(part)), None)
        led = ""
        if isinstance(tag, Compare):
            self.source, self.key = "tag AS led CROSS JOIN item ON item.id = led.item", "led.item"
            led = f"led.name = {self._bind(tag.value)} AND "
            parts.remove(tag)
        self.sql = led + (" AND ".join(self._compile(part, led=bool(led)) for part in parts) or "1")

    def _compile(self, node: Filter, *, led: bool = False) -> str:
        match _without(node):
            case And(parts):
                return self._joined(" AND ", parts) if parts else "1"
            case Or(parts):
                return self._joined(" OR ", parts) if parts else "0"
            case Compare(field) | In(field) | Contains(field) as asked if has_tag(field):
                return self._tagged(asked, each=led)
            case Not(part):
                return f"(NOT coalesce({self._compile(part)}, 0))"
            case Compare() as compared:
                return self._compare(compared)
            case In(field, values) if None in values:  # NULL is in no list
                others = In(field, tuple(value for value in values if value is not None))
                return self._compile(Or((others, Compare(field, "==", None))))
            case In(field, values) if len(values) <= _MANY:
                column = self._column(field)
                return f"({column} IN (" + ", ".join(self._bind(value, field) for value in values) + "))"
            case In(field, values):
                return f"({self._column(field)} IN (SELECT value FROM json_each({self._bind(json.dumps(values))})))"
            case Contains(field, text):
                return f"(instr({self._column(field)}, {self._bind(text, field)}) > 0)"
            case Under(folders) if len(folders) <= _MANY:
                return "(" + " OR ".join(self._under(folder) for folder in folders) + ")" if folders else "0"
            case Under(folders):
                return self._under_many(folders)

    def _compare(self, node: Compare) -> str:
        field, sign = node.field, _SIGNS[node.operator]
        compared = f"{self._column(field)} {sign} {self._bind(node.value, field)}"
        if node.operator not in _ORDER or is_field(field):
            return f"({compared})"
        kind = "=" if isinstance(node.value, str) else "<>"  # a column may hold both, and SQLite has text above all
        return f"({compared} AND typeof({self._column(field)}) {kind} 'text')"

    def _tagged(self, node: Compare | In | Contains, *, each: bool = False) -> str:
        """A condition on tags; *each*: where every item that is come to is looked up, and no list of all is made."""
        match node:
            case Compare(_, sign, None):
                return f"({'NOT ' * (sign == '==')}EXISTS (SELECT 1 FROM tag WHERE tag.item = item.id))"
            case Compare(_, "==", value) if not each:
                return f"(item.id IN (SELECT tag.item FROM tag WHERE tag.name = {self._bind(value)}))"
            case Compare(_, sign, value):
                has = f"EXISTS (SELECT 1 FROM tag WHERE tag.item = item.id AND tag.name = {self._bind(value)})"
                return f"({'NOT ' * (sign == '!=')}{has})"
            case In(field, values) if None in values:
                others = In(field, tuple(value for value in values if value is not None))
                return f"({self._tagged(others)} OR {self._tagged(Compare(field, '==', None))})"
            case In(_, values):
                names = f"SELECT value FROM json_each({self._bind(json.dumps(values))})"
                return f"(item.id IN (SELECT tag.item FROM tag WHERE tag.name IN ({names})))"
            case Contains(_, text):
                return f"(item.id IN (SELECT tag.item FROM tag WHERE instr(tag.name, {self._bind(text)}) > 0))"

    def _joined(self, word: str, parts: Sequence[Filter]) -> str:
        return "(" + word.join(self._compile(part) for part in parts) + ")"

    def _column(self, field: str) -> str:
        if is_field(field):
            return _COLUMNS[field]
        if _plain(field):
            return f"json_extract(item.metadata, {self._bind(_quoted(field))})"
        return f"(SELECT each.value FROM json_each(item.metadata) AS each WHERE each.key = {self._bind(field)})"

    def _bind(self, value: Value | bytes, field: str = "") -> str:
        if isinstance(value, str) and field == "path":  # may hold bytes that are not UTF-8
            self.values.append(os.fsencode(value))
            return "CAST(? AS TEXT)"
        self.values.append(as_text(value) if isinstance(value, str) else value)
        return "?"

    def _under(self, folder: str) -> str:
        path = os.fsencode(folder)
        inside = path.rstrip(_SEPARATOR)
        first, last = self._bind(path), self._bind(inside + _SEPARATOR)
        return f"(item.path = {first} OR (item.path >= {last} AND item.path < {self._bind(inside + _AFTER_SEPARATOR)}))"

    def _under_many(self, folders: Sequence[str]) -> str:
        """The same for thousands of folders, which as an expression would be too deep and bind too many values."""
        paths = [os.fsencode(folder) for folder in folders]
        exact = self._bind(json.dumps([path.hex() for path in paths]))
        ranges = self._bind(json.dumps([path.rstrip(_SEPARATOR).hex() for path in paths]))
        start, stop = (f"unhex(folder.value || '{mark.hex()}')" for mark in (_SEPARATOR, _AFTER_SEPARATOR))
        return (
            f"(item.id IN (SELECT it.id FROM json_each({exact}) AS folder CROSS JOIN item AS it "
            f"ON it.path = unhex(folder.value) UNION ALL SELECT it.id FROM json_each({ranges}) AS folder "
            f"CROSS JOIN item AS it ON it.path >= {start} AND it.path < {stop}))"
        )


def _conjuncts(node: Filter) -> list[Filter]:
    """The parts that must all hold."""
    return [each for part in node.parts for each in _conjuncts(part)] if isinstance(node, And) else [node]


def _without(node: Filter) -> Filter:
    """``not tag == x`` as ``tag != x``, which looks up each item it comes to and no other."""
    match node:
        case Not(Compare(field, "==", value)) if has_tag(field):
            return Compare(field, "!=", value)
    return node


def _is_led(node: Filter) -> bool:
    return isinstance(node, Compare) and has_tag(node.field) and node.operator == "==" and node.value is not None


def _quoted(field: str) -> str:
    return f'$."{field}"'


def _plain(field: str) -> bool:
    """Whether a column's name can stand in a JSON path, which knows no way to write these."""
    return '"' not in field and "\\" not in field and field.isprintable()


def basename(path: Any) -> str | None:
    """The last part of a stored path, as the SQL function ``basename``."""
    return None if path is None else bytes(path).rpartition(_SEPARATOR)[2].decode("utf-8", "replace")
