"""Items as Arrow tables, which is what Parquet files hold.

============ ========================== =========================================================================
column       type                       meaning
============ ========================== =========================================================================
id           int64                      the item's number in the collection it comes from
path         string                     absolute path; a byte that is not UTF-8 is shown as U+FFFD
path_bytes   binary or null             the path's bytes, where they are not UTF-8
label        string or null             class name
size         int64                      bytes of the file
mtime        timestamp in ns, UTC       time of its last change
width        int64                      pixels as shown
height       int64                      pixels as shown
hash         string                     BLAKE2b-128 of the file's bytes, hexadecimal
metadata     string or null             further columns, a JSON object
tags         list of strings            words that people gave it, sorted
vector       list of dim halves         length 1; see ``How.numbers``
============ ========================== =========================================================================

The file's own metadata has the key ``imagekin``: JSON that says which model made the vectors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from imagekin.errors import MissingPackageError
from imagekin.exchange.formats import EXTRA
from imagekin.exchange.selection import Half, Listed, Selection
from imagekin.store.base import as_text

if TYPE_CHECKING:
    import pyarrow as pa

KEY: Final = b"imagekin"
"""Key of the header in a file's metadata."""

VERSION: Final = 1


def library(module: str = "pyarrow") -> Any:
    """The package or one of its modules.

    Raises:
        MissingPackageError: it is not installed.
    """
    import importlib

    try:
        importlib.import_module(module.partition(".")[0])
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingPackageError(
            f'this needs a package that is not installed ({package}); install it with: pip install "imagekin[{EXTRA}]"'
        ) from error


def schema(selection: Selection, *, numbers: str = "", path: str = "path", caption: bool = False) -> pa.Schema:
    """The columns of an export, and its header.

    Args:
        selection: what is exported.
        numbers: type of the vectors; without one, there is no column for them.
        path: what the column of paths is called.
        caption: whether labels come a second time, as captions.
    """
    arrow: Any = library()
    fields = [
        (("id"), arrow.int64()),
        (path, arrow.string()),
        ("path_bytes", arrow.binary()),
        *((("caption", arrow.string()),) if caption else ()),
        ("label", arrow.string()),
        ("size", arrow.int64()),
        ("mtime", arrow.timestamp("ns", tz="UTC")),
        ("width", arrow.int64()),
        ("height", arrow.int64()),
        ("hash", arrow.string()),
        ("metadata", arrow.string()),
        ("tags", arrow.list_(arrow.string())),
    ]
    if numbers:
        element = {"float16": arrow.float16(), "float32": arrow.float32()}[numbers]
        fields.append(("vector", arrow.list_(element, selection.dim)))
    header = {"version": VERSION, "metric": selection.metric, "model": dict(selection.model)}
    return arrow.schema(fields, metadata={KEY: json.dumps(header).encode()})


def batch(items: Sequence[Listed], vectors: Half | None, columns: pa.Schema) -> pa.RecordBatch:
    """Rows of a table with these *columns*."""
    arrow: Any = library()
    rows = {name: _column(name, items) for name in columns.names if name != "vector"}
    arrays = [arrow.array(values, columns.field(name).type) for name, values in rows.items()]
    if vectors is not None:
        field = columns.field("vector").type
        numbers = arrow.array(vectors.astype(field.value_type.to_pandas_dtype(), copy=False).ravel())
        arrays.append(arrow.FixedSizeListArray.from_arrays(numbers, field.list_size))
    return arrow.RecordBatch.from_arrays(arrays, schema=columns)


def header(metadata: Mapping[bytes, bytes] | None) -> Mapping[str, Any]:
    """What the metadata of a file says of its vectors; nothing if imagekin did not write it.

    Raises:
        ValueError: it is damaged.
    """
    if not metadata or KEY not in metadata:
        return {}
    found = json.loads(metadata[KEY])
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise ValueError(f"its version is {found.get('version') if isinstance(found, dict) else found!r}")
    return found


def _column(name: str, items: Sequence[Listed]) -> list[Any]:
    match name:
        case "path" | "image_path":
            return [as_text(item.path) for item in items]
        case "path_bytes":
            return [None if as_text(item.path) == item.path else os.fsencode(item.path) for item in items]
        case "caption":
            return [item.label for item in items]
        case "mtime":
            return [item.mtime_ns for item in items]
        case "hash":
            return [item.hash.hex() for item in items]
    return [getattr(item, name) for item in items]
