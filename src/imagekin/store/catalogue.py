"""The tables of a collection file: rows in, records out, batches in one transaction each."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import apsw
import numpy as np

from imagekin.errors import InputError, MismatchError
from imagekin.store import rows
from imagekin.store.base import Batch, Known, Put, as_text
from imagekin.store.blobs import Half, decode, encode, fault, numbers, sound
from imagekin.store.database import Database, Row
from imagekin.store.faults import damaged
from imagekin.store.filters import Filter, asks
from imagekin.store.ledger import Ledger
from imagekin.store.sql import Condition
from imagekin.types import Ids, Item, Skipped, Vectors

_KNOWN: Final = "id, path, size, mtime, hash, width, height, label, metadata, missing, device"
_TAGS: Final = "(SELECT group_concat(name, char(10)) FROM tag WHERE tag.item = item.id)"
_ITEM: Final = f"id, path, width, height, label, size, mtime, hash, missing, metadata, {_TAGS}"
_PAGE: Final = 4_096


class Catalogue(Ledger):
    """Reads and writes the tables of one ``Database``; it knows rows, not search.

    Args:
        database: the file.
        dim: length of a vector.
    """

    def __init__(self, database: Database, dim: int) -> None:
        super().__init__(database)
        self.dim = dim

    @property
    def _vectors(self) -> str:
        """What to select ``item``, ``data`` and ``crc`` from, called ``vector``."""
        return "vector"

    # -- reading -----------------------------------------------------------------------------------------------

    def lookup(self, paths: Sequence[str]) -> dict[str, Known]:
        """Known files among *paths*."""
        sql = f"SELECT {_KNOWN} FROM item WHERE path = ?"
        return {known.path: known for known in map(rows.known, self._each(sql, paths))}

    def skipped(self, paths: Sequence[str]) -> dict[str, tuple[int, int, str]]:
        """Remembered failures among *paths*."""
        found = self._each("SELECT path, size, mtime, reason FROM skip WHERE path = ?", paths)
        return {rows.path(path): (size, mtime, reason) for path, size, mtime, reason in found}

    def skips(self) -> Iterator[Skipped]:
        """All remembered failures, by path."""
        for path, reason in self.database.all("SELECT path, reason FROM skip ORDER BY path"):
            yield Skipped(rows.path(path), reason)

    def find(self, digest: bytes) -> tuple[Known, Vectors] | None:
        """The first item with this content, and its vector; one query, so that they belong together."""
        row = self.database.one(
            f"SELECT {_KNOWN}, data, crc FROM item JOIN {self._vectors} ON vector.item = item.id WHERE hash = ? "
            "ORDER BY missing, id LIMIT 1",
            (digest,),
        )
        return (rows.known(row[:-2]), decode([(row[0], *row[-2:])], self.dim)[1][0].astype(np.float32)) if row else None

    def known(self, condition: Filter | None) -> Iterator[Known]:
        """All items that fit, page by page, by id."""
        where = self._fitting(condition)
        yield from self._known(where)

    def count(self, condition: Filter | None, missing: bool | None) -> int:
        """How many items fit."""
        where = self._fitting(condition)
        state = "1" if missing is None else f"missing = {int(missing)}"
        row = self.database.one(f"SELECT count(*) FROM {where.source} WHERE {where.sql} AND {state}", where.values)
        return int(row[0]) if row else 0

    def items(self, condition: Filter | None, after: int, limit: int) -> list[Item]:
        """A page of items: the present ones, unless the condition itself asks which are missing."""
        where = self._fitting(condition)
        state = "1" if asks(condition, "missing") else "missing = 0"
        page_of = f"{where.key} > ? ORDER BY {where.key} LIMIT ?"
        sql = f"SELECT {_ITEM} FROM {where.source} WHERE {where.sql} AND {state} AND {page_of}"
        page = self.database.all(sql, (*where.values, after, limit))
        self._rising(page, after)
        return [rows.item(row) for row in page]

    def found(self, ids: Sequence[int]) -> dict[int, Item]:
        """Those of the items that exist, by id."""
        return {row[0]: rows.item(row) for row in self._each(f"SELECT {_ITEM} FROM item WHERE id = ?", ids)}

    def ids(self, condition: Filter | None) -> Ids:
        """Ids of the present items that fit, ascending."""
        where = self._fitting(condition)
        sql = f"SELECT {where.key} FROM {where.source} WHERE {where.sql} AND missing = 0 ORDER BY {where.key}"
        return numbers(self.database.all(sql, where.values))

    def every(self, condition: Filter | None) -> list[int]:
        """Ids of the items that fit, missing ones included."""
        where = self._fitting(condition)
        sql = f"SELECT {where.key} FROM {where.source} WHERE {where.sql}"
        return [row[0] for row in self.database.all(sql, where.values)]

    def changed(self, since: int) -> Iterator[tuple[Ids, Ids, Half]]:
        """Pages of the items whose vector or presence changed after revision *since*, by id.

        Yields:
            The ids of a page; those of them that are present; the vectors of these, float16.
        """
        sql = (
            "SELECT item.id, vector.data, vector.crc, item.missing FROM item JOIN vector ON vector.item = item.id "
            "WHERE item.revision > ? AND item.id > ? ORDER BY item.id"
        )
        for page in self._pages(sql, (since,)):
            yield numbers(page), *decode([row[:3] for row in page if not row[3]], self.dim)

    def changes(self, since: int) -> int:
        """How many items changed after revision *since*."""
        row = self.database.one("SELECT count(*) FROM item WHERE revision > ?", (since,))
        return int(row[0]) if row else 0

    def changed_ids(self, since: int) -> Ids:
        """The ids of these items, ascending."""
        return numbers(self.database.all("SELECT id FROM item WHERE revision > ? ORDER BY id", (since,)))

    def removals(self, since: int) -> Ids:
        """Ids removed after revision *since*."""
        rows = self.database.all("SELECT item FROM removal WHERE revision > ?", (since,))
        return numbers(rows)

    def vectors(self, ids: Sequence[int] | None) -> tuple[Ids, Vectors]:
        """Stored vectors by id, or in the order of *ids*."""
        if ids is None:
            source = f"{self._vectors} JOIN item ON item.id = vector.item"
            rows = self.database.all(f"SELECT item, data, crc FROM {source} WHERE missing = 0 ORDER BY item")
        else:
            wanted = [int(number) for number in ids]
            sql = f"SELECT item, data, crc FROM {self._vectors} WHERE item = ?"
            found = {row[0]: row for row in self._each(sql, wanted)}
            absent = [number for number in wanted if number not in found]
            if absent:
                raise self._absent(absent[0])
            rows = [found[number] for number in wanted]
        found_ids, vectors = decode(rows, self.dim)
        return found_ids, vectors.astype(np.float32)

    def _fitting(self, condition: Filter | None) -> Condition:
        return Condition(condition)

    def _known(self, where: Condition) -> Iterator[Known]:
        sql = f"SELECT {_KNOWN} FROM {where.source} WHERE {where.sql} AND {where.key} > ? ORDER BY {where.key}"
        for page in self._pages(sql, where.values):
            yield from map(rows.known, page)

    def _absent(self, number: int) -> InputError:
        return InputError(f"the collection has no item {number}; ids come from search and list.")

    def _pages(self, sql: str, values: Sequence[Any]) -> Iterator[list[Row]]:
        """Pages of rows by id, their first column; *sql* asks for those above its last value."""
        after = 0
        while page := self.database.all(f"{sql} LIMIT {_PAGE}", (*values, after)):
            self._rising(page, after)
            after = page[-1][0]
            yield page

    def _rising(self, page: list[Row], after: int) -> None:
        """Refuse rows that are not in order: in a damaged file pages may lead in circles, and we would never end."""
        numbers = [after, *(row[0] for row in page)]
        if not all(map(operator.lt, numbers, numbers[1:])):
            raise damaged(self.database.path, "its rows are out of order")

    def _each(self, sql: str, keys: Sequence[Any]) -> list[Row]:
        values = [os.fsencode(key) if isinstance(key, str) else key for key in keys]
        return self.database.each(sql, values)

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, batch: Batch, maker: str | None = None) -> None:
        """Write a batch: one transaction, one revision; vectors only while the collection is still *maker*'s."""
        with self.database.transaction() as writer:
            if batch.puts and maker is not None:
                self._still(maker)
            revision = self.next_revision(writer)
            for put in batch.puts:
                self._put(writer, put, revision)
            touches = [(info.size, info.mtime_ns, info.device, number) for number, info in batch.touches]
            self.database.rows("UPDATE item SET size = ?, mtime = ?, device = ? WHERE id = ?", touches)
            relabels = [(rows.text(label), rows.text(metadata), number) for number, label, metadata in batch.relabels]
            self.database.rows("UPDATE item SET label = ?, metadata = ? WHERE id = ?", relabels)
            self.forget(batch.removed, revision)
            for state, ids in ((1, batch.missing), (0, batch.returned)):
                states = [(state, revision, number, state) for number in ids]
                self.database.rows("UPDATE item SET missing = ?, revision = ? WHERE id = ? AND missing <> ?", states)
            skips = [
                (os.fsencode(info.path), info.size, info.mtime_ns, as_text(reason)) for info, reason in batch.skips
            ]
            self.database.rows("INSERT OR REPLACE INTO skip VALUES (?, ?, ?, ?)", skips)
            self.database.rows("DELETE FROM skip WHERE path = ?", [(os.fsencode(path),) for path in batch.unskips])

    def _still(self, maker: str) -> None:
        """Refuse vectors of the model *maker* if another process has given the empty collection to another since."""
        stored = self.settings().get("embedder") or {}
        if stored.get("fingerprint") != maker:
            raise MismatchError(
                f"another program gave {self.database.path.parent} to the model {stored.get('spec')} meanwhile; "
                "nothing was added; open the collection again."
            )

    def remove(self, condition: Filter | None) -> int:
        """Delete the rows of the items that fit, missing ones included."""
        with self.database.transaction() as writer:
            ids = self.every(condition)
            if ids:
                self.forget(ids, self.next_revision(writer))
            return len(ids)

    def forget(self, ids: Sequence[int], revision: int) -> None:
        """Delete items and remember their ids as removed; inside a transaction."""
        self.database.rows("DELETE FROM item WHERE id = ?", [(number,) for number in ids])
        self.database.rows("INSERT OR REPLACE INTO removal VALUES (?, ?)", [(number, revision) for number in ids])

    def _put(self, writer: apsw.Connection, put: Put, revision: int) -> None:
        path = os.fsencode(put.file.path)
        values = (path, put.file.size, put.file.mtime_ns, put.hash, put.width, put.height)
        # two processes that index the same folder meet here: the second one updates; and what was removed meanwhile
        # comes back as a new item, under a new id
        known = "SELECT id, hash FROM item WHERE path = ?1 UNION ALL SELECT id, hash FROM item WHERE id = ?2 LIMIT 1"
        number, content = next(writer.execute(known, (path, put.id)), (None, put.hash))
        if content != put.hash:  # what further models made of it, and what people said of it, is of another picture
            writer.execute("DELETE FROM embedding WHERE item = ?", (number,))
            writer.execute("DELETE FROM judgement WHERE ? IN (item, asked)", (number,))
        writer.execute(
            "INSERT INTO item (id, path, size, mtime, hash, width, height, label, metadata, device, revision) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET path = excluded.path, "
            "size = excluded.size, mtime = excluded.mtime, hash = excluded.hash, width = excluded.width, "
            "height = excluded.height, label = excluded.label, metadata = excluded.metadata, missing = 0, "
            "device = excluded.device, revision = excluded.revision",
            (number, *values, rows.text(put.label), rows.text(put.metadata), put.file.device, revision),
        )
        number = number or writer.last_insert_rowid()
        writer.execute("INSERT OR REPLACE INTO vector VALUES (?, ?, ?)", (number, *encode(put.vector, self.dim)))
        writer.execute("DELETE FROM skip WHERE path = ?", (path,))
        for name in put.tags:
            writer.execute("INSERT OR IGNORE INTO tag (item, name) VALUES (?, ?)", (number, name))

    def damaged(self) -> Iterator[str]:
        """One sentence for each fault in the tables; reads everything."""
        for (line,) in self.database.all("PRAGMA quick_check(20)"):
            if line != "ok":
                yield f"SQLite reports: {line}."
        orphans = "SELECT count(*) FROM item LEFT JOIN vector ON vector.item = item.id WHERE vector.item IS NULL"
        row = self.database.one(orphans)
        if row and row[0]:
            yield f"{row[0]} items have no vector; index their folders again with --force."
        yield from self.unsound()

    def unsound(self) -> Iterator[str]:
        """One sentence for each vector that is not what was written."""
        for page in self._pages(f"SELECT item, data, crc FROM {self._vectors} WHERE item > ? ORDER BY item", ()):
            for number, data, crc in page:
                if not sound(data, crc, self.dim):
                    yield fault(number)
