"""Geometric verification of hits: those that show the very thing of the query come first."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from PIL import Image

from imagekin import images
from imagekin import query as queries
from imagekin.errors import ImagekinError, InputError
from imagekin.pipeline import Pipeline
from imagekin.query import Crop, Query
from imagekin.rerank import geometry
from imagekin.rerank.geometry import Features
from imagekin.types import Hit, Item

MOST: Final = 200
"""Hits that a search may look at."""

SECONDS: Final = 20.0
"""Time after which hits are no longer looked at, and keep their place behind those that were."""


def check(count: object) -> int:
    """A number of hits to verify.

    Raises:
        InputError: not a whole number from 1 to 200.
        MissingPackageError: OpenCV is not installed.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise InputError(f"verify is {count!r}; give the number of hits to look at, 1 to {MOST}.")
    geometry.need()
    return count


def shown(query: Query | Item, *, crop: Crop | None = None) -> Image.Image:
    """The picture that hits are compared with: a query's, or an item's, or the region *crop* of it.

    Raises:
        ImageError: it cannot be read.
        InputError: it is words, or made of several parts; or the crop lies outside the picture.
    """
    given: Any = queries.original(query) if isinstance(query, Item) else query
    if not isinstance(given, str | bytes | os.PathLike | Image.Image | np.ndarray):
        raise InputError(
            "verify compares pictures point by point; search by one picture or item, without words and weights."
        )
    photo = images.load(given, target=None if crop is not None else 2 * geometry.SIDE)
    return photo.image if crop is None else queries.cut(photo, crop)


def verified(picture: Image.Image, hits: Sequence[Hit], count: int, *, seconds: float = SECONDS) -> list[Hit]:
    """The hits, those that show the same thing first, most inliers before fewer; the others in the order they had.

    The first *count* get their number of ``inliers``; it stays None where a file cannot be read any more, or the time
    was up.  Pictures are read and compared on every core, at a bounded size.

    Args:
        picture: what was searched by.
        hits: nearest first.
        count: how many of them to look at.
        seconds: when to stop.
    """
    deadline = time.monotonic() + seconds
    query = geometry.both(picture)

    def look(hit: Hit) -> Hit:
        return hit if time.monotonic() > deadline else replace(hit, inliers=matches(query, hit.path))

    with Pipeline() as pipeline:
        looked = list(pipeline.map(look, hits[:count], ahead=pipeline.workers))
    return sorted([*looked, *hits[count:]], key=_place)


def matches(query: Sequence[Features], path: str) -> int | None:
    """Inliers of a picture on disk; None where it cannot be read."""
    try:
        shown = images.load(path, target=2 * geometry.SIDE).image
    except (ImagekinError, MemoryError):
        return None
    return geometry.shared(query, geometry.features(shown))


def is_same(inliers: int | None) -> bool:
    """Whether so many points that match mean the same thing."""
    return inliers is not None and inliers >= geometry.ENOUGH


def _place(hit: Hit) -> int:
    """Sorting is stable: whatever is not the same thing keeps its order."""
    return -(hit.inliers or 0) if is_same(hit.inliers) else 0
