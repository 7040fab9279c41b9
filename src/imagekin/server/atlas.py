"""The map of a collection as the page draws it: made by a job, told as one piece of JSON that is kept ready."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from imagekin import inventory, maps
from imagekin.collection import Collection
from imagekin.maps import Latest, colours, naming
from imagekin.maps.records import Places
from imagekin.server.answers import dumped
from imagekin.server.jobs import Step
from imagekin.server.problems import Problem
from imagekin.store.base import Store
from imagekin.types import Item

NONE: Final = "NoMap"

PLACES: Final = 4
"""Decimals of a coordinate: 20,000 steps from one side of the map to the other."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A map, ready to be sent.

    Attributes:
        data: JSON.
        packed: the same, gzip.
        tag: strong, of the content.
        shown: a hash of what it shows of the items.
        of: when the map was made, and the revision of the collection that it was last found to fit.
    """

    data: bytes
    packed: bytes
    tag: str
    shown: bytes = b""
    of: tuple[float, int] = (0.0, -1)


class Atlas:
    """The map of one collection; thread-safe.

    Args:
        photos: the collection.
    """

    def __init__(self, photos: Collection) -> None:
        self._photos = photos
        self._lock = threading.Lock()
        self._memory: Latest | None = None
        self._sheet: Sheet | None = None

    @staticmethod
    def chosen(method: str | None) -> str:
        """A method by its name; None stands for the best one that is installed.

        Raises:
            Problem: 422, there is no such method.
            MissingPackageError: its package is not installed.
        """
        if method is None:
            return "tsne" if maps.METHODS["tsne"].installed() else "pca"
        if method not in maps.METHODS:
            raise Problem(422, f"no method is called {method[:40]!r}; known: {', '.join(maps.METHODS)}.")
        maps.METHODS.load(method)
        return method

    def make(self, method: str, step: Step) -> Mapping[str, Any]:
        """Lay the whole collection out; what a job reports of it."""
        begun, held = time.time(), inventory.of(self._photos.store)
        made = maps.map(self._photos, method, progress=step)
        pointer = maps.pointer(self._photos)
        with self._lock:
            if pointer is None or pointer.made < begun:  # the collection's folder is none, or cannot be written
                self._memory = Latest(made, begun, held)
        return {
            "method": made.method,
            "title": made.title,
            "images": len(made),
            "told": made.told(),
            "seconds": made.seconds,
            "notes": list(made.notes),
        }

    def sheet(self) -> Sheet:
        """The last map as it is now: without what is gone, with today's labels.

        Raises:
            Problem: 404, none was made.
        """
        revision, pointer = self._photos.store.revision, maps.pointer(self._photos)
        with self._lock:
            memory = self._memory
            kept = pointer is not None and (memory is None or pointer.made > memory.made)
            made = pointer.made if kept and pointer is not None else memory.made if memory is not None else None
            if made is not None and self._sheet is not None and self._sheet.of == (made, revision):
                return self._sheet
            latest = maps.latest(self._photos) if kept else memory
            if latest is None:
                raise Problem(404, "no map was made yet; POST to this address has one made.", code=NONE)
            shown = _shown(self._photos.store)
            if self._sheet is None or (self._sheet.of[0], self._sheet.shown) != (latest.made, shown):
                self._sheet = _sheet(latest, self._photos, shown)
            self._sheet = replace(self._sheet, of=(latest.made, revision))
            return self._sheet


def _shown(store: Store) -> bytes:
    """A hash of what a map shows of the items, which costs a tenth of telling it: tags, for one, are no part of it."""
    digest = hashlib.blake2b(digest_size=16)
    for known in store.known(None):
        told = known.id, known.hash, known.path, known.label, known.metadata, known.missing
        digest.update(repr(told).encode("utf-8", "surrogateescape"))
    return digest.digest()


def _sheet(latest: Latest, photos: Collection, shown: bytes) -> Sheet:
    data = dumped(_plain(latest, photos))
    tag = f'"{hashlib.blake2b(data, digest_size=16).hexdigest()}"'
    return Sheet(data, gzip.compress(data, 6, mtime=0), tag, shown)


def _plain(latest: Latest, photos: Collection) -> dict[str, Any]:
    made = latest.map
    found = photos.store.found(made.ids.tolist())
    items = [found.get(number) for number in made.ids.tolist()]
    there = [item for item in items if item is not None and not item.missing]
    rows = np.array([item is not None and not item.missing for item in items], np.bool_)
    x, y = np.round(made.xy[rows].astype(np.float64).T, PLACES).tolist()
    return {
        "method": made.method,
        "title": made.title,
        "told": made.told(),
        "made": latest.made,
        "stale": latest.inventory != inventory.of(photos.store),
        "images": len(there),
        "ids": made.ids[rows].tolist(),
        "x": x,
        "y": y,
        "fields": _fields(there, made.xy[rows]),
        "about": {name: value for name, value in made.to_dict().items() if name != "images"},
    }


def _fields(items: Sequence[Item], xy: Places) -> dict[str, Any]:
    """What the map can be coloured by: classes, the label first, though none may have one."""
    known = {field.name: field for field in maps.fields.of_items(items) if field.kind == "class"}
    told: dict[str, Any] = {"label": {"names": [], "of": [-1] * len(items), "colours": [], "peaks": []}}
    for name, field in known.items():
        peaks = naming.peaks(xy, field.codes, len(field.names))
        told[name] = {
            "names": list(field.names),
            "of": field.codes.tolist(),
            "colours": [colours.colour(look) for look in colours.assigned(peaks, field.sizes).tolist()],
            "peaks": np.round(peaks.astype(np.float64).ravel(), PLACES).tolist(),
        }
    return told
