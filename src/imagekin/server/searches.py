"""Searching for requests: pictures decoded by few threads, embedded together, compared beside the event loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from imagekin import fetch, images, searching
from imagekin import query as queries
from imagekin.collection import Collection
from imagekin.embed.base import Embedder
from imagekin.query import Crop
from imagekin.searching import Wish
from imagekin.server import originals
from imagekin.server.batches import Batches
from imagekin.server.metrics import Metrics
from imagekin.server.workers import Workers
from imagekin.types import Hit, Pixels, Vectors

FETCHERS = 8


@dataclass(slots=True)
class Found:
    """The answers of a search.

    Attributes:
        hits: a list for each query.
        seconds: what the time was spent on, by stage.
    """

    hits: list[list[Hit]]
    seconds: dict[str, float] = field(default_factory=dict)


class Searches:
    """Answers the searches of one collection.

    Args:
        collection: what is searched.
        metrics: what is timed goes here.
    """

    def __init__(self, collection: Collection, metrics: Metrics) -> None:
        self._collection = collection
        self._metrics = metrics
        self._embedder: Embedder | None = None
        self.decoding = Workers("decode")
        self.comparing = Workers("search")
        self.fetching = Workers("fetch", FETCHERS, waiting=2 * FETCHERS)
        self._batches = Batches(self._embed, on_batch=metrics.batches.observe)

    def warm(self) -> None:
        """Load the model and open the index, so that the first search need not."""
        if len(self._collection):
            embedder = self._model()
            blank = np.zeros((1, *embedder.input_size, 3), embedder.recipe.dtype)
            self._collection.store.search(embedder.embed_prepared(blank), 1)

    async def pictures(
        self,
        sources: Sequence[bytes | int],
        wanted: Wish,
        *,
        crop: Crop | None = None,
        own: Sequence[int] | None = None,
    ) -> Found:
        """Search by the bytes of image files, or by the files of items.

        Args:
            sources: what was sent, or ids.
            wanted: the wish.
            crop: search by this region of each.
            own: for each the item that is left out of its answer, or None.

        Raises:
            ImageError: one of them cannot be read.
            Problem: 429, too many are being decoded; 403, 404 or 409, an item's file is not as it was indexed.
        """
        seconds: dict[str, float] = {}
        with self.decoding.place(len(sources)):
            with self._metrics.stage("decode", seconds):
                jobs = [self.decoding.within(self._prepared, source, crop) for source in sources]
                prepared = np.stack(await asyncio.gather(*jobs))
            with self._metrics.stage("embed", seconds):
                vectors = await self._batches.embed(prepared)
        with self._metrics.stage("search", seconds):
            hits = await self.comparing.run(searching.nearest, self._collection.store, vectors, wanted, own)
        return Found(hits, seconds)

    async def urls(self, urls: Sequence[str], wanted: Wish, *, crop: Crop | None = None) -> Found:
        """Search by pictures that are fetched; whether they may be is the caller's decision.

        Raises:
            FetchError: one is refused, or does not answer with an image.
        """
        seconds: dict[str, float] = {}
        with self._metrics.stage("fetch", seconds), self.fetching.place(len(urls)):
            sources = await asyncio.gather(*[self.fetching.within(fetch.get, url) for url in urls])
        found = await self.pictures(sources, wanted, crop=crop)
        return Found(found.hits, seconds | found.seconds)

    async def items(self, ids: Sequence[int], wanted: Wish, *, exclude_self: bool = True) -> Found:
        """Search by items; without any, by those that the wish names alone."""
        seconds: dict[str, float] = {}
        with self._metrics.stage("search", seconds):
            answer = functools.partial(searching.by_items, exclude_self=exclude_self, alone=not ids)
            hits = await self.comparing.run(answer, self._collection.store, list(ids), wanted)
        return Found(hits, seconds)

    def close(self) -> None:
        """Drop what has not begun."""
        for each in (self.decoding, self.comparing, self.fetching, self._batches):
            each.close()

    def _prepared(self, source: bytes | int, crop: Crop | None) -> Pixels:
        """A picture as the network takes it, in a thread."""
        embedder = self._model()
        if isinstance(source, bytes):
            data, limits = source, images.UPLOAD
        else:
            data, limits = originals.content(self._collection.store, source), images.LOCAL
        photo = queries.photo(data, embedder=embedder, crop=crop, limits=limits)
        return embedder.prepare(photo.image if crop is None else queries.cut(photo, crop))

    def _model(self) -> Embedder:
        if self._embedder is None:
            self._embedder = self._collection.embedder
        return self._embedder

    def _embed(self, pictures: Pixels) -> Vectors:
        return self._model().embed_prepared(pictures)
