"""Labelled pictures as if they were new: left out of what they are told by, and of what the comparing learned from.

A head, or any reducer that learned from labels, knows the very pictures that a classifier would be tried on: beside it
every label looks right.  So it learns again, without the pictures that ask: by the same recipe, a part at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from imagekin.classification.evidence import Evidence, Method, Whole
from imagekin.errors import InputError
from imagekin.evaluation import labelled, learned
from imagekin.evaluation.labelled import Labelled
from imagekin.reduce.base import Reducer

if TYPE_CHECKING:
    from imagekin.collection import Collection

_PAGE: Final = 256
_FIELDS: Final = ("classes", "features", "spread", "own")


@dataclass(frozen=True)
class Rehearsal:
    """A collection's labelled pictures, to be asked of.

    Attributes:
        data: as searches compare them.
        whole: their vectors, ``(n, dim)``.
        reducer: what learned from the labels, unfitted; None where nothing did.
        seed: of the parts.
    """

    data: Labelled
    whole: NDArray[Any]
    reducer: Reducer | None
    seed: int

    @classmethod
    def of(cls, photos: Collection, seed: int) -> Self:
        """Of a collection.

        Raises:
            InputError: no labels, or fewer than three classes of two pictures.
        """
        data = labelled.of_collection(photos)
        if int((np.bincount(data.codes) >= 2).sum()) < 3:
            raise InputError(
                f"{data.name} has {len(data.labels):,} classes, of which fewer than 3 have two pictures or more; to "
                "tell what is of no known class takes three."
            )
        reducer = learned.pupil(photos.store.settings().get("reduce"))
        seen = photos.store.compared(data.vectors.astype(np.float32))
        return cls(replace(data, vectors=seen), data.vectors, reducer, seed)

    def evidence(self, kinds: Sequence[type[Method]], k: int, rows: Whole, *, strange: bool = False) -> list[Evidence]:
        """What each kind of method finds of labelled pictures, each of which is left out in turn.

        Args:
            kinds: of methods.
            k: neighbours that vote.
            rows: of the pictures.
            strange: leave out all of each one's class, as if it were of a class that nobody knows.
        """
        places, found = [], [list[Evidence]() for _ in kinds]
        for part, data in self._parts(strange):
            place = np.flatnonzero(np.isin(rows, part))
            if not len(place):
                continue
            places.append(place)
            for parts, kind in zip(found, kinds, strict=True):
                parts.append(_joined(_paged(kind(data, k), rows[place], strange)))
        order = np.argsort(np.concatenate(places))
        return [_sorted(_joined(parts), order) for parts in found]

    def _parts(self, strange: bool) -> Iterator[tuple[Whole, Labelled]]:
        """Rows that may ask, and all as they are compared where neither these rows nor, if so, their classes taught."""
        every = np.arange(len(self.data.ids))
        if self.reducer is None:
            yield every, self.data
            return
        groups = self.data.codes if strange else every
        whole = replace(self.data, vectors=self.whole)
        for rows, made in learned.apart(self.reducer, whole, groups, seed=self.seed):
            yield rows, replace(self.data, vectors=made)


def _paged(method: Method, rows: Whole, strange: bool) -> list[Evidence]:
    vectors = method.data.vectors
    return [
        method.of(np.ascontiguousarray(vectors[some], np.float32), rows=some, strange=strange)
        for some in (rows[at : at + _PAGE] for at in range(0, len(rows), _PAGE))
    ]


def _joined(parts: Sequence[Evidence]) -> Evidence:
    return Evidence(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))


def _sorted(found: Evidence, order: Whole) -> Evidence:
    return Evidence(*(getattr(found, name)[order] for name in _FIELDS))
