"""How a search is answered: out of the structure, the tail behind it, and the exact scan for what these lack."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from imagekin.distance import SMALL, as_vectors, check_size
from imagekin.index import scan
from imagekin.index.best import Found, ordered, rescored
from imagekin.index.engine import Engine
from imagekin.index.rows import Mask, prepared
from imagekin.types import Distances, Ids, Vectors

_ARRAY: Final = np.ndarray
_VDOT: Final = np.vdot
_FLOAT: Final = np.dtype(np.float32)
_LARGEST: Final = 1e30

CHEAP: Final = 1 << 23
"""Elements up to which the exact scan takes a millisecond, which no filter of an engine's own undercuts."""


def checked(queries: ArrayLike, dim: int, metric: str) -> tuple[Vectors, Vectors | None]:
    """Queries as ``as_vectors`` makes them, and a single one as engines take it besides: of length 1 under cosine.

    One product says both that a query is finite and how long it is.
    """
    if type(queries) is _ARRAY and queries.dtype is _FLOAT and queries.shape == (1, dim) and queries.flags.c_contiguous:
        square = _VDOT(queries, queries)
        if square < _LARGEST:
            if metric != "cosine":
                return queries, queries
            length = np.float32(math.sqrt(square))
            if length == 1:  # as most embeddings have it: dividing would change nothing
                return queries, queries
            if length > SMALL:
                return queries, np.divide(queries, length)
    asked = as_vectors(queries, dim, what="queries")
    if metric != "cosine":
        check_size(asked, "queries")
    return asked, None


def _ascends(distances: Distances) -> bool:
    """Whether one line ascends strictly to a finite end: then no row is missing, and there is nothing to order."""
    last = -math.inf
    for distance in distances.tolist()[0]:
        if not distance > last:
            return False
        last = distance
    return last < math.inf


class Answering(Engine):
    """The part of an index that answers; the base of ``Index``."""

    def _one(self, query: Vectors, ready: Vectors, k: int) -> Found:
        """What ``_nearest`` answers to one query among rows that all are alive and built, in a third of the time."""
        rows, factor = self._rows, self._rerank()
        fetch = max(k, 10) * factor if factor else k
        if fetch >= self._built and not self._complete():
            return scan.nearest(rows, query, k, self.metric)
        found, distances = self._ask_engine(ready, min(fetch, self._built), None)
        if factor:
            found, distances = rescored(rows, query, found, k, self.metric)
        elif found.shape[1] != k or not _ascends(distances):
            found, distances = ordered(rows, found, distances, k)
        if found.item(-1) < 0:
            return scan.nearest(rows, query, k, self.metric)
        return found, distances

    def _nearest(self, queries: Vectors, k: int, allow: ArrayLike | None) -> Found:
        rows = self._rows
        allowed: Mask | None = None
        if allow is not None:
            allowed = rows.flags(allow)
            plain = not self._filters() or len(rows) * self.dim <= CHEAP
            if plain or np.count_nonzero(allowed) < self.filter_floor * len(rows):
                return scan.nearest(rows, queries, k, self.metric, allowed=allowed)
        if self._built == 0:
            return scan.nearest(rows, queries, k, self.metric, allowed=allowed)
        found, distances = self._candidates(queries, k, allowed)
        if self._built < len(rows.ids):
            tail = scan.nearest(rows, queries, k, self.metric, start=self._built, allowed=allowed)
            found, distances = np.hstack([found, tail[0]]), np.hstack([distances, tail[1]])
        elif found.shape[1] == k:
            return found, distances
        return ordered(rows, found, distances, k)

    def _candidates(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        """The k best of the built rows, in order; the exact scan answers the queries that the engine leaves short."""
        rows, built = self._rows, self._built
        flags = rows.live[:built] if rows.dead else None
        if allowed is not None:
            flags = allowed[:built] & rows.live[:built]
        want = min(k, built if flags is None else int(np.count_nonzero(flags)))
        if not want:
            return self._padded(queries, k)
        factor, filters = self._rerank(), flags is not None and self._filters()
        fetch = max(want, 10) * factor if factor else want
        if flags is not None and not filters:
            fetch += min(4 * fetch, built - int(np.count_nonzero(flags)))
        if fetch >= built and not self._complete():
            return scan.nearest(rows, queries, k, self.metric, allowed=self._only_built(allowed))
        found, distances = self._ask_engine(
            prepared(queries, self.metric), min(fetch, built), flags if filters else None
        )
        if flags is not None:
            found = np.where((found >= 0) & flags[np.maximum(found, 0)], found, np.int64(-1))
        if factor:
            found, distances = rescored(rows, queries, found, want, self.metric)
        else:
            found, distances = ordered(rows, found, distances, want)
        if found.item(-1) < 0 or (len(found) > 1 and (found[:, -1] < 0).any()):
            short, only = np.flatnonzero(found[:, -1] < 0), self._only_built(allowed)
            found[short], distances[short] = scan.nearest(rows, queries[short], want, self.metric, allowed=only)
        return found, distances

    def _ask_engine(self, queries: Vectors, k: int, flags: Mask | None) -> Found:
        if self._turn is None:
            return self._search(queries, k, flags)
        with self._turn:
            return self._search(queries, k, flags)

    def _padded(self, queries: Vectors, k: int) -> tuple[Ids, Distances]:
        return np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), np.inf, np.float32)
