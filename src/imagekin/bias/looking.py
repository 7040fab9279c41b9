"""Pictures and parts of them, each with its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from imagekin import comparing, searching
from imagekin.bias.hiding import AREA, Hiding, Parted, covered, seen
from imagekin.bias.records import PARTS, WHOLE, Look
from imagekin.distance import normalized
from imagekin.embed.base import Embedder
from imagekin.errors import InputError, UnsupportedError
from imagekin.query import Crop, Query, is_named
from imagekin.store.base import Store
from imagekin.types import Hit

if TYPE_CHECKING:
    from imagekin.collection import Collection

K: Final = 4
"""Neighbours that are looked at."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the parts of one picture found.

    Attributes:
        hits: by the names of ``records.PARTS``.
        share: what the subject's places add to the similarity with the whole picture's neighbours; or None.
    """

    hits: dict[str, list[Hit]]
    share: float | None


def look(
    photos: Collection,
    query: Query | int,
    *,
    k: int = K,
    subject: str | Crop = "edge",
    area: float = AREA,
) -> Look:
    """One picture with its surroundings hidden, and with its subject hidden: what is it similar to then?

    Args:
        photos: what is searched.
        query: a picture as for ``Collection.search``, or the id of an item, which does not find itself.
        k: neighbours that are looked at.
        subject: ``edge`` (what differs from the edges of the picture), ``centre``, or ``(x, y, width, height)`` in its
            pixels.
        area: the subject's share of what the network sees, where that is not pointed at; at 0.5 either part hides as
            much as the other.

    Raises:
        UnsupportedError: the model cannot say where the subject is; give ``centre``, or point at it.
        ImageError: the picture cannot be read.
        InputError: an option makes no sense, or the collection is empty.
    """
    embedder = photos.embedder
    own = int(query) if comparing.is_item(query) else None  # type: ignore[arg-type]
    item = None if own is None else photos.get([own])[0]
    shown = comparing.view(comparing.source(photos.store, query), embedder, allow_urls=photos.allow_urls)
    parted = Hiding(embedder, subject, area, tells(embedder)).parted(shown.image)
    found = neighbours(photos.store, embedder, [parted], [own], k)[0]
    name = item.path if item is not None else str(query) if is_named(query) else "the picture"
    return Look(
        name, None if item is None else item.label, float(parted.mask.mean()), found.share,
        {part: seen(parted.shown[part]) for part in PARTS}, found.hits,
    )  # fmt: skip


def neighbours(
    store: Store, embedder: Embedder, parted: Sequence[Parted], own: Sequence[int | None], k: int
) -> list[Found]:
    """What pictures and their parts find, each picture itself left out.

    Raises:
        InputError: there are no other pictures.
    """
    if store.count() <= 1:
        raise InputError(
            f"{store.location} has no other pictures to be similar to; index a folder: imagekin index FOLDER"
        )
    batch = np.stack([each.shown[part] for each in parted for part in PARTS])
    vectors = embedder.embed_prepared(batch)
    without = [number for number in own for _ in PARTS]
    rows = searching.nearest(store, vectors, searching.wish(store, k), without)
    found = [dict(zip(PARTS, rows[at : at + len(PARTS)], strict=True)) for at in range(0, len(rows), len(PARTS))]
    return [Found(hits, _share(store, each, hits[WHOLE])) for each, hits in zip(parted, found, strict=True)]


def tells(embedder: Embedder) -> bool:
    """Whether the model can say what each place of a picture adds to its vector."""
    blank = np.zeros((*embedder.input_size, 3), np.uint8)
    try:
        embedder.parts([blank])
    except UnsupportedError:
        return False
    return True


def _share(store: Store, parted: Parted, hits: Sequence[Hit]) -> float | None:
    """Of the similarity of a picture and its neighbours, as the model sees them, what the subject's places add."""
    if parted.parts is None or not hits:
        return None
    other = normalized(store.vectors([hit.id for hit in hits])[1]).mean(axis=0, dtype=np.float64)
    values = parted.parts.astype(np.float64) @ other
    inside = float((values * covered(parted.mask, *values.shape)).sum())
    return inside / float(values.sum()) if values.sum() > 0 else None
