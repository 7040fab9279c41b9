"""What a collection file says of itself: its settings, models, folders and revisions."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from typing import Any, Final

import apsw

from imagekin.errors import DamagedError
from imagekin.store import rows
from imagekin.store.database import Database
from imagekin.store.settings import checked

MOST_SPACES: Final = 64
"""Further models of a collection: each is brought up to date by every run, and looked at whenever models are told."""


class Ledger:
    """The part of a ``Catalogue`` that is not about items."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # -- settings ----------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Every setting by name."""
        found = self.database.all("SELECT name, value FROM setting")
        return {name: rows.parsed(value) for name, value in found}

    def set(self, values: Mapping[str, Any]) -> None:
        """Write settings in one transaction."""
        pairs = [(name, json.dumps(value)) for name, value in values.items()]
        with self.database.transaction():
            self.database.rows("INSERT OR REPLACE INTO setting VALUES (?, ?)", pairs)

    def unset(self, name: str) -> None:
        """Take a setting away."""
        with self.database.transaction():
            self.database.rows("DELETE FROM setting WHERE name = ?", [(name,)])

    def spaces(self) -> dict[int, dict[str, Any]]:
        """The settings of each further model, by the number of its space.

        Raises:
            DamagedError: they are not such as imagekin writes.
        """
        found = self.database.all("SELECT id, settings FROM space ORDER BY id LIMIT ?", (MOST_SPACES + 1,))
        if len(found) > MOST_SPACES:
            raise DamagedError(
                f"the collection has more than {MOST_SPACES} further models, which imagekin never makes; restore a "
                "backup, or index the folders into another collection."
            )
        return {number: dict(checked(rows.mapping(text), further=True)) for number, text in found}

    def hashes(self) -> frozenset[str]:
        """The hashes of all that was learned (by models, by reducers) and is still needed."""
        found = set()
        for settings in (checked(Ledger.settings(self)), *self.spaces().values()):
            found.add((settings.get("embedder") or {}).get("state"))
            found.add((settings.get("reduce") or {}).get("hash"))
        return frozenset(str(each) for each in found if each is not None)

    def roots(self) -> dict[str, str]:
        """Indexed folders with their label rules."""
        found = self.database.all("SELECT path, CAST(labels AS BLOB) FROM root")  # a rule may be the path of a file
        return {rows.path(path): rows.path(rule) for path, rule in found}

    def set_root(self, path: str, labels: str) -> None:
        """Remember a folder and its label rule."""
        with self.database.transaction():
            row = (os.fsencode(path), os.fsencode(labels))
            self.database.rows("INSERT OR REPLACE INTO root VALUES (?, CAST(? AS TEXT))", [row])

    def forget_root(self, path: str) -> None:
        """No longer remember a folder."""
        with self.database.transaction():
            self.database.rows("DELETE FROM root WHERE path = ?", [(os.fsencode(path),)])

    # -- revisions ---------------------------------------------------------------------------------------------

    def revision(self) -> tuple[int, int]:
        """The newest revision and its token; (0, 0) for a collection that was never written."""
        row = self.database.one("SELECT revision, token FROM change ORDER BY revision DESC LIMIT 1")
        return (row[0], row[1]) if row else (0, 0)

    def has_revision(self, revision: int, token: int) -> bool:
        """Whether this very revision is part of the file's history (a restored backup has another)."""
        row = self.database.one("SELECT token FROM change WHERE revision = ?", (revision,))
        return (row is not None and row[0] == token) or (revision, token) == (0, 0)

    def next_revision(self, writer: apsw.Connection) -> int:
        """Start a revision with a random token that tells histories apart; inside a transaction."""
        token = secrets.randbits(62)
        writer.execute("INSERT INTO change (token) VALUES (?)", (token,))
        return writer.last_insert_rowid()
