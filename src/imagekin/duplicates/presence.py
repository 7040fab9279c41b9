"""Is this picture in the collection?  Looked for as it is, in every orientation and by its parts, and then compared."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from PIL import Image

from imagekin import fingerprint, images
from imagekin import query as queries
from imagekin.distance import similarity
from imagekin.duplicates import calibration, contents, look, sampling
from imagekin.duplicates.calibration import Calibration
from imagekin.duplicates.comparison import EXACT, Comparison, compare
from imagekin.duplicates.look import Look
from imagekin.duplicates.looks import KEPT, Looks
from imagekin.duplicates.orientation import ORIENTATIONS
from imagekin.duplicates.records import ALIKE, EDITED, NOTHING, PART, SCENE, Answer, Progress, evidence, is_part
from imagekin.errors import FetchError, ImageError
from imagekin.images import Limits
from imagekin.query import Query
from imagekin.types import Distances, Ids, Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection

COMPARED: Final = 48
"""Pictures of the collection that a query is compared with at the most."""

_NEAREST: Final = 8
_PARTS: Final = ((0.5, 0.5), (0.5, 0.7), (0.0, 0.7), (1.0, 0.7))
"""Where along each axis a part of a query lies, and the share of the side it takes: what if the collection has only a
part of it?"""

_SAME: Final = Comparison(1.0, 1.0, 0, 1.0, 1.0, (0.0, 0.0, 1.0, 1.0), 0, 0)


class Presence:
    """Answers for one collection; what is measured and read for one query serves the next.

    Args:
        photos: the collection.
        error: see ``search.find``.
        progress: called while the collection is measured.
        limits: what is too large a query.
        kept: pictures of the collection that are held in memory at the most.
        scale: what was measured before, if anything was.
    """

    def __init__(
        self,
        photos: Collection,
        *,
        error: float = calibration.ERROR,
        progress: Callable[[Progress], None] | None = None,
        limits: Limits = images.LOCAL,
        kept: int = KEPT,
        scale: Calibration | None = None,
    ) -> None:
        self.photos = photos
        self.looks = Looks(photos.store, kept)
        self._error, self._progress, self._limits = error, progress, limits
        self._scale = scale

    @property
    def calibration(self) -> Calibration:
        """What the verdicts rest on; measured when the first query needs it."""
        if self._scale is None:
            step = self._progress or (lambda _: None)
            self._scale = sampling.calibrated(
                self.photos,
                contents.read(self.photos.store, None),
                self.looks,
                error=self._error,
                progress=lambda done, total: step(Progress(done, total, "Calibrating")),
            )
        return self._scale

    @property
    def measured(self) -> Calibration | None:
        """The same, or None where no query has needed it yet."""
        return self._scale

    def answer(self, query: Query, name: str) -> Answer:
        """The verdict on one picture.

        Raises:
            ImageError: it cannot be read.
        """
        data = _bytes(query)
        if data is not None and (known := self._exact(data, name)) is not None:
            return known
        if not len(self.photos):
            return _nothing(name, "the collection has no pictures")
        return self._verdict(self._picture(query, data), name)

    def _picture(self, query: Query, data: bytes | None) -> Image.Image:
        embedder = self.photos.embedder
        if data is None:
            return queries.picture(query, embedder=embedder, allow_urls=self.photos.allow_urls)
        try:
            side = max(look.SIDE, embedder.recipe.decode_side)
            return images.decode(data, target=side, limits=self._limits).image
        except ImageError as error:
            raise ImageError(f"cannot read {_name(query, 0)!r}: {error}.") from error

    def _exact(self, data: bytes, name: str) -> Answer | None:
        known = self.photos.store.find(fingerprint.of_bytes(data))
        if known is None or known[0].missing:
            return None
        item = self.photos.get([known[0].id])[0]
        return Answer(name, EXACT, item, 1.0, _SAME, 1.0, "the same bytes")

    def _verdict(self, photo: Image.Image, name: str) -> Answer:
        store, scale = self.photos.store, self.calibration
        vectors = self.photos.embedder.embed(list(_views(photo)))
        near = self._near(*store.search(vectors, _NEAREST))
        asked = look.of(photo)
        seen = [(number, found) for number, found in self._compared(asked, list(near)) if found is not None]
        copies = [(number, found) for number, found in seen if scale.accepts(found)]
        if copies:
            number, found = max(copies, key=lambda pair: (pair[1].agreement, -near[pair[0]]))
            chance = min(1.0, scale.chance(found.agreement) * len(seen))
            verdict = PART if is_part(found) else EDITED
            return self._told(name, verdict, (number, found), near[number], (1 - chance, _worded(found)))
        scenes = [(number, found) for number, found in seen if found.corners >= scale.corners]
        if scenes:
            number, found = max(scenes, key=lambda pair: pair[1].corners)
            sure = 1 - 1 / (1 + max(1, scale.strangers) / max(1, len(seen)))
            reason = f"{found.corners} corners of both agree on one placement, but what lies between them does not"
            return self._told(name, SCENE, (number, found), near[number], (sure, reason))
        return self._faint(name, near, dict(seen))

    def _faint(self, name: str, near: dict[int, float], seen: dict[int, Comparison]) -> Answer:
        """Neither copy nor scene: at best a look-alike."""
        scale = self.calibration
        number, gap = min(near.items(), key=lambda pair: (pair[1], pair[0]))
        rarer = scale.rarer(gap)
        if rarer >= 0.5:
            reason = f"nearer than {rarer:.0%} of the collection's pictures have their nearest other one"
            return self._told(name, ALIKE, (number, seen.get(number, Comparison())), gap, (rarer, reason))
        missed = 1 - min(scale.found.values(), default=0.0)
        return _nothing(name, f"nothing near agrees; of edited copies at the worst {missed:.0%} are missed", 1 - missed)

    def _near(self, found: Ids, distances: Distances) -> dict[int, float]:
        """The nearest pictures of all views together, nearest first, with the least of their distances."""
        near: dict[int, float] = {}
        for number, gap in sorted(zip(found.ravel().tolist(), distances.ravel().tolist(), strict=True), key=_by_gap):
            if number >= 0:
                near.setdefault(number, gap)
        return dict(list(near.items())[:COMPARED])

    def _compared(self, asked: Look, numbers: Sequence[int]) -> Iterator[tuple[int, Comparison | None]]:
        for number in numbers:
            known = self.looks.of(number)
            yield number, None if known is None else compare(known, asked)

    def _told(
        self, name: str, verdict: str, found: tuple[int, Comparison], gap: float, because: tuple[float, str]
    ) -> Answer:
        item = self.photos.get([found[0]])[0]
        alike = similarity(gap, self.photos.store.metric)
        return Answer(name, verdict, item, alike, found[1], max(0.0, because[0]), because[1])


def have(
    photos: Collection,
    asked: Sequence[Query] | Query,
    *,
    error: float = calibration.ERROR,
    progress: Callable[[Progress], None] | None = None,
) -> list[Answer]:
    """Whether pictures are in a collection, a verdict each.

    Args:
        photos: the collection; pictures on absent drives do not count.
        asked: a query, or a list of them, as ``Collection.search`` takes them.
        error: see ``find``.
        progress: called now and then.

    Raises:
        ImageError: a query cannot be read.
    """
    presence = Presence(photos, error=error, progress=progress)
    many = list(asked) if queries.is_many(asked) else [asked]  # type: ignore[arg-type]
    return [presence.answer(query, _name(query, number)) for number, query in enumerate(many)]  # type: ignore[arg-type]


def answers(presence: Presence, asked: Iterable[tuple[str, Query]]) -> Iterator[Answer | Skipped]:
    """A verdict on each query, given with its name, or why there is none, as they come."""
    for name, query in asked:
        try:
            yield presence.answer(query, name)
        except (ImageError, FetchError) as error:
            yield Skipped(name, str(error))


def _views(photo: Image.Image) -> Iterator[Image.Image]:
    """The picture in every orientation, and parts of it."""
    yield from (orientation.image(photo) for orientation in ORIENTATIONS)
    for place, share in _PARTS:
        width, height = max(1, round(share * photo.width)), max(1, round(share * photo.height))
        left, top = round(place * (photo.width - width)), round(place * (photo.height - height))
        yield photo.crop((left, top, left + width, top + height))


def _bytes(query: Query) -> bytes | None:
    """The file's bytes, where the query is a file."""
    if isinstance(query, bytes):
        return query
    if isinstance(query, (str, os.PathLike)) and not queries.is_url(query):
        try:
            return images.read(query)
        except ImageError as error:
            raise ImageError(f"cannot read {os.fspath(query)!r}: {error}.") from error
    return None


def _name(query: Query, number: int) -> str:
    return os.fspath(query) if isinstance(query, (str, os.PathLike)) else str(number)


def _worded(found: Comparison) -> str:
    return evidence(found).replace("the keeper", "the collection's picture")


def _nothing(name: str, reason: str, confidence: float = 1.0) -> Answer:
    return Answer(name, NOTHING, None, 0.0, Comparison(), confidence, reason)


def _by_gap(pair: tuple[int, float]) -> tuple[float, int]:
    return pair[1], pair[0]
