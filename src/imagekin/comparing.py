"""Where two pictures agree: what each place of them adds to their similarity.

A vector is the mean of the network's last features over the places of the picture, so a similarity, the product of two
vectors of length 1, is a sum over the places of either picture.  Nothing is estimated: the numbers add up to the
similarity (Stylianou, Souvenir and Pless, "Visualizing Deep Similarity Networks", WACV 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin import distance, images
from imagekin import query as queries
from imagekin.embed.base import Embedder
from imagekin.images import Limits
from imagekin.query import Crop, Query
from imagekin.store.base import Store

if TYPE_CHECKING:
    from PIL import Image

Box: TypeAlias = tuple[float, float, float, float]
"""x, y, width, height as fractions of a picture's sides, from the top left."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class View:
    """A picture, or a region of it, as a network is shown it.

    Attributes:
        image: mode RGB, cut to the region.
        region: what it is of the whole picture.
    """

    image: Image.Image
    region: Box = WHOLE


@dataclass(frozen=True, slots=True)
class Heat:
    """What each place of a picture adds to its similarity with another.

    Attributes:
        values: ``(rows, columns)`` float32; their sum is the similarity, and they may be below 0.
        box: what the places cover together, evenly; beyond 0…1 where the model adds a border to pictures.
    """

    values: NDArray[np.float32]
    box: Box

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        rows, columns = self.values.shape
        return {"rows": rows, "columns": columns, "box": list(self.box), "values": self.values.tolist()}


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two pictures are, and where.

    Attributes:
        similarity: the cosine of their vectors, −1…1, whatever the collection's metric; as the model sees the pictures
            now, where a search compares stored vectors, which are rounded to float16.
        distance: in the collection's metric; smaller is closer.
        query: of the first picture.
        hit: of the second one.
    """

    similarity: float
    distance: float
    query: Heat
    hit: Heat

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        said = {"similarity": self.similarity, "distance": self.distance}
        return {**said, "query": self.query.to_dict(), "hit": self.hit.to_dict()}


def view(
    query: Query,
    embedder: Embedder,
    *,
    crop: Crop | None = None,
    allow_urls: bool = False,
    limits: Limits = images.LOCAL,
) -> View:
    """A query as it is compared; arguments and errors as for ``query.photo``."""
    photo = queries.photo(query, embedder=embedder, crop=crop, allow_urls=allow_urls, limits=limits)
    if crop is None:
        return View(photo.image)
    left, top, right, bottom = box = queries.region(photo, crop)
    width, height = photo.image.size
    return View(photo.image.crop(box), (left / width, top / height, (right - left) / width, (bottom - top) / height))


def source(store: Store, wanted: Query | int) -> Query:
    """A picture to compare: an item's file by its id, with the content that was indexed, or a query as it is.

    Raises:
        InputError: there is no such item.
        ImageError: its file cannot be read, or has changed since.
    """
    if is_item(wanted):
        return queries.original(store.get([int(wanted)])[0])  # type: ignore[arg-type]
    return wanted  # type: ignore[return-value]


def is_item(wanted: Query | int) -> bool:
    """Whether what is to be compared is an item's id."""
    return isinstance(wanted, (int, np.integer)) and not isinstance(wanted, bool)


def compare(embedder: Embedder, query: View, hit: View, *, metric: str = "cosine") -> Comparison:
    """What each place of two pictures adds to their similarity.

    Args:
        embedder: the model.
        query: one picture.
        hit: the other.
        metric: of the distance that is told.

    Raises:
        UnsupportedError: the model does not end in a mean over places.
    """
    parts = [embedder.parts([each.image])[0].astype(np.float64) for each in (query, hit)]
    vectors = [part.sum(axis=(0, 1)) for part in parts]
    heats = [
        Heat((part @ other).astype(np.float32), _box(embedder, each))
        for part, other, each in zip(parts, vectors[::-1], (query, hit), strict=True)
    ]
    one, other = (vector.astype(np.float32)[None] for vector in vectors)
    gap = float(distance.pairwise(one, other, metric)[0, 0])
    return Comparison(float(np.clip(vectors[0] @ vectors[1], -1, 1)), gap, *heats)


def _box(embedder: Embedder, shown: View) -> Box:
    """What the network saw, as fractions of the whole picture."""
    x, y, width, height = embedder.recipe.seen(*shown.image.size)
    left, top, across, down = shown.region
    return left + x * across, top + y * down, width * across, height * down
