"""A collection as a pandas DataFrame."""

from __future__ import annotations

from typing import Any

from imagekin.exchange import arrow, csv_file
from imagekin.exchange.selection import Selection
from imagekin.store.base import as_text


def of(selection: Selection, *, vectors: bool = False) -> Any:
    """The items as a DataFrame, one row each; see ``Collection.to_pandas``.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    pandas = arrow.library("pandas")
    extra = selection.columns()
    rows: list[list[Any]] = []
    numbers: list[Any] = []
    if vectors:
        for block in selection:
            rows.extend(csv_file.row(item, extra) for item in block.items)
            numbers.extend(block.vectors)
    else:
        rows.extend(csv_file.row(item, extra) for item in selection.items())
    names = [*csv_file.COLUMNS, *csv_file.named(extra)]
    columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    columns["mtime"] = pandas.to_datetime(columns["mtime"], utc=True, format="ISO8601")
    if any(as_text(path) != path for path in columns["path"]):  # pandas' texts are UTF-8
        columns["path"] = pandas.Series(columns["path"], dtype=object)
    frame = pandas.DataFrame(columns)
    if vectors:
        frame["vector"] = numbers
    return frame
