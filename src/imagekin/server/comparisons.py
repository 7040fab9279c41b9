"""Comparing for requests: what may be asked, what is answered, and a bounded queue for what takes time."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field

from imagekin import comparing, images
from imagekin.collection import Collection
from imagekin.comparing import View
from imagekin.query import Crop
from imagekin.server import originals
from imagekin.server.metrics import Metrics
from imagekin.server.shapes import Id, Region, Shape
from imagekin.server.workers import Workers

WAITING: Final = 16
"""Comparisons that may be on their way: each takes as long as several searches."""


class ComparePictures(Shape):
    """A comparison of pictures that are sent with each other or with items."""

    id: Id | None = Field(None, description="The item that is compared; without it, the first picture of the form.")
    with_: Id | None = Field(
        None, alias="with", description="The item that it is compared with; without it, the last picture of the form."
    )
    crop: Region | None = Field(
        None, description="x, y, width, height: compare this region of the first one, in pixels as it is shown."
    )


class Compare(ComparePictures):
    """A comparison of two items."""

    id: Id = Field(description="The item that is compared.")
    with_: Id = Field(alias="with", description="The item that it is compared with.")


class HeatShape(BaseModel):
    """What each place of a picture adds to the similarity."""

    rows: int
    columns: int
    box: tuple[float, float, float, float] = Field(
        description="x, y, width, height of what the places cover, evenly, as fractions of the shown picture; beyond "
        "0…1 where the model adds a border."
    )
    values: list[list[float]] = Field(description="Row by row; their sum is the similarity.")


class ComparisonShape(BaseModel):
    """How alike two pictures are, and where."""

    similarity: float = Field(description="The cosine of their vectors, -1…1.")
    distance: float
    query: HeatShape
    hit: HeatShape


class Comparisons:
    """Answers the comparisons of one collection.

    Args:
        collection: whose items and model are used.
        metrics: what is timed goes here.
    """

    def __init__(self, collection: Collection, metrics: Metrics) -> None:
        self._collection = collection
        self._metrics = metrics
        self.workers = Workers("compare", 1, waiting=WAITING)

    async def of(self, query: int | bytes, hit: int | bytes, *, crop: Crop | None = None) -> comparing.Comparison:
        """Compare two pictures, each the bytes of a file that was sent, or an item by its id.

        Raises:
            Problem: 403, 404 or 409, an item's file is not served, not there or not as indexed; 429, too many wait.
            ImageError: what was sent cannot be read.
            UnsupportedError: the model does not end in a mean over places.
        """
        with self.workers.place(), self._metrics.stage("compare"):
            return await self.workers.within(self._compared, query, hit, crop)

    def close(self) -> None:
        """Drop what has not begun."""
        self.workers.close()

    def _compared(self, query: int | bytes, hit: int | bytes, crop: Crop | None) -> comparing.Comparison:
        embedder = self._collection.embedder
        return comparing.compare(
            embedder, self._view(query, crop), self._view(hit, None), metric=self._collection.store.metric
        )

    def _view(self, source: int | bytes, crop: Crop | None) -> View:
        embedder = self._collection.embedder
        if isinstance(source, bytes):
            return comparing.view(source, embedder, crop=crop, limits=images.UPLOAD)
        return comparing.view(originals.content(self._collection.store, source), embedder, crop=crop)
