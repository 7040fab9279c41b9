"""Filters: a small expression language parsed to a tree that each store compiles in its own way.

    width >= 1000 and label != 'dog'
    (label in ('cat', 'dog') or 'beach' in path) and date >= '2024-06-01'
    not label == None
    tag == 'beach' and tag != 'winter'

An item has any number of tags: ``tag == 'beach'`` says that this is one of them, ``tag != 'beach'`` that it is not,
``tag == None`` that it has none, ``'sun' in tag`` that one of them contains this text.

The grammar is a subset of Python's expressions, read by Python's own parser and then checked node by node; nothing is
ever evaluated.  Names are the fields below, or columns of the user's metadata; ``meta['camera model']`` is a column
whose name is no plain word, or is that of a field.
"""

from __future__ import annotations

import ast
import datetime
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from imagekin import location
from imagekin.errors import InputError
from imagekin.store import tags
from imagekin.store.tags import Tags

FIELDS: Final = ("id", "path", "name", "width", "height", "pixels", "size", "date", "label", "tag", "missing")
_TEXTS: Final = frozenset({"path", "name", "label", "tag"})
MAX_LENGTH: Final = 4_000
MAX_NODES: Final = 500
MAX_TAGS: Final = 100
_OPERATORS: Final = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

Value: TypeAlias = str | int | float | bool | None
Folders: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None"
"""A folder or a file, or several; the items that lie in one of them fit."""


class Meta(str):
    """The name of a metadata column, even where a field of the catalogue is called the same."""

    __slots__ = ()


def is_field(name: str) -> bool:
    """Whether a name in a filter is that of a field, and not of a metadata column."""
    return name in FIELDS and not isinstance(name, Meta)


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


def has_tag(field: str) -> bool:
    """Whether a name in a filter is that of the tags, of which an item has any number."""
    return field == "tag" and is_field(field)


def build(
    *, under: Folders = None, label: str | None = None, where: str | None = None, tag: Tags = None
) -> Filter | None:
    """The filter that all given conditions make together, or None when there is none.

    Args:
        under: a folder or a file, or several; no item lies under an empty list of them.
        label: the label itself.
        where: an expression, see ``parse``; a blank one stands for none.
        tag: a tag, or several: the items that have all of them.

    Raises:
        InputError: *where* is not an expression of the small language (the message shows the part), *under* is an empty
            text, or one of them is no text at all.
    """
    parts: list[Filter] = []
    if under is not None:
        folders = under if isinstance(under, (list, tuple, set, frozenset)) else [under]
        parts.append(Under(tuple(location.absolute(folder) for folder in folders)))
    if label is not None:
        parts.append(Compare("label", "==", _text("label", label)))
    names = tags.several(tag)
    if len(names) > MAX_TAGS:
        raise InputError(f"{len(names):,} tags are asked for at once; at most {MAX_TAGS} are allowed.")
    parts.extend(Compare("tag", "==", name) for name in names)
    if where is not None and _text("where", where).strip():
        parts.append(parse(where))
    if len(parts) <= 1:
        return parts[0] if parts else None
    return And(tuple(parts))


def _text(option: str, value: object) -> str:
    if isinstance(value, str):
        return value
    several = " (for several: where=\"label in ('cat', 'dog')\")" if option == "label" else ""
    raise InputError(f"{option} is one text, not {value!r}{several}.")


def metadata(condition: Filter | None) -> set[str]:
    """The names in a filter that are not those of fields, and so must be metadata columns."""
    return {name for name in _names(condition) if not is_field(name)}


def asks(condition: Filter | None, field: str) -> bool:
    """Whether a filter looks at *field*."""
    return any(name == field and not isinstance(name, Meta) for name in _names(condition))


def _names(node: Filter | None) -> Iterator[str]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _names(part)
        case Not(part):
            yield from _names(part)
        case Compare(field) | In(field) | Contains(field):
            yield field


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
            f"cannot read the filter {text!r} ({reason}); write for example: width >= 1000 and label != 'dog', and a "
            "column whose name is no plain word as meta['camera model']."
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
    if field := _field(left):
        return _checked(field, sign, _value(right, field, text))
    if field := _field(right):
        return _checked(field, _MIRRORED[sign], _value(left, field, text))
    raise _unreadable(left, text)


def _membership(left: ast.expr, right: ast.expr, text: str) -> Filter:
    if (field := _field(left)) and isinstance(right, (ast.Tuple, ast.List, ast.Set)):
        return In(field, tuple(_value(part, field, text) for part in right.elts))
    if (field := _field(right)) and isinstance(left, ast.Constant) and isinstance(left.value, str):
        return Contains(field, str(_suited(left.value, field)))
    raise _unreadable(right, text)


def _field(node: ast.expr) -> str | None:
    """The name of a field or column that a node is, if it is one."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Subscript(value=ast.Name(id="meta"), slice=ast.Constant(value=str(name))):
            return Meta(name)
    return None


def _suited(value: Value, field: str) -> Value:
    """The value, if it is of a kind that the field can have."""
    if has_tag(field) and isinstance(value, str):
        return tags.normal(value)
    if value is None or not is_field(field) or isinstance(value, str) is (field in _TEXTS):
        return value
    if field in _TEXTS:
        raise InputError(f"{field} is text, and {value!r} in the filter is not; write it in quotes: {str(value)!r}.")
    example = "give a number without quotes" if field != "missing" else "give True or False"
    raise InputError(f"{field} is a number, and {value!r} in the filter is text; {example}.")


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
            raise InputError(f"a number in the filter is too large; give one below 2**63 (9.2e18) for {field}.")
    if field == "date" and isinstance(value, str) and not isinstance(field, Meta):
        return _timestamp(value)
    return _suited(value, field)


def _checked(field: str, operator: str, value: Value) -> Compare:
    if value is None and operator not in ("==", "!="):
        raise InputError(f"{field} {operator} None has no meaning in a filter; use == or !=.")
    if has_tag(field) and operator not in ("==", "!="):
        raise InputError(f"tags have no order, so {field} {operator} {value!r} has no meaning; use == or !=.")
    return Compare(field, operator, value)


def _timestamp(value: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise InputError(f"{value!r} in the filter is not a date; write for example '2024-06-01'.") from None
    try:
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):  # a local time outside what the system's clock knows, such as year 1
        return moment.replace(tzinfo=datetime.UTC).timestamp()


def _unreadable(node: ast.expr, text: str) -> InputError:
    part = ast.get_source_segment(text.strip(), node) or text
    return InputError(
        f"cannot read {part!r} in the filter; it knows comparisons of {', '.join(FIELDS)} and metadata columns "
        "(meta['camera model'] where a name is no plain word) with numbers and quoted text, in, and, or, not."
    )
