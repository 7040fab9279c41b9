"""The collection file's schema as an append-only list of steps; step *n* takes format *n* to *n* + 1.

A step that has been released is never edited: ``PRAGMA user_version`` in a file says how many were applied,
and a test reopens a committed file of every format.  docs/format.md describes the result.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x696B696E  # "ikin", seen by file(1)

MIGRATIONS: Final = (
    """
    CREATE TABLE setting (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE change (
        revision INTEGER PRIMARY KEY,
        token INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE root (
        path BLOB PRIMARY KEY,
        labels TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE item (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path BLOB NOT NULL UNIQUE,
        size INTEGER NOT NULL,
        mtime INTEGER NOT NULL,
        hash BLOB NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        label TEXT,
        metadata TEXT,
        missing INTEGER NOT NULL DEFAULT 0,
        device INTEGER NOT NULL DEFAULT 0,
        revision INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX item_hash ON item (hash);
    CREATE INDEX item_revision ON item (revision);
    CREATE INDEX item_label ON item (label);
    CREATE TABLE vector (
        item INTEGER PRIMARY KEY REFERENCES item (id) ON DELETE CASCADE,
        data BLOB NOT NULL,
        crc INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE removal (
        item INTEGER PRIMARY KEY,
        revision INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX removal_revision ON removal (revision);
    CREATE TABLE skip (
        path BLOB PRIMARY KEY,
        size INTEGER NOT NULL,
        mtime INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE reducer (
        hash BLOB PRIMARY KEY,
        data BLOB NOT NULL
    ) STRICT;
    """,
    """
    CREATE TABLE tag (
        item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        PRIMARY KEY (item, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tag_name ON tag (name);
    """,
    """
    CREATE TABLE learned (
        hash BLOB PRIMARY KEY,
        data BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE space (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        settings TEXT NOT NULL
    ) STRICT;
    CREATE TABLE embedding (
        item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE,
        space INTEGER NOT NULL REFERENCES space (id) ON DELETE CASCADE,
        revision INTEGER NOT NULL,
        reason TEXT,
        data BLOB,
        crc INTEGER,
        PRIMARY KEY (item, space)
    ) STRICT;
    CREATE INDEX embedding_revision ON embedding (space, revision);
    """,
    """
    CREATE TABLE judgement (
        question TEXT NOT NULL,
        item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE,
        asked INTEGER REFERENCES item (id) ON DELETE CASCADE,
        fits INTEGER NOT NULL,
        made INTEGER NOT NULL,
        PRIMARY KEY (question, item)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX judgement_item ON judgement (item);
    CREATE INDEX judgement_asked ON judgement (asked);
    """,
)

STAND_INS: Final = {
    3: "CREATE TEMP VIEW tag (item, name) AS SELECT 0, '' WHERE 0",
    4: """
    CREATE TEMP VIEW learned (hash, data) AS SELECT x'', x'' WHERE 0;
    CREATE TEMP VIEW space (id, settings) AS SELECT 0, '' WHERE 0;
    CREATE TEMP VIEW embedding (item, space, revision, reason, data, crc) AS SELECT 0, 0, 0, '', x'', 0 WHERE 0;
    """,
    5: "CREATE TEMP VIEW judgement (question, item, asked, fits, made) AS SELECT '', 0, 0, 0, 0 WHERE 0",
}
"""What a query finds, by the number of the step that would make it, in an older file that may not be written."""
