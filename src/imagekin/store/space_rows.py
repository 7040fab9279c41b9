"""The tables as a further model of a collection sees them: its own vectors and settings, the items that have one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from imagekin.errors import InputError, MismatchError
from imagekin.store import rows
from imagekin.store.base import Known
from imagekin.store.batch import Made
from imagekin.store.blobs import Half, decode, encode, numbers
from imagekin.store.catalogue import Catalogue
from imagekin.store.database import Database
from imagekin.store.filters import Filter
from imagekin.store.ledger import MOST_SPACES
from imagekin.store.sql import Condition
from imagekin.types import Ids

OWN: Final = ("embedder", "engine", "reduce", "calibration")
"""The settings that each model has for itself."""

_PAGE: Final = 4_096


class SpaceRows(Catalogue):
    """Reads and writes what a collection file holds of one further model.

    Args:
        database: the file.
        dim: length of a vector.
        number: of the space; 0, which none ever has, for a model that the collection lacks.
    """

    def __init__(self, database: Database, dim: int, number: int) -> None:
        super().__init__(database, dim)
        self.number = number

    @property
    def _vectors(self) -> str:
        # the plus keeps SQLite from walking the index by space and revision, which is not in the order of items
        found = f"SELECT item, data, crc FROM embedding WHERE +space = {self.number:d} AND data IS NOT NULL"
        return f"({found}) AS vector"

    # -- settings ----------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Those of the collection, with the model's own in place of the first model's."""
        shared = {name: value for name, value in super().settings().items() if name not in OWN}
        return shared | {name: value for name, value in self._own().items() if name in OWN}

    def set(self, values: Mapping[str, Any]) -> None:
        """Write settings, each where it belongs."""
        with self.database.transaction():
            super().set({name: value for name, value in values.items() if name not in OWN})
            self._keep({**self._own(), **{name: value for name, value in values.items() if name in OWN}})

    def unset(self, name: str) -> None:
        """Take a setting away."""
        with self.database.transaction():
            if name not in OWN:
                super().unset(name)
            self._keep({key: value for key, value in self._own().items() if key != name})

    def add(self) -> None:
        """Begin a space, and be it; inside a transaction.

        Raises:
            InputError: there are as many as there may be.
        """
        if len(self.spaces()) >= MOST_SPACES:
            raise InputError(
                f"the collection has {MOST_SPACES} further models, and may have no more; take one out of it first: "
                "imagekin remove --model NAME"
            )
        ((self.number,),) = self.database.all("INSERT INTO space (settings) VALUES ('{}') RETURNING id")

    def clear(self) -> None:
        """Drop what the model made."""
        with self.database.transaction():
            self.database.rows("DELETE FROM embedding WHERE space = ?", [(self.number,)])

    def drop(self) -> None:
        """Take the model and all that it made out of the collection."""
        with self.database.transaction() as writer:
            self.database.rows("DELETE FROM space WHERE id = ?", [(self.number,)])
            self.next_revision(writer)

    def _still(self, maker: str) -> None:
        if not self._own():
            raise MismatchError(
                f"another program took the model out of {self.database.path.parent} meanwhile; nothing was added."
            )
        super()._still(maker)

    def _own(self) -> dict[str, Any]:
        row = self.database.one("SELECT settings FROM space WHERE id = ?", (self.number,))
        return rows.mapping(row[0]) if row else {}

    def _keep(self, own: Mapping[str, Any]) -> None:
        self.database.rows("UPDATE space SET settings = ? WHERE id = ?", [(json.dumps(own), self.number)])

    # -- reading -----------------------------------------------------------------------------------------------

    def lacking(self, *, force: bool = False) -> Iterator[Known]:
        """The present items that the model has not looked at, by id; *force*: all of them."""
        where = Condition(None)
        seen = f"SELECT 1 FROM embedding AS seen WHERE seen.item = item.id AND seen.space = {self.number:d}"
        where.sql = "missing = 0" if force else f"missing = 0 AND NOT EXISTS ({seen})"
        return self._known(where)

    def counts(self) -> tuple[int, int]:
        """How many present items have a vector, and of how many the model makes nothing."""
        row = self.database.one(
            "SELECT count(data), count(*) - count(data) FROM embedding JOIN item ON item.id = item "
            "WHERE space = ? AND missing = 0",
            (self.number,),
        )
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def changed(self, since: int) -> Iterator[tuple[Ids, Ids, Half]]:
        """See ``Catalogue.changed``; what an item has no vector of is only given as changed."""
        if since <= 0:
            source = f"item CROSS JOIN {self._vectors} ON vector.item = item.id"
            sql = f"SELECT item.id, data, crc FROM {source} WHERE missing = 0 AND item.id > ? ORDER BY item.id"
            for page in self._pages(sql, ()):
                yield numbers(page), *decode(page, self.dim)
            return
        touched = self.changed_ids(since)
        for at in range(0, len(touched), _PAGE):
            some = touched[at : at + _PAGE]
            sql = (
                f"SELECT item.id, data, crc FROM json_each(?) AS each CROSS JOIN item ON item.id = each.value "
                f"CROSS JOIN {self._vectors} ON vector.item = item.id WHERE missing = 0 ORDER BY each.key"
            )
            yield some, *decode(self.database.all(sql, (json.dumps(some.tolist()),)), self.dim)

    def changes(self, since: int) -> int:
        """See ``Catalogue.changes``."""
        return len(self.changed_ids(since))

    def changed_ids(self, since: int) -> Ids:
        """See ``Catalogue.changed_ids``."""
        sql = (
            "SELECT id FROM item WHERE revision > ?1 UNION "
            "SELECT item FROM embedding WHERE space = ?2 AND revision > ?1 ORDER BY 1"
        )
        return numbers(self.database.all(sql, (since, self.number)))

    def _fitting(self, condition: Filter | None) -> Condition:
        where = super()._fitting(condition)
        has = f"SELECT 1 FROM embedding AS has WHERE has.item = item.id AND has.space = {self.number:d}"
        where.sql += f" AND EXISTS ({has} AND has.data IS NOT NULL)"
        return where

    def _absent(self, number: int) -> InputError:
        if not super().found([number]):
            return super()._absent(number)
        row = self.database.one("SELECT reason FROM embedding WHERE item = ? AND space = ?", (number, self.number))
        why = f"because {row[0].rstrip('.')}" if row and row[0] else "as it was not indexed since the model was added"
        return InputError(f"this model of the collection has no vector of item {number}, {why}.")

    # -- writing -----------------------------------------------------------------------------------------------

    def complete(self, made: Sequence[Made], maker: str | None) -> None:
        """Write what the model made, where the items still have the content that it was made of."""
        with self.database.transaction() as writer:
            if maker is not None:
                self._still(maker)
            revision = self.next_revision(writer)
            for each in made:
                data, crc = (None, None) if each.vector is None else encode(each.vector, self.dim)
                writer.execute(
                    "INSERT INTO embedding (item, space, revision, reason, data, crc) "
                    "SELECT id, ?, ?, ?, ?, ? FROM item WHERE id = ? AND hash = ? "
                    "ON CONFLICT (item, space) DO UPDATE SET revision = excluded.revision, reason = excluded.reason, "
                    "data = excluded.data, crc = excluded.crc",
                    (self.number, revision, rows.text(each.reason), data, crc, each.id, each.hash),
                )
