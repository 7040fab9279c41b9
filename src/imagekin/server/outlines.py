"""Whole listings in little: ids and shapes alone, in an order, so that a page can lay all of them out at once."""

from __future__ import annotations

import json
import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, Field

from imagekin.collection import Collection
from imagekin.types import Item

MOST: Final = 250_000
"""Pictures of an outline; a browser can make no page much longer."""

KEPT: Final = 8
"""Outlines that are kept until the collection changes."""

Order: TypeAlias = Literal["id", "-id", "path", "-path", "date", "-date", "size", "-size", "pixels", "-pixels", "label"]

_KEYS: Final[Mapping[str, Callable[[Item], Any]]] = {
    "id": lambda item: item.id,
    "path": lambda item: item.path,
    "date": lambda item: item.mtime,
    "size": lambda item: item.size,
    "pixels": lambda item: item.width * item.height,
    "label": lambda item: (item.label is None, item.label or "", item.path),
}


class Outline(BaseModel):
    """A listing in little."""

    total: int = Field(description="Items that fit; no more than 250,000 of them are listed.")
    ids: list[int]
    aspects: list[int] = Field(description="100 × width ÷ height, of each.")


class Outlines:
    """Outlines of one collection, kept until it changes; thread-safe.

    Args:
        collection: whose items are listed.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._guard = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, order: Order, conditions: Mapping[str, Any]) -> bytes:
        """The JSON of an outline: ``total``, ``ids`` and ``aspects``, which are 100 × width ÷ height.

        Raises:
            InputError: a filter makes no sense.
        """
        key = repr((self._collection.store.revision, order, sorted(conditions.items())))
        with self._guard:
            if key not in self._kept:
                self._kept[key] = self._made(order, conditions)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _made(self, order: Order, conditions: Mapping[str, Any]) -> bytes:
        name, backwards = order.removeprefix("-"), order.startswith("-")
        by = _KEYS[name]
        rows: list[tuple[Any, int, int]] = [
            (by(item), item.id, round(100 * item.width / item.height)) for item in self._collection.items(**conditions)
        ]
        rows.sort(key=operator.itemgetter(0), reverse=backwards)  # stable: ties stay in the order of ids
        shown = rows[:MOST]
        listed = {"total": len(rows), "ids": [row[1] for row in shown], "aspects": [row[2] for row in shown]}
        return json.dumps(listed, separators=(",", ":")).encode("ascii")
