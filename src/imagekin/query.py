"""Queries: whatever a person searches by, turned into a picture or region of one; and answers turned into hits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias, TypeGuard

import numpy as np
from PIL import Image

from imagekin import distance, fingerprint, images
from imagekin.embed.base import Embedder
from imagekin.errors import FetchError, ImageError, InputError
from imagekin.store import filters
from imagekin.store.base import Store, as_hit
from imagekin.store.filters import Filter
from imagekin.types import Distances, Hit, Ids, Item, Pixels

Query: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | Pixels"
"""A path, an http(s) URL, an image file's bytes, a Pillow image, or an array ``(height, width, 3)`` of uint8."""

Crop: TypeAlias = Sequence[float]
"""``(x, y, width, height)`` in pixels of the picture as shown, from the top left."""

_LISTED: Final = 20


def is_many(query: object) -> bool:
    """Whether *query* is a list of queries and not one."""
    return isinstance(query, (list, tuple)) or (isinstance(query, np.ndarray) and query.ndim == 4)


def is_url(query: object) -> bool:
    """Whether *query* is an http(s) URL."""
    return isinstance(query, str) and query.lower().startswith(("http://", "https://"))


def is_named(query: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether *query* is a path or a URL."""
    return isinstance(query, (str, os.PathLike))


def picture(query: Query, *, embedder: Embedder, crop: Crop | None = None, allow_urls: bool = False) -> Image.Image:
    """The RGB picture to embed for *query*, cut to *crop*.

    Raises:
        ImageError: it cannot be read as an image.
        FetchError: it is a URL and URLs are not allowed, or it does not answer with an image.
        InputError: it is something else, or *crop* lies outside the picture.
    """
    try:
        shown = photo(query, embedder=embedder, crop=crop, allow_urls=allow_urls)
    except ImageError as error:
        if embedder.takes_text and isinstance(query, str) and not os.path.lexists(query):
            raise ImageError(f"{error} If it is words that you search by, give them as text.") from error
        raise
    return shown.image if crop is None else cut(shown, crop)


def photo(
    query: Query,
    *,
    embedder: Embedder,
    crop: Crop | None = None,
    allow_urls: bool = False,
    limits: images.Limits = images.LOCAL,
) -> images.Photo:
    """The picture of *query* before it is cut, decoded as finely as *embedder* needs it, or wholly for a *crop*.

    Raises:
        ImageError: it cannot be read as an image.
        FetchError: it is a URL and URLs are not allowed, or it does not answer with an image.
        InputError: it is something else.
    """
    target = None if crop is not None else embedder.recipe.decode_side
    return images.load(fetched(query, allow_urls=allow_urls), target=target, limits=limits)


def fetched(query: Query, *, allow_urls: bool = False) -> Any:
    """What is behind a query that is a URL; any other one as it is.

    Raises:
        FetchError: URLs are not allowed, or it does not answer.
    """
    if not (isinstance(query, str) and is_url(query)):
        return query
    if not allow_urls:
        raise FetchError(f"searching by URL is off; allow it with --allow-urls or allow_urls=True to fetch {query}.")
    from imagekin import fetch

    return fetch.get(query)


def original(item: Item) -> bytes:
    """The bytes of an item's file, which are those that were indexed.

    Raises:
        ImageError: it cannot be read, or has changed since.
    """
    try:
        data = images.read(item.path)
    except ImageError as error:
        raise ImageError(f"cannot read {item.path!r}: {error}.") from error
    if fingerprint.of_bytes(data).hex() != item.hash:
        raise ImageError(f"{item.path!r} has changed since it was indexed; index its folder again.")
    return data


def cut(photo: images.Photo, crop: Crop) -> Image.Image:
    """The region *crop* of a fully decoded photo.

    Raises:
        InputError: not four numbers, or empty, or outside the picture.
    """
    return photo.image.crop(region(photo, crop))


def region(photo: images.Photo, crop: Crop) -> tuple[int, int, int, int]:
    """What *crop* is of a photo: left, top, right and bottom in the pixels that were decoded.

    Raises:
        InputError: not four numbers, or empty, or outside the picture.
    """
    given: Any = crop
    try:
        values = [] if isinstance(given, str) else [float(value) for value in given]
    except (TypeError, ValueError):
        values = []
    if len(values) != 4 or not np.isfinite(values).all():
        raise InputError(f"crop is {crop!r}; give four numbers: x, y, width, height.")
    x, y, width, height = values
    scale = photo.image.width / photo.width  # below 1 only when limits made the decoder shrink the picture
    left, top = max(x, 0) * scale, max(y, 0) * scale
    right, bottom = min(x + width, photo.width) * scale, min(y + height, photo.height) * scale
    box = round(left), round(top), round(right), round(bottom)
    if width <= 0 or height <= 0 or box[2] <= box[0] or box[3] <= box[1]:
        raise InputError(
            f"the region x={x:g}, y={y:g}, {width:g}×{height:g} has no pixel of the picture, which is "
            f"{photo.width}×{photo.height}; give x, y, width, height in its pixels."
        )
    return box


def condition(store: Store, **conditions: Any) -> Filter | None:
    """The filter that *conditions* (see ``filters.build``) make together, every name in it known; None without any.

    Raises:
        InputError: one makes no sense, or a name is neither that of a field nor a metadata column of any item.
    """
    unknown = sorted(set(conditions) - {"under", "label", "where", "tag"})
    if unknown:
        raise InputError(f"there is no option {unknown[0]!r} here; filters are under, label, where and tag.")
    built = filters.build(**conditions)
    names = filters.metadata(built)
    absent = sorted(names - store.columns(names)) if names else []
    if absent:
        raise InputError(_unknown(absent[0], sorted(store.columns())))
    return built


def chosen(store: Store, ids: int | Sequence[int] | Ids | None, **conditions: Any) -> Filter | None:
    """The filter for items by id, those of them that also fit *conditions*; or for all that fit; None without either.

    Raises:
        InputError: an id or a condition makes no sense.
    """
    fitting = condition(store, **conditions)
    if ids is None:
        return fitting
    named = filters.In("id", tuple(ids_of(ids).tolist()))
    return named if fitting is None else filters.And((named, fitting))


def _unknown(name: str, columns: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, [*filters.FIELDS, *columns], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(map(repr, columns[:_LISTED])) + (", …" if len(columns) > _LISTED else "")
    return (
        f"no picture of the collection has {name!r}, which the filter asks for;{hint} known: "
        f"{', '.join(filters.FIELDS)}; metadata columns: {listed or 'none'}."
    )


def ids_of(wanted: int | Sequence[int] | Ids) -> Ids:
    """One id or several as an array ``(n,)``.

    Raises:
        InputError: not whole numbers that an id can be.
    """
    array = np.atleast_1d(np.asarray(wanted))
    if array.size and (array.dtype.kind != "i" or array.ndim != 1):
        raise InputError(f"an id is a whole number below 2**63, not {wanted!r}; ids come from search and list.")
    return array.astype(np.int64)


def pages(store: Store, condition: Filter | None, after: int, limit: int | None) -> Iterator[Item]:
    """The present items that fit, by id, from the first above *after*, at most *limit*; read a page at a time."""
    for name, value in (("after", after), ("limit", limit)):
        if value is not None and not (isinstance(value, int) and 0 <= value < 2**63):
            raise InputError(f"{name} is {value!r}; give a whole number from 0 to 2**63 - 1.")
    return _pages(store, condition, after, limit)


def _pages(store: Store, condition: Filter | None, after: int, left: int | None) -> Iterator[Item]:
    while left is None or left > 0:
        page = store.items(condition, after=after, limit=min(1_000, 1_000 if left is None else left))
        yield from page
        if not page:
            return
        after = page[-1].id
        left = None if left is None else left - len(page)


def hits(store: Store, ids: Ids, distances: Distances) -> list[list[Hit]]:
    """A list of hits for each row; an item that was removed this instant is left out."""
    items = store.found(sorted({number for number in ids.ravel().tolist() if number >= 0}))
    return [
        [
            as_hit(items[number], gap, distance.similarity(gap, store.metric))
            for number, gap in zip(row, gaps, strict=True)
            if number in items
        ]
        for row, gaps in zip(ids.tolist(), distances.tolist(), strict=True)
    ]
