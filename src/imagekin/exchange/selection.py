"""What an export takes of a store: the items that fit a filter, with their vectors, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.pipeline import batched
from imagekin.store import filters
from imagekin.store.base import Known, Store
from imagekin.store.filters import Filter

BLOCK: Final = 4_096
"""Items at a time: 10 MB of half-precision vectors of 1,280 numbers."""

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Listed(Known):
    """What is exported of an item besides its vector."""

    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Some items, and their vectors ``(n, dim)`` float16 as they are stored."""

    items: list[Listed]
    vectors: Half


class Selection:
    """The items of a store that fit a filter, by id: the present ones, unless the filter itself asks for missing ones.

    Args:
        store: holds them.
        condition: the filter; None for all.

    Attributes:
        metric: the store's.
        dim: length of a vector.
        model: what the embedder of the vectors says of itself, as ``Embedder.describe`` does.
    """

    def __init__(self, store: Store, condition: Filter | None = None) -> None:
        self._store = store
        present = filters.Compare("missing", "==", False)
        if condition is None:
            self._condition: Filter = present
        else:
            asked = filters.asks(condition, "missing")
            self._condition = condition if asked else filters.And((condition, present))
        self.metric = store.metric
        self.dim = store.dim
        self.model: Mapping[str, Any] = store.settings().get("embedder") or {}

    def __len__(self) -> int:
        """How many items fit now."""
        return self._store.count(self._condition, missing=None)

    def __iter__(self) -> Iterator[Block]:
        for items in batched(self.items(), BLOCK):
            yield self._block(items)

    def items(self) -> Iterator[Listed]:
        """The items alone."""
        for page in batched(self._store.known(self._condition), BLOCK):
            tags = self._store.tags_of([known.id for known in page])
            for known in page:
                values = {name: getattr(known, name) for name in Known.__slots__}
                yield Listed(**values, tags=tags.get(known.id, ()))

    def columns(self) -> list[str]:
        """The names of the metadata columns of the store, sorted."""
        return sorted(self._store.columns())

    def _block(self, items: list[Listed]) -> Block:
        try:
            vectors = self._store.vectors([item.id for item in items])[1]
        except InputError:  # one of them was removed this instant
            there = self._store.found([item.id for item in items])
            items = [item for item in items if item.id in there]
            vectors = self._store.vectors([item.id for item in items])[1]
        return Block(items, vectors.astype(np.float16))
