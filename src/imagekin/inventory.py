"""What a collection holds as one number, which tells whether something that was kept is still about it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, TypeAlias

from imagekin.store.base import Store

Inventory: TypeAlias = int
"""The sum of its pictures, modulo 2¹²⁸: what is taken out is subtracted, in whatever order."""

_WHOLE: Final = 1 << 128


def of(store: Store) -> Inventory:
    """The inventory of the present items; reads a row of each."""
    return sum(one(known.id, known.hash) for known in store.known(None) if not known.missing) % _WHOLE


def one(number: int, digest: bytes) -> Inventory:
    """That of a single item: its id and its content."""
    found = hashlib.blake2b(digest, digest_size=16, key=number.to_bytes(8, "little", signed=True)).digest()
    return int.from_bytes(found, "little")


def without(whole: Inventory, gone: Iterable[tuple[int, bytes]]) -> Inventory:
    """What is left once some items, ids and contents, are taken out."""
    return (whole - sum(one(number, digest) for number, digest in gone)) % _WHOLE
