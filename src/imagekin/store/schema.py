"""Whether a collection file has the tables that its steps make, and no others: a file may come from a stranger.

SQLite runs what a file's schema says: a view in place of a table may never end, and a trigger acts on every write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Final

import apsw

Objects = Mapping[str, tuple[str, str, str]]

_OF_SQLITE: Final = "sqlite_stat"
"""Start of the names of tables that ANALYZE makes, which anybody may run."""


def difference(connection: apsw.Connection, steps: Sequence[str]) -> str | None:
    """What differs from the tables and indexes that *steps* make, in a few words; None when nothing does."""
    with contextlib.closing(apsw.Connection(":memory:")) as fresh:
        for step in steps:
            fresh.execute(step)
        expected = _objects(fresh)
    found = _objects(connection)
    for name in sorted({*expected, *found}):
        if name not in found:
            return f"{_noun(expected, name)} is absent"
        if name not in expected:
            return f"{_noun(found, name)} does not belong there"
        if found[name] != expected[name]:
            return f"{_noun(found, name)} is another than was made"
    return None


def stand_in(reader: apsw.Connection, views: Sequence[str]) -> None:
    """Let queries find the tables that an older file has not, and nothing in them."""
    reader.execute("PRAGMA query_only = OFF")
    for view in views:
        reader.execute(view)
    reader.execute("PRAGMA query_only = ON")


def _objects(connection: apsw.Connection) -> Objects:
    """Name to (kind, table, the text that made it), however that text is spaced."""
    rows = connection.execute("SELECT name, type, tbl_name, coalesce(sql, '') FROM sqlite_schema")
    return {
        str(name): (str(kind), str(table), " ".join(str(sql).split()))
        for name, kind, table, sql in rows
        if not str(name).startswith(_OF_SQLITE)
    }


def _noun(objects: Objects, name: str) -> str:
    return f"the {objects[name][0]} {name[:40]!r}"
