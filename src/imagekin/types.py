"""The nouns that travel between layers: plain, immutable records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.int64]
"""Item ids, shape ``(n,)`` or ``(q, k)``; −1 stands for "no item"."""

Vectors: TypeAlias = NDArray[np.float32]
"""Embeddings, shape ``(n, dim)``, C-contiguous float32."""

Distances: TypeAlias = NDArray[np.float32]
"""Distances, ascending along the last axis; ``inf`` where the id is −1."""

Pixels: TypeAlias = NDArray[np.uint8]
"""An RGB image, shape ``(height, width, 3)``, uint8."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file as the scan saw it.

    Attributes:
        path: absolute path; undecodable bytes are kept as surrogate escapes (PEP 383).
        size: bytes.
        mtime_ns: time of last change in nanoseconds.
        device: the file system it lies on (``st_dev``).
    """

    path: str
    size: int
    mtime_ns: int
    device: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that could not be indexed, and why, in words for a person."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """A row of the catalogue.

    Attributes:
        id: the item's number; never used again after the item is removed.
        path: absolute path.
        width: pixels, as shown (after EXIF orientation).
        height: pixels, as shown (after EXIF orientation).
        label: class name, or None.
        size: bytes of the file.
        mtime: time of last change, seconds since 1970.
        hash: BLAKE2b-128 of the file's bytes, hexadecimal.
        missing: True while the drive or folder it lies on is absent.
        metadata: further columns given by the user.
        tags: words that people gave it, sorted.
    """

    id: int
    path: str
    width: int
    height: int
    label: str | None = None
    size: int = 0
    mtime: float = 0.0
    hash: str = ""
    missing: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit(Item):
    """An item found by a search, nearest first.

    Attributes:
        distance: in the collection's metric; smaller is closer.
        similarity: for people: cosine similarity clipped to 0…1 (1 − distance), or 1/(1 + distance) elsewhere.
        inliers: points that it shares with the query as one thing seen twice does; None where nobody looked.
    """

    distance: float = float("inf")
    similarity: float = 0.0
    inliers: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person said of a picture that was found.

    Attributes:
        asked: what was searched by: an item's id, or a name for anything else.
        item: the picture that was found.
        fits: whether it is right.
        made: when it was said, seconds since 1970.
    """

    asked: int | str
    item: int
    fits: bool
    made: float


@dataclass(slots=True)
class Report:
    """What an indexing run did.

    Attributes:
        added: new images that were embedded.
        updated: images whose file changed and that were embedded again.
        reused: new, renamed or changed files whose content was known, so that their vector was reused.
        unchanged: files that were as the collection knew them.
        relabelled: items whose label or metadata changed while the file did not.
        completed: known images that got their vector of a further model of the collection, one for each model.
        removed: items whose file was deleted.
        missing: items whose drive or folder is absent; they return at no cost when it does.
        returned: items that had been missing and are back.
        skipped: every file or folder that could not be indexed, with its reason.
        ignored: files with a suffix that is not an image's, counted by suffix.
        seconds: duration of the run.
        interrupted: True when the run was stopped early; what was done so far is kept.
    """

    added: int = 0
    updated: int = 0
    reused: int = 0
    unchanged: int = 0
    relabelled: int = 0
    completed: int = 0
    removed: int = 0
    missing: int = 0
    returned: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False
