"""Rows of a collection file as records; what cannot be one is damage, and is said to be."""

from __future__ import annotations

import json
import os
from typing import Any

from imagekin.errors import DamagedError
from imagekin.store.base import Known, as_text
from imagekin.store.database import Row
from imagekin.types import Item


def text(value: str | None) -> str | None:
    """Text as it is stored."""
    return None if value is None else as_text(value)


def parsed(text: str) -> Any:
    """What JSON text says."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise _garbled(text) from error


def mapping(text: str) -> dict[str, Any]:
    """What JSON text says that is to be an object."""
    found = parsed(text)
    if not isinstance(found, dict):
        raise _garbled(text)
    return found


def known(row: Row) -> Known:
    """What is known of a file."""
    number, name, size, mtime, digest, width, height, label, metadata, missing, device = row
    return Known(number, path(name), size, mtime, digest, width, height, label, metadata, bool(missing), device)


def item(row: Row) -> Item:
    """An item of the catalogue."""
    number, name, width, height, label, size, mtime, digest, missing, metadata, tags = row
    extra = parsed(metadata) if metadata else {}
    if not isinstance(mtime, int) or not isinstance(digest, bytes):
        raise _garbled(mtime if isinstance(digest, bytes) else digest)
    names = tuple(sorted(tags.split("\n"))) if tags else ()
    place = path(name)
    return Item(number, place, width, height, label, size, mtime / 1e9, digest.hex(), bool(missing), extra, names)


def path(value: Any) -> str:
    """A path from its bytes."""
    if not isinstance(value, bytes):
        raise _garbled(value)
    return os.fsdecode(value)


def _garbled(value: Any) -> DamagedError:
    return DamagedError(f"the collection holds {value!r} where it should not; restore a backup.")
