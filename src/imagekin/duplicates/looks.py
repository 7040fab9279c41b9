"""The looks of a collection's pictures, decoded when they are first needed; and many pairs of them compared."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin import fingerprint, images
from imagekin.duplicates import look
from imagekin.duplicates.comparison import Comparison, compare
from imagekin.duplicates.look import Look
from imagekin.duplicates.saved import Kept, folder
from imagekin.errors import ImageError
from imagekin.pipeline import Pipeline, batched
from imagekin.store.base import Store
from imagekin.types import Ids, Skipped

KEPT: Final = 4_096
"""Looks that are kept at the most: about 90 kB each, 370 MB together."""

_CHANGED: Final = "it changed since it was indexed; index it again"
_BATCH: Final = 16

Asked = tuple[int, int]
"""Ids of two items to compare."""


class Looks:
    """Looks by item; safe to use from several threads.

    Attributes:
        skipped: pictures that cannot be looked at, by id.
    """

    def __init__(self, store: Store, kept: int = KEPT) -> None:
        self.skipped: dict[int, Skipped] = {}
        self.comparisons = Kept(folder(store))
        self._store, self._kept = store, kept
        self._looks: OrderedDict[int, Look] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, number: int) -> Look | None:
        """The look of an item, or None for one that cannot be read or is no longer what was indexed."""
        with self._lock:
            if number in self.skipped:
                return None
            if (known := self._looks.get(number)) is not None:
                self._looks.move_to_end(number)
                return known
        made = self._made(number)
        with self._lock:
            if isinstance(made, Skipped):
                self.skipped[number] = made
                return None
            self._looks[number] = made
            while len(self._looks) > self._kept:
                self._looks.popitem(last=False)
        return made

    def _made(self, number: int) -> Look | Skipped:
        item = self._store.found([number]).get(number)
        if item is None:
            return Skipped(f"item {number}", "it was removed from the collection a moment ago")
        try:
            data = images.read(item.path)
            if fingerprint.of_bytes(data).hex() != item.hash:
                return Skipped(item.path, _CHANGED)
            return look.of(images.decode(data, target=look.SIDE).image)
        except ImageError as error:
            return Skipped(item.path, str(error))

    def compared(self, pairs: Sequence[Asked]) -> Iterator[tuple[Asked, Comparison | None]]:
        """Compare pairs on every core, in order; None where one of the two cannot be looked at."""

        def work(batch: list[Asked]) -> list[tuple[Asked, Comparison | None]]:
            return [(pair, self._compared(pair)) for pair in batch]

        with Pipeline() as pipeline:
            for done in pipeline.map(work, batched(pairs, _BATCH), ahead=2 * pipeline.workers):
                yield from done

    def _compared(self, pair: Asked) -> Comparison | None:
        items = self._store.found(pair)
        if len(items) < 2:
            return None
        key = b"".join(bytes.fromhex(items[number].hash) for number in pair)
        known = self.comparisons.get(key)
        if known is not None:
            return known
        first, second = self.of(pair[0]), self.of(pair[1])
        if first is None or second is None:
            return None
        made = compare(first, second)
        self.comparisons.put(key, made)
        return made


def arranged(first: Ids, second: Ids) -> NDArray[np.int64]:
    """An order of pairs in which those that share a picture lie close together, so that few are decoded twice.

    Pictures are numbered as a walk from neighbour to neighbour meets them, and pairs are taken by the later number.
    """
    nodes, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    one, two = places.reshape(2, -1)
    ends, other = np.concatenate([one, two]), np.concatenate([two, one])
    order = np.argsort(ends, kind="stable")
    starts = np.searchsorted(ends[order], np.arange(len(nodes) + 1)).tolist()
    other = other[order]
    rank = np.full(len(nodes), -1, np.int64)
    met = 0
    for root in range(len(nodes)):
        if rank[root] >= 0:
            continue
        rank[root], met = met, met + 1
        waiting = deque([root])
        while waiting:
            node = waiting.popleft()
            for near in other[starts[node] : starts[node + 1]].tolist():
                if rank[near] < 0:
                    rank[near], met = met, met + 1
                    waiting.append(near)
    return np.lexsort((np.minimum(rank[one], rank[two]), np.maximum(rank[one], rank[two])))
