"""Stores hold a collection's items and vectors.  The table maps a URL's scheme to the store that speaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from imagekin.registry import Entry, Registry
from imagekin.store.base import Store

__all__ = ["STORES", "Store", "open_store"]

STORES: Final = Registry(
    "store",
    "imagekin.stores",
    {"file": Entry("imagekin.store.sqlite:SqliteStore", "", "a folder with one SQLite file; embedded, the default")},
)


def open_store(folder: Path, *, create: bool = True) -> Store:
    """Open the store in a folder, or make it.

    Raises:
        StoreError: absent, damaged, of a newer format, or not allowed.
    """
    store: Store = STORES.load("file")(folder, create=create)
    return store
