"""Evaluation without labels: do edited pictures find their originals?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import images, metrics
from imagekin.distance import similarity
from imagekin.errors import ImagekinError, InputError
from imagekin.evaluation import edits as table
from imagekin.evaluation.edits import Edit
from imagekin.evaluation.gallery import Gallery
from imagekin.evaluation.labelled import collected, model_of
from imagekin.evaluation.looks import Looks
from imagekin.evaluation.records import EditFigures, Progress, SelfRetrieval
from imagekin.rerank import geometry, verifying
from imagekin.rerank.geometry import Features
from imagekin.types import Item, Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.embed.base import Embedder

SAMPLE: Final = 200
"""Pictures that are edited unless another number is asked for."""

_LARGER: Final = 2
"""Pictures are edited at this many times the size that the model wants, so that a crop still has its pixels."""


@dataclass
class _Sums:
    """Of one run: for each edit, pictures that found themselves and similarities."""

    edits: Sequence[Edit]
    pictures: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.found = np.zeros(len(self.edits), np.int64)
        self.similar = np.zeros(len(self.edits))

    def figures(self) -> tuple[EditFigures, ...]:
        made = []
        for edit, found, similar in zip(self.edits, self.found.tolist(), self.similar.tolist(), strict=True):
            low, high = metrics.wilson(found, self.pictures)
            share = found / self.pictures
            made.append(EditFigures(edit.name, edit.strength, self.pictures, share, low, high, similar / self.pictures))
        return tuple(made)


def self_retrieval(
    photos: Collection,
    *,
    edits: Iterable[str] | None = None,
    sample: int = SAMPLE,
    verify: int | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> SelfRetrieval:
    """Edit some of a collection's pictures and measure how often each still finds its original first.

    An edited picture has found its original if no other picture of the whole collection is nearer, by exact search;
    exact copies of the original are as near as it is, and do no harm.

    Args:
        photos: with at least two pictures.
        edits: names from ``edits.EDITS``; None for all.
        sample: pictures to edit, drawn at random; all of them where there are no more.
        verify: so many of the nearest are compared with the edited picture point by point, as ``Collection.search``
            does; the original is then found if none shares more points with it.
        seed: of the draw.
        progress: called now and then.

    Returns:
        recall@1 of each edit at each strength.  Pictures that cannot be read any more are told in the notes.

    Raises:
        InputError: fewer than two pictures, a sample below 1, or not one of them can be read.
        UnknownNameError: an edit of another name.
    """
    started = time.perf_counter()
    sums, ids = _Sums(table.chosen(edits)), [item.id for item in photos.items()]
    name = Path(photos.location).name or photos.location
    _check(name, len(ids), sample)
    looks = None if verify is None else Looks(photos, ids, verifying.check(verify))
    gallery = Gallery(collected(photos, ids), photos.store.metric)
    random = np.random.default_rng(seed)
    asked = np.sort(random.choice(len(ids), min(sample, len(ids)), replace=False)).tolist()
    items = photos.get([ids[row] for row in asked])
    _Run(sums, gallery, photos.embedder, looks=looks, progress=progress).run(list(zip(asked, items, strict=True)))
    if not sums.pictures:
        first = sums.skipped[0]
        raise InputError(f"none of the {len(asked)} pictures can be read any more; the first: {first.reason}")
    notes = tuple(f"{skip.path} was passed over: {skip.reason}" for skip in sums.skipped)
    seconds = time.perf_counter() - started
    return SelfRetrieval(name, model_of(photos), sums.pictures, len(ids), sums.figures(), notes, seconds, seed)


def _check(name: str, pictures: int, sample: int) -> None:
    if pictures < 2:
        raise InputError(
            f"the collection {name} has {pictures} pictures; an original is found among two or more: index a folder "
            "first: imagekin index FOLDER."
        )
    if isinstance(sample, bool) or sample < 1:
        raise InputError(f"sample must be 1 or more, not {sample!r}.")


@dataclass(frozen=True, slots=True)
class _Edited:
    """A picture in every edit: ready for the network, and where they are verified its local features."""

    prepared: NDArray[Any]
    features: list[tuple[Features, Features]]


class _Run:
    """Edit, embed and search picture by picture; the next one is decoded and edited meanwhile."""

    def __init__(
        self,
        sums: _Sums,
        gallery: Gallery,
        embedder: Embedder,
        *,
        looks: Looks | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.sums, self.gallery, self.embedder, self.looks, self.progress = sums, gallery, embedder, looks, progress

    def run(self, asked: Sequence[tuple[int, Item]]) -> None:
        """Every picture, told by its row and its item."""
        with ThreadPoolExecutor(1, "imagekin-edit") as pool:
            ahead = pool.submit(self._edited, asked[0][1])
            for number, (row, _) in enumerate(asked, 1):
                made = ahead.result()
                if number < len(asked):
                    ahead = pool.submit(self._edited, asked[number][1])
                if isinstance(made, Skipped):
                    self.sums.skipped.append(made)
                else:
                    self._search(made, row)
                if self.progress is not None:
                    self.progress(Progress(number, len(asked), "Editing"))

    def _edited(self, item: Item) -> _Edited | Skipped:
        try:
            picture = images.load(item.path, target=_LARGER * self.embedder.recipe.decode_side).image
            shown = [edit.apply(picture) for edit in self.sums.edits]
            prepared = np.stack([self.embedder.prepare(each) for each in shown])
        except ImagekinError as error:
            return Skipped(item.path, str(error))
        return _Edited(prepared, [geometry.both(each) for each in shown] if self.looks else [])

    def _search(self, made: _Edited, row: int) -> None:
        sums, gallery = self.sums, self.gallery
        queries = self.embedder.embed_prepared(made.prepared)
        keys = np.concatenate(
            [gallery.keys(queries[at : at + gallery.batch]) for at in range(0, len(queries), gallery.batch)]
        )
        own = keys[:, row : row + 1]
        found = [bool(key <= best) for key, best in zip(own[:, 0], keys.min(axis=1), strict=True)]
        if self.looks is not None:
            found = [self.looks.found(*each, row) for each in zip(made.features, keys, found, strict=True)]
        sums.found += np.array(found)
        distances = gallery.distances(own.copy(), queries)[:, 0].tolist()
        sums.similar += [similarity(distance, gallery.metric) for distance in distances]
        sums.pictures += 1
