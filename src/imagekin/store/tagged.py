"""Which items have which tags: the table ``tag`` of a collection file."""

from __future__ import annotations

import json
from collections.abc import Sequence

from imagekin.store.catalogue import Catalogue
from imagekin.store.database import Database
from imagekin.store.filters import Filter


def write(catalogue: Catalogue, condition: Filter | None, add: Sequence[str], remove: Sequence[str]) -> int:
    """Give and take tags in one transaction, which is a revision if it changed anything; see ``Store.tag``."""
    changed: set[int] = set()
    with catalogue.database.transaction() as writer:
        chosen = json.dumps(catalogue.every(condition))  # before any of them changes: the filter may ask for tags
        for name in remove:
            rows = writer.execute(
                "DELETE FROM tag WHERE name = ? AND item IN (SELECT value FROM json_each(?)) RETURNING item",
                (name, chosen),
            )
            changed.update(row[0] for row in rows)
        for name in add:
            rows = writer.execute(
                "INSERT OR IGNORE INTO tag (item, name) SELECT value, ? FROM json_each(?) RETURNING item",
                (name, chosen),
            )
            changed.update(row[0] for row in rows)
        if changed:
            catalogue.next_revision(writer)
    return len(changed)


def counts(database: Database) -> dict[str, int]:
    """Every tag with the number of its items, the most frequent first."""
    rows = database.all("SELECT name, count(*) FROM tag GROUP BY name")
    return dict(sorted(rows, key=lambda row: (-row[1], row[0])))


def of(database: Database, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The tags of those of the items that have some, sorted."""
    sql = "SELECT item, name FROM tag WHERE item IN (SELECT value FROM json_each(?)) ORDER BY item, name"
    found: dict[int, list[str]] = {}
    for number, name in database.all(sql, (json.dumps([int(each) for each in ids]),)):
        found.setdefault(number, []).append(name)
    return {number: tuple(names) for number, names in found.items()}
