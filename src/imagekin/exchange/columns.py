"""The columns of a Parquet file from anywhere, checked, and its rows as what a store takes."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import fingerprint
from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.exchange import arrow
from imagekin.store import tags
from imagekin.store.base import Put, dump_metadata
from imagekin.types import FileInfo, Vectors

log = logging.getLogger(__name__)

PATHS: Final = ("path", "image_path")
"""What a column of paths may be called."""

KNOWN: Final = (
    "id", "path_bytes", "label", "size", "mtime", "width", "height", "hash", "metadata", "vector", *PATHS
)  # fmt: skip
"""Columns that have a meaning here; others become metadata."""

_LARGEST: Final = 65_504.0
"""The largest half-precision number."""

_OFF: Final = 2e-3
"""How far from 1 the length of a vector may be after it was rounded to half precision."""


class Columns:
    """The columns of a table, and how to read them.

    Args:
        schema: the table's.
        base: the folder that relative paths count from.

    Attributes:
        wanted: names of the columns to read, the vectors' aside.

    Raises:
        ValueError: no column of paths, or a column of a type that it cannot have.
    """

    def __init__(self, schema: Any, base: str) -> None:
        self._arrow = arrow.library()
        self._types = self._arrow.types
        self._base = base
        names = list(schema.names)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"it has two columns {twice[0]!r}")
        self.path = next((name for name in PATHS if name in names), "")
        if not self.path:
            raise ValueError(f"it has no column {' or '.join(map(repr, PATHS))} (it has: {', '.join(names) or 'none'})")
        for name in (each for each in KNOWN if each in names and each not in ("id", "vector")):
            self._check(name, schema.field(name).type)
        self._tagged = "tags" in names and _is_texts(self._types, schema.field("tags").type)
        self._extra = self._others(schema)
        self.wanted = [name for name in names if name in KNOWN and name not in ("id", "vector")] + self._extra
        self.wanted += ["tags"] * self._tagged

    def puts(self, rows: Any, vectors: Vectors) -> list[Put]:
        """The rows of a batch with their checked vectors ``(n, dim)``.

        Raises:
            ValueError: a value makes no sense; the sentence says which.
        """
        rows.validate(full=True)
        columns = {name: self._values(name, rows.column(name)) for name in self.wanted}
        count = rows.num_rows
        nothing: list[Any] = [None] * count
        get = columns.get
        paths = self._paths(columns[self.path], get("path_bytes", nothing))
        extra = [{name: columns[name][row] for name in self._extra} for row in range(count)]
        metadata = map(_metadata, get("metadata", nothing), extra)
        sizes = (get(name, nothing) for name in ("size", "mtime", "width", "height"))
        words = map(_tags, columns["tags"] if self._tagged else nothing)
        lines = zip(paths, get("label", nothing), get("hash", nothing), metadata, words, *sizes, vectors, strict=True)
        return [
            Put(
                FileInfo(path, size or 0, mtime or 0), digest or b"", width or 0, height or 0, vector, label, more,
                tags=tags,
            )
            for path, label, digest, more, tags, size, mtime, width, height, vector in lines
        ]  # fmt: skip

    def _check(self, name: str, kind: Any) -> None:
        """Refuse a column of a type that it cannot have."""
        types, plain = self._types, kind.value_type if self._types.is_dictionary(kind) else kind
        text = types.is_string(plain) or types.is_large_string(plain) or types.is_string_view(plain)
        null = types.is_null(plain)
        fits = {
            "label": text or types.is_integer(plain),
            "mtime": types.is_timestamp(plain) or types.is_integer(plain),
            "path_bytes": _is_binary(types, plain),
            "hash": text or _is_binary(types, plain),
            "size": types.is_integer(plain),
            "width": types.is_integer(plain),
            "height": types.is_integer(plain),
        }.get(name, text)
        if not fits and (not null or name in PATHS):
            raise ValueError(f"its column {name!r} holds {plain}, which it cannot")

    def _others(self, schema: Any) -> list[str]:
        """Further columns of plain values, which become metadata."""
        types = self._types
        taken: list[str] = []
        left: list[str] = []
        for field in schema:
            kind = field.type.value_type if types.is_dictionary(field.type) else field.type
            if (
                field.name in KNOWN
                or (field.name == "tags" and self._tagged)
                or (field.name == "caption" and "label" in schema.names)
            ):
                continue
            plain = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
            text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
            (taken if plain or text else left).append(field.name)
        if left:
            log.warning("what is neither text nor numbers is left out: the column %s", ", ".join(map(repr, left)))
        return taken

    def _values(self, name: str, column: Any) -> list[Any]:
        """A column as Python's values."""
        pa = self._arrow
        if self._types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if name == "label" or (name in PATHS):
            column = column.cast(pa.string())
        if name == "mtime" and self._types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
        values: list[Any] = column.to_pylist()
        if name in ("size", "width", "height", "mtime"):
            return [_whole(name, value) for value in values]
        return [_digest(value) for value in values] if name == "hash" else values

    def _paths(self, paths: Sequence[str | None], exact: Sequence[bytes | None]) -> list[str]:
        return [
            _path(path if raw is None else os.fsdecode(raw), self._base) for path, raw in zip(paths, exact, strict=True)
        ]


