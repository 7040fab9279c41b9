"""A small collection to export, and everything that a copy of it must have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.store.base import Batch, Put, dump_metadata
from imagekin.types import FileInfo
from tests.pictures import folder

NAMES = [f"{label}/{number}.png" for label in ("cat", "dog", "emu") for number in range(4)]
ODD = (
    "/p/new\nline\ttab\x01\x1b[31m.jpg",
    "/p/not-utf8-\udcff\udc80.jpg",
    "/p/\u202egpj.exe",
    '/p/=1+1,"quoted".jpg',
    "/p/ space at both ends .jpg ",
)
"""Paths of pictures that are not here."""


@pytest.fixture
def exported(tmp_path: Path) -> Iterator[Collection]:
    """Twelve pictures in ``tmp_path / "pictures"``, five that are not here, and metadata of every kind."""
    root = folder(tmp_path / "pictures", NAMES)
    random = np.random.default_rng(7)
    with imagekin.open(tmp_path / "collection", model="pixels") as photos:
        photos.index(root)
        dim = photos.embedder.dim
        vectors = random.standard_normal((len(ODD), dim))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        puts = [
            Put(FileInfo(path, 10 + row, 1_700_000_000_123_456_789 + row, 5), bytes([row] * 16), 7, 9, vector, None,
                dump_metadata({"price": row + 0.5, "width": "wide", "note": "ü, \"x\"\n"}) if row else None)
            for row, (path, vector) in enumerate(zip(ODD, vectors.astype(np.float32), strict=True))
        ]  # fmt: skip
        photos.store.write(Batch(puts=puts))
        photos.remove(5)  # so that ids have a gap
        photos.tag([item.id for item in photos.items(under=[ODD[1], ODD[3]])], "é", 'a, "b"')
        photos.tag(1, "cat")
        yield photos


def told(photos: Collection) -> dict[str, tuple[Any, ...]]:
    """All that is kept of each path but its id and the number of its file system, its vector to the last bit."""
    known = list(photos.store.known(None))
    tags = photos.store.tags_of([item.id for item in known])
    _, vectors = photos.store.vectors([item.id for item in known])
    return {
        item.path: (
            item.label, item.metadata, item.size, item.mtime_ns, item.width, item.height, item.hash,
            tags.get(item.id, ()), vector.tobytes()
        )
        for item, vector in zip(known, vectors.astype(np.float16), strict=True)
    }  # fmt: skip


def names(place: Path) -> list[str]:
    """What lies in a folder, hidden files included."""
    return sorted(os.listdir(place))
