"""Collections: what users hold. An embedder, and a store that it fills and searches."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from imagekin import directions, fusing, location, mixture, searching
from imagekin import query as queries
from imagekin.contents import Contents
from imagekin.distance import normalized
from imagekin.errors import InputError, StoreError
from imagekin.judging import Judging
from imagekin.mixture import Mixture, Sought, Text
from imagekin.model import TiedModel
from imagekin.query import Crop, Query
from imagekin.reduce.base import Reducer
from imagekin.rerank import verifying
from imagekin.store.base import Store
from imagekin.store.filters import Folders
from imagekin.store.tags import Tags
from imagekin.tagging import Tagging
from imagekin.types import Hit, Report, Vectors
from imagekin.zeroshot import Naming

if TYPE_CHECKING:
    from imagekin.comparing import Comparison

Folder = str | os.PathLike[str]


class Collection(Contents, Naming, Tagging, Judging):
    """Pictures that can be searched by picture; made by ``imagekin.open``.

    Safe to use from several threads, and by several processes at once: a search sees every image that any of them has
    committed.

    Args:
        store: where items and vectors are.
        model: see ``open``.
        precision: see ``open``.
        device: see ``open``.
        trust: see ``open``.
        allow_urls: see ``open``.
    """

    def __init__(
        self,
        store: Store,
        *,
        model: str | None = None,
        precision: str | None = None,
        device: str | None = None,
        trust: bool = False,
        allow_urls: bool = False,
    ) -> None:
        tied = TiedModel(store, model, precision, device=device, trust=trust)
        super().__init__(tied.store, tied)
        self.allow_urls = allow_urls

    # -- filling -----------------------------------------------------------------------------------------------

    def index(
        self,
        *folders: Folder,
        label_from: str | None = None,
        force: bool = False,
        reduce: str | Reducer | None = None,
        progress: Callable[[Any], None] | None = None,
        workers: int | None = None,
    ) -> Report:
        """Bring the collection up to date with folders: new, changed, moved and deleted images, for all its models.

        Args:
            folders: folders or single images; none stands for every folder indexed before.
            label_from: ``parent`` (the folder's name), ``none``, or a CSV file ``path,label,…``; by default what was
                used for the folder before, or else ``parent``.
            force: embed again what is unchanged.
            reduce: at the end let this reducer learn, as ``Collection.reduce`` does; ``none`` takes the present one
                away, None leaves it.
            progress: called with a ``progress.Progress`` now and then.
            workers: threads; by default one a core.

        Returns:
            What was done; ``report.skipped`` lists every file that could not be indexed, with its reason.  After Ctrl-C
            ``report.interrupted`` is True and what was done so far is kept.

        Raises:
            InputError: a folder does not exist and never did; or the reducer cannot learn from what was indexed.
            StoreError: the collection cannot be written.
            ModelError: the model's file is gone or has changed; what is the matter with other models is only listed.
        """
        from imagekin import indexing

        return indexing.index(
            self._model,
            [location.absolute(folder) for folder in folders],
            label_from=label_from,
            force=force,
            reduce=reduce,
            progress=progress,
            workers=workers,
        )

    def watch(
        self,
        *folders: Folder,
        on_report: Callable[[Report], None],
        stop: threading.Event | None = None,
        **options: Any,
    ) -> None:
        """Follow folders: index them now, then within about a second whatever changes, until *stop* is set or Ctrl-C.

        Args:
            folders: as for ``index``.
            on_report: called after each round, the first of which is an ``index`` of everything.
            stop: an event that ends it, for use from another thread.
            options: ``label_from``, ``force``, ``reduce`` and ``progress`` of ``index``.

        Raises:
            MissingPackageError: ``imagekin[watch]`` is not installed.
        """
        from imagekin import indexing

        indexing.follow(
            self._model,
            [location.absolute(folder) for folder in folders],
            on_report=on_report,
            stop=stop or threading.Event(),
            **options,
        )

    def forget_root(self, folder: Folder) -> int:
        """Forget an indexed folder, and its items but those that another indexed folder holds.  Returns how many.

        Raises:
            InputError: the folder was not indexed.
        """
        from imagekin import roots

        return roots.forget(self.store, location.absolute(folder))

    def remove(
        self,
        ids: Sequence[int] | int | None = None,
        *,
        under: Folders = None,
        label: str | None = None,
        where: str | None = None,
        tag: Tags = None,
    ) -> int:
        """Forget items, by id or by filter; the pictures themselves are never touched.  Returns how many.

        Raises:
            InputError: neither ids nor a filter is given (to forget everything: ``where="id > 0"``).
        """
        condition = queries.chosen(self.store, ids, under=under, label=label, where=where, tag=tag)
        if condition is None:
            raise InputError("remove needs ids or a filter; to forget everything give where='id > 0'.")
        return self.store.remove(condition)

    # -- searching ---------------------------------------------------------------------------------------------

    @overload
    def search(self, query: list[Sought], k: int = ..., **options: Any) -> list[list[Hit]]: ...

    @overload
    def search(self, query: Sought | None = ..., k: int = ..., **options: Any) -> list[Hit]: ...

    def search(
        self,
        query: Sought | list[Sought] | None = None,
        k: int = 10,
        *,
        text: str | Text | Mixture | None = None,
        id: int | Sequence[int] | None = None,
        crop: Crop | None = None,
        exclude_self: bool = True,
        **conditions: Any,
    ) -> list[Hit] | list[list[Hit]]:
        """The images nearest to a query, nearest first.

        Args:
            query: a path, bytes, Pillow image, array ``(h, w, 3)``, or URL (if allowed), a ``Text``, or several of them
                added to and subtracted from each other; a list gives a list of lists.
            text: words to search by, alone or beside the query or the items, where the model ``takes_text``.
            k: hits wanted; fewer come back only when fewer images fit.
            id: search by an item of the collection (or several) instead of by *query*.
            crop: ``(x, y, width, height)``: search by this region of the query, or of each item, in its pixels.
            exclude_self: leave the item itself out of a search by id.
            conditions: filters that act inside the search: ``under`` (a folder or several), ``label``, ``where``
                (``"width >= 1000 and label != 'dog'"``), ``tag`` (or several, all of them); ids of
                items that hits are to be like as well, ``plus`` (alone, they are the query), or unlike, ``minus``;
                ``min_similarity``, the least of a hit; second looks: ``expand`` (``aqe``, ``alpha-qe`` or ``dba``),
                ``rerank`` (``k-reciprocal``), and ``verify``, how many hits to compare with the query point by point;
                ``fuse``, two or more models of the collection to search by at once (``("a", "b:0.5")``, the second
                counting half), by ``fuse_by="rank"`` (reciprocal ranks) or ``"score"``.

        Raises:
            ImageError: the query cannot be read as an image.
            UnsupportedError: it has words, and the model embeds pictures only.
            InputError: k, crop, id or a filter makes no sense.
        """
        if (fuse := conditions.pop("fuse", None)) is not None:
            many = queries.is_many(query) if id is None else not np.isscalar(id)
            how = {"query": query, "text": text, "id": id, "crop": crop, "exclude_self": exclude_self, **conditions}
            return fusing.search(self, fuse, k, many=many, **how)
        if query is None and id is None and text is not None:
            query, text = mixture.words(text), None
        alone = query is None and id is None and np.size(conditions.get("plus", ())) > 0
        if (query is None) == (id is None) and not alone:
            raise InputError("search needs either a query picture, words or an id.")
        wanted = searching.wish(self.store, k, **conditions)
        many = queries.is_many(query) if id is None else not np.isscalar(id)
        numbers = [] if id is None else queries.ids_of(id).tolist()
        asked: list[Any] = numbers or (list(query) if many else [query])  # type: ignore[arg-type]
        if wanted.verify:
            asked = [queries.fetched(each, allow_urls=self.allow_urls) for each in asked]
            pictures = [verifying.shown(each, crop=crop) for each in (self.get(numbers) or asked)]
        if numbers and (crop is not None or text is not None):
            vectors = self.embed(mixture.with_text(self._items(numbers, crop), text), crop=crop)
            hits = searching.nearest(self.store, vectors, wanted, numbers if exclude_self else None)
        elif id is not None or alone:
            hits = searching.by_items(self.store, numbers, wanted, exclude_self=exclude_self, alone=alone)
        else:
            hits = searching.nearest(self.store, self.embed(mixture.with_text(asked, text), crop=crop), wanted)
        if wanted.verify:
            looked = zip(pictures, hits, strict=True)
            hits = [verifying.verified(picture, row, wanted.verify)[:k] for picture, row in looked]
        return hits if many else hits[0]

    def embed(self, pictures: Sequence[Sought], *, crop: Crop | None = None) -> Vectors:
        """The vectors ``(n, dim)`` of pictures, words, and mixtures of both, that need not be in the collection."""
        embedder = self.embedder
        read = partial(queries.picture, embedder=embedder, crop=crop, allow_urls=self.allow_urls)
        return directions.embedded(pictures, embedder, read, crop=crop)

    def _items(self, ids: Sequence[int], crop: Crop | None) -> list[Sought]:
        """Items as queries: their vectors, or their files where these are to be cut."""
        if crop is None:
            return [mixture.Known(row) for row in normalized(searching.of_items(self.store, ids))]
        return [queries.original(item) for item in self.get(ids)]

    def compare(self, query: Query | int, hit: Query | int, *, crop: Crop | None = None) -> Comparison:
        """Where two pictures agree: what each place of them adds to their similarity.

        Args:
            query: a picture as for ``search``, or the id of an item.
            hit: the other one, likewise.
            crop: ``(x, y, width, height)``: compare this region of *query*, in its pixels.

        Returns:
            The similarity and, for each picture, numbers ``(rows, columns)`` that add up to it.

        Raises:
            UnsupportedError: the model does not end in a mean over places, so that nothing can be told.
            ImageError: a picture cannot be read, or an item's file is not what was indexed.
            InputError: the crop lies outside the picture, or there is no such item.
        """
        from imagekin import comparing

        embedder = self.embedder
        views = [
            comparing.view(comparing.source(self.store, each), embedder, crop=region, allow_urls=self.allow_urls)
            for each, region in ((query, crop), (hit, None))
        ]
        return comparing.compare(embedder, *views, metric=self.store.metric)

    def close(self) -> None:
        """Release the collection's files."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            return f"<Collection {self.location!r}: {len(self)} images>"
        except StoreError:
            return f"<Collection {self.location!r}: closed>"
