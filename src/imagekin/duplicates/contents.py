"""The different contents of a collection: files of equal bytes count once from here on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagekin.store.base import Store
from imagekin.store.filters import Filter
from imagekin.types import Ids


@dataclass(frozen=True)
class Contents:
    """One item of each content.

    Attributes:
        ids: ``(n,)`` the first item of each content, ascending.
        copies: of those contents that several items have, every item, by the first one's id.
        images: items in all.
    """

    ids: Ids
    copies: dict[int, tuple[int, ...]] = field(default_factory=dict)
    images: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, first: int) -> tuple[int, ...]:
        """Every item that has the content of *first*."""
        return self.copies.get(first, (first,))


def read(store: Store, condition: Filter | None) -> Contents:
    """The contents of the present items that fit; 24 bytes an item while it reads."""
    ids, hashes = _read(store, condition)
    if not len(ids):
        return Contents(ids)
    order = np.lexsort((ids, hashes[:, 1], hashes[:, 0]))
    fresh = np.ones(len(ids), np.bool_)
    fresh[1:] = (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1)
    starts = np.flatnonzero(fresh)
    sizes = np.diff(np.append(starts, len(ids)))
    copies = {}
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        same = tuple(ids[order[start : start + size]].tolist())
        copies[same[0]] = same
    return Contents(np.sort(ids[order[starts]]), copies, len(ids))


def _read(store: Store, condition: Filter | None) -> tuple[Ids, NDArray[np.uint64]]:
    ids: list[int] = []
    hashes = bytearray()
    pages: list[Ids] = []
    for known in store.known(condition):
        if known.missing:
            continue
        ids.append(known.id)
        hashes += known.hash
        if len(ids) == 65_536:
            pages.append(np.array(ids, np.int64))
            ids = []
    pages.append(np.array(ids, np.int64))
    return np.concatenate(pages), np.frombuffer(bytes(hashes), np.uint64).reshape(-1, 2)
