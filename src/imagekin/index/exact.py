"""The exact engine: default, ground truth, and oracle of every test."""

from __future__ import annotations

from typing import ClassVar

from imagekin.index import scan
from imagekin.index.base import Index
from imagekin.index.best import Found
from imagekin.index.rows import Mask
from imagekin.types import Vectors


class Exact(Index):
    """Compares the query with every row.  It keeps nothing but the rows, so it is built and opened at once."""

    engine: ClassVar[str] = "exact"
    can_add: ClassVar[bool] = True
    can_remove: ClassVar[bool] = True
    can_filter: ClassVar[bool] = True
    can_mmap: ClassVar[bool] = True
    filter_floor: ClassVar[float] = 0.0

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        return scan.nearest(self._rows, queries, k, self.metric, allowed=allowed)

    def _complete(self) -> bool:
        return True
