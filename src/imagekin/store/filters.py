"""Filters: a small expression language parsed to a tree that each store compiles in its own way.

    width >= 1000 and label != 'dog'
    (label in ('cat', 'dog') or 'beach' in path) and date >= '2024-06-01'
    not label == None

The grammar is a subset of Python's expressions, read by Python's own parser and then checked node by node; nothing is
ever evaluated.  Names are the fields below, or columns of the user's metadata.
"""

from __future__ import annotations

import ast
import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from imagekin.errors import InputError

FIELDS: Final = ("id", "path", "name", "width", "height", "pixels", "size", "date", "label", "missing")
MAX_LENGTH: Final = 4_000
MAX_NODES: Final = 500
_OPERATORS: Final = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Compare:
    """``field operator value``; an operator is one of ``== != < <= > >=``; None compares with == and != only."""

    field: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """``field in (values)``."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    """``'text' in field``."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Under:
    """The file lies in one of the folders, at any depth, or is one of these files."""

    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold (a comparison with an absent value does not hold, so its negation does)."""

    part: Filter


Filter: TypeAlias = Compare | In | Contains | Under | And | Or | Not


def build(
    *, under: str | os.PathLike[str] | Sequence[str] | None = None, label: str | None = None, where: str | None = None
) -> Filter | None:
    """The filter that all given conditions make together, or None when there is none.

    Raises:
        InputError: *where* is not an expression of the small language; the message shows the part.
    """
    parts: list[Filter] = []
    if under is not None:
        folders = [under] if isinstance(under, (str, os.PathLike)) else list(under)
        parts.append(Under(tuple(os.path.abspath(os.path.expanduser(os.fspath(folder))) for folder in folders)))
    if label is not None:
        parts.append(Compare("label", "==", label))
    if where is not None and where.strip():
        parts.append(parse(where))
    if len(parts) <= 1:
        return parts[0] if parts else None
    return And(tuple(parts))


def parse(text: str) -> Filter:
    """Read an expression such as ``width >= 1000 and label != 'dog'``.

    Raises:
        InputError: it is too long, not an expression, or uses anything but comparisons, and, or, not, in.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"the filter has {len(text)} characters; at most {MAX_LENGTH} are allowed.")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise InputError(
            f"cannot read the filter {text!r} ({reason}); write for example: width >= 1000 and label != 'dog'."
        ) from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise InputError(f"the filter {text[:40]!r}… has more than {MAX_NODES} parts; make it simpler.")
    return _tree(tree.body, text)


def _tree(node: ast.expr, text: str) -> Filter:
    if isinstance(node, ast.BoolOp):
        parts = tuple(_tree(value, text) for value in node.values)
        return And(parts) if isinstance(node.op, ast.And) else Or(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return Not(_tree(node.operand, text))
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        parts = tuple(_compare(*step, text) for step in zip(sides, node.ops, sides[1:], strict=False))
        return parts[0] if len(parts) == 1 else And(parts)
    raise _unreadable(node, text)


def _compare(left: ast.expr, operator: ast.cmpop, right: ast.expr, text: str) -> Filter:
    if isinstance(operator, (ast.In, ast.NotIn)):
        found = _membership(left, right, text)
        return Not(found) if isinstance(operator, ast.NotIn) else found
    sign = "==" if isinstance(operator, ast.Is) else "!=" if isinstance(operator, ast.IsNot) else None
    sign = sign or _OPERATORS.get(type(operator))
    if sign is None:
        raise _unreadable(right, text)
    if isinstance(left, ast.Name):
        return _checked(left.id, sign, _value(right, left.id, text))
    if isinstance(right, ast.Name):
        return _checked(right.id, _MIRRORED[sign], _value(left, right.id, text))
    raise _unreadable(left, text)


def _membership(left: ast.expr, right: ast.expr, text: str) -> Filter:
    if isinstance(left, ast.Name) and isinstance(right, (ast.Tuple, ast.List, ast.Set)):
        return In(left.id, tuple(_value(part, left.id, text) for part in right.elts))
    if isinstance(right, ast.Name) and isinstance(left, ast.Constant) and isinstance(left.value, str):
        return Contains(right.id, left.value)
    raise _unreadable(right, text)


def _value(node: ast.expr, field: str, text: str) -> Value:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node, sign = node.operand, -1
    if not isinstance(node, ast.Constant) or not isinstance(node.value, (str, int, float, type(None))):
        raise _unreadable(node, text)
    value = node.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = sign * value
        if abs(value) >= 2**63:
            raise InputError(f"the number {value:g} in the filter is too large.")
    if field == "date" and isinstance(value, str):
        return _timestamp(value)
    return value


def _checked(field: str, operator: str, value: Value) -> Compare:
    if value is None and operator not in ("==", "!="):
        raise InputError(f"{field} {operator} None has no meaning in a filter; use == or !=.")
    return Compare(field, operator, value)


def _timestamp(value: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise InputError(f"{value!r} in the filter is not a date; write for example '2024-06-01'.") from None
    return moment.timestamp()


def _unreadable(node: ast.expr, text: str) -> InputError:
    part = ast.get_source_segment(text.strip(), node) or text
    return InputError(
        f"cannot read {part!r} in the filter; it knows comparisons of {', '.join(FIELDS)} and metadata columns with "
        "numbers and quoted text, in, and, or, not."
    )
