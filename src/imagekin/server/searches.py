"""Searching for requests: pictures decoded by few threads, embedded together, compared beside the event loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from imagekin import directions, fetch, images, mixture, searching
from imagekin import query as queries
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.embed.base import Embedder
from imagekin.errors import ImagekinError
from imagekin.mixture import Known, Mixture, Sought
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


@dataclass(frozen=True, slots=True)
class Mix:
    """What makes other queries of pictures.

    Attributes:
        words: what stands beside each of them, or is the query.
        weights: one for each picture, where all of them make one query.
    """

    words: Mixture | None = None
    weights: tuple[float, ...] | None = None

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return self.words is not None or self.weights is not None

    def of(self, vectors: Vectors) -> list[Sought]:
        """The queries of pictures with these vectors ``(n, dim)``, none of which may be there."""
        shown: list[Sought] = [Known(row) for row in vectors]
        if self.weights is not None:
            shown = [Mixture(*(Known(row) * weight for row, weight in zip(vectors, self.weights, strict=True)))]
        return mixture.with_text(shown, self.words) if shown or self.words is None else [self.words]


NO_MIX: Final = Mix()


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
        self._takes_text: bool | None = None
        self.decoding = Workers("decode")
        self.wording = Workers("words")
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
        mix: Mix = NO_MIX,
    ) -> Found:
        """Search by the bytes of image files, or by the files of items.

        Args:
            sources: what was sent, or ids.
            wanted: the wish.
            crop: search by this region of each.
            own: for each the item that is left out of its answer, or None.
            mix: words beside them, or weights that make one query of them.

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
                vectors = await self._mixed(await self._batches.embed(prepared), mix)
        with self._metrics.stage("search", seconds):
            hits = await self.comparing.run(searching.nearest, self._collection.store, vectors, wanted, own)
        return Found(hits, seconds)

    async def words(self, wanted: Wish, mix: Mix) -> Found:
        """Search by words alone.

        Raises:
            UnsupportedError: the model embeds pictures only.
        """
        seconds: dict[str, float] = {}
        with self._metrics.stage("embed", seconds):
            vectors = await self._mixed(np.empty((0, 0), np.float32), mix)
        with self._metrics.stage("search", seconds):
            hits = await self.comparing.run(searching.nearest, self._collection.store, vectors, wanted)
        return Found(hits, seconds)

    async def urls(self, urls: Sequence[str], wanted: Wish, *, crop: Crop | None = None, mix: Mix = NO_MIX) -> Found:
        """Search by pictures that are fetched; whether they may be is the caller's decision.

        Raises:
            FetchError: one is refused, or does not answer with an image.
        """
        seconds: dict[str, float] = {}
        with self._metrics.stage("fetch", seconds), self.fetching.place(len(urls)):
            sources = await asyncio.gather(*[self.fetching.within(fetch.get, url) for url in urls])
        found = await self.pictures(sources, wanted, crop=crop, mix=mix)
        return Found(found.hits, seconds | found.seconds)

    async def items(self, ids: Sequence[int], wanted: Wish, *, exclude_self: bool = True, mix: Mix = NO_MIX) -> Found:
        """Search by items; without any, by those that the wish names alone."""
        seconds: dict[str, float] = {}
        store = self._collection.store
        if mix:
            with self._metrics.stage("embed", seconds):
                items = normalized(await self.comparing.run(searching.of_items, store, list(ids)))
                vectors = await self._mixed(items, mix)
            own = list(ids) if exclude_self else None
            with self._metrics.stage("search", seconds):
                return Found(await self.comparing.run(searching.nearest, store, vectors, wanted, own), seconds)
        with self._metrics.stage("search", seconds):
            answer = functools.partial(searching.by_items, exclude_self=exclude_self, alone=not ids)
            hits = await self.comparing.run(answer, store, list(ids), wanted)
        return Found(hits, seconds)

    def takes_text(self) -> bool:
        """Whether words can be searched by: not before the first pictures are there, or without the model."""
        if self._takes_text is None and len(self._collection):
            try:
                self._takes_text = self._model().takes_text
            except ImagekinError:  # whoever searches will hear of it
                self._takes_text = False
        return bool(self._takes_text)

    def close(self) -> None:
        """Drop what has not begun."""
        for each in (self.decoding, self.wording, self.comparing, self.fetching, self._batches):
            each.close()

    async def _mixed(self, vectors: Vectors, mix: Mix) -> Vectors:
        """The vectors of the queries that pictures with these vectors are to make."""
        return await self.wording.run(self._joined, mix.of(vectors)) if mix else vectors

    def _joined(self, wanted: Sequence[Sought]) -> Vectors:
        embedder = self._model()
        return directions.embedded(wanted, embedder, functools.partial(queries.picture, embedder=embedder))

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
