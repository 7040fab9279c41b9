"""What models learned from pictures, such as a vocabulary: blobs of a collection file, named by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

from imagekin.errors import DamagedError, InputError
from imagekin.store.database import Database

MOST: Final = 64 << 20
"""Bytes that a model may keep: a vocabulary takes half a megabyte, and weights belong into files of their own."""


def write(database: Database, state: bytes) -> str:
    """Keep a state, and give the hash that names it; inside a transaction.

    Raises:
        InputError: it is too large.
    """
    if len(state) > MOST:
        raise InputError(
            f"the model learned {len(state):,} bytes, and a collection keeps at most {MOST:,} of them; choose options "
            "that make it smaller."
        )
    key = _hash(state)
    database.rows("INSERT OR IGNORE INTO learned VALUES (?, ?)", [(bytes.fromhex(key), state)])
    return key


def read(database: Database, key: str, model: str) -> bytes:
    """The state of this hash, which *model* learned.

    Raises:
        DamagedError: it is absent, too large, or not what was written.
    """
    row = database.one("SELECT data FROM learned WHERE hash = ? AND length(data) <= ?", (bytes.fromhex(key), MOST))
    if row is None or _hash(row[0]) != key:
        raise DamagedError(
            f"what {model} learned from pictures is absent or was changed, so that it can embed nothing; restore a "
            "backup, or index the folders into another collection."
        )
    return bytes(row[0])


def sweep(database: Database, used: Collection[str]) -> None:
    """Drop what models and reducers learned and no setting names any more; inside a transaction."""
    for table in ("learned", "reducer"):
        unused = [row for row in database.all(f"SELECT hash FROM {table}") if row[0].hex() not in used]
        database.rows(f"DELETE FROM {table} WHERE hash = ?", unused)


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