def checked(vectors: NDArray[Any], dim: int) -> Vectors:
    """Vectors ``(n, dim)`` as a store takes them: finite, within half precision, and of length 1.

    What is of length 1 but for rounding keeps its bits; longer and shorter ones are scaled.

    Raises:
        ValueError: none of these; the sentence gives the row, counted from 0.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise ValueError(f"its vectors have the shape {vectors.shape}, where (n, {dim}) is needed")
    if vectors.dtype.kind != "f":
        raise ValueError(f"its vectors are {vectors.dtype} and not real numbers")
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(f"row {int(np.argmin(finite))} has a vector with NaN or infinity")
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    off = (np.abs(lengths - 1) > _OFF) & (lengths > 0)
    if off.any():
        rows = np.where(off[:, None], normalized(rows), rows)
    return rows


def _is_texts(types: Any, kind: Any) -> bool:
    """Whether a column holds lists of texts; what else is called tags elsewhere is metadata here."""
    lists = types.is_list(kind) or types.is_large_list(kind)
    parts = (types.is_string, types.is_large_string, types.is_null)
    return bool(lists and any(fits(kind.value_type) for fits in parts))


def _tags(value: Sequence[str | None] | None) -> tuple[str, ...]:
    try:
        return tags.several([each for each in value or () if each is not None])
    except InputError as error:
        raise ValueError(str(error)) from None


def _is_binary(types: Any, kind: Any) -> bool:
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def _whole(name: str, value: int | None) -> int:
    if value is not None and not (-(2**63) <= value < 2**63 and (value >= 0 or name == "mtime")):
        raise ValueError(f"{name} is {value}, which no file has")
    return value or 0


def _digest(value: str | bytes | None) -> bytes:
    """A file's hash; one of another kind than imagekin's says nothing here."""
    if not value:
        return b""
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else value
    except ValueError:
        return b""
    return found if len(found) == fingerprint.SIZE else b""


def _path(path: str | None, base: str) -> str:
    if not path or "\0" in path:
        raise ValueError(f"a path is {path!r}")
    if "://" in path:
        raise ValueError(f"a path is {path[:200]!r}, an address; only files can be in a collection")
    return os.path.normpath(os.path.join(base, path))


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _metadata(text: str | None, extra: Mapping[str, Any]) -> str | None:
    """Metadata as it is stored: what further columns say, and the column of that name, which wins."""
    values = {name: value for name, value in extra.items() if not _is_nothing(value)}
    try:
        found = json.loads(text) if text else {}
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
        values |= found
        json.dumps(values, allow_nan=False)  # infinity is no JSON, and would make every filter of the collection fail
    except (ValueError, RecursionError) as error:
        raise ValueError(f"metadata is {(text or repr(values))[:60]!r} ({str(error)[:60]})") from error
    return dump_metadata(values)
