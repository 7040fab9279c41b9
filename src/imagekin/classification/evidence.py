"""What speaks for a class: votes of the nearest neighbours, or the distances to the classes' means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.errors import UnknownNameError
from imagekin.evaluation.gallery import Gallery, nearest
from imagekin.evaluation.labelled import Labelled
from imagekin.metrics.voting import support, vote
from imagekin.types import Distances, Vectors

Whole = NDArray[np.int64]
Numbers = NDArray[np.float64]

_FAR: Final = np.float32(np.inf)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for each of q pictures.

    Attributes:
        classes: numbers of the most likely ones, ``(q,)``.
        features: that tell how sure that is, ``(q, d)``; the second is the distance to the class.
        spread: distance to the neighbours, on average, ``(q,)``.
        own: the share of the votes that the picture's own label has, ``(q,)``; 0 where it has none.
    """

    classes: Whole
    features: Numbers
    spread: Numbers
    own: Numbers

    def beside(self, usual: Numbers) -> Evidence:
        """The same, with a further feature: the distance to the class beside what is *usual* there, ``(classes,)``."""
        ratio = np.log(np.maximum(self.features[:, 1], 1e-6) / usual[self.classes])
        return replace(self, features=np.column_stack([self.features, ratio]))


class Method(ABC):
    """A way to tell classes.

    Args:
        data: labelled vectors.
        k: neighbours that vote.
    """

    name: ClassVar[str]

    def __init__(self, data: Labelled, k: int) -> None:
        self.data, self.k = data, k

    @abstractmethod
    def of(self, vectors: Vectors, *, rows: Whole | None = None, strange: bool = False) -> Evidence:
        """What speaks for which class.

        Args:
            vectors: of pictures, ``(q, dim)``.
            rows: where the pictures stand among the labelled ones, which each is left out of; None for new ones.
            strange: leave out all of each one's class as well, as if it were of a class that nobody knows.
        """


class Neighbours(Method):
    """The k nearest vote, each by 1 / distance."""

    name = "neighbours"

    def __init__(self, data: Labelled, k: int) -> None:
        super().__init__(data, k)
        self._gallery = Gallery(data.vectors, data.metric)

    def of(self, vectors: Vectors, *, rows: Whole | None = None, strange: bool = False) -> Evidence:
        """See ``Method.of``."""
        keys = self._gallery.keys(vectors)
        if rows is not None:
            keys[np.arange(len(rows)), rows] = _FAR
        if rows is not None and strange:
            keys[self.data.codes[rows][:, None] == self.data.codes[None, :]] = _FAR
        found = nearest(keys, min(self.k, keys.shape[1]))
        picked = np.take_along_axis(keys, found, axis=1)
        gaps = _gaps(self._gallery, picked, vectors)
        codes = np.where(np.isfinite(gaps), self.data.codes[found], -1)
        gaps = np.where(codes >= 0, gaps, 0)
        classes = vote(codes, gaps)
        mine = (codes == classes[:, None]) & (codes >= 0)
        near = np.where(mine, gaps, 0).sum(axis=1) / np.maximum(mine.sum(axis=1), 1)
        spread = gaps.sum(axis=1) / np.maximum((codes >= 0).sum(axis=1), 1)
        own = np.zeros(len(vectors)) if rows is None else support(codes, gaps, self.data.codes[rows])
        features = np.column_stack([support(codes, gaps, classes), near, gaps[:, 0]]).astype(np.float64)
        return Evidence(classes, features, spread.astype(np.float64), own)


class Prototypes(Method):
    """The nearest class mean (Snell and others, "Prototypical networks for few-shot learning", 2017)."""

    name = "prototypes"

    def __init__(self, data: Labelled, k: int) -> None:
        super().__init__(data, k)
        self._unit = data.metric == "cosine"
        vectors = self._prepared(data.vectors.astype(np.float32))
        self._sizes = np.bincount(data.codes, minlength=len(data.labels))
        self._sums = np.zeros((len(data.labels), vectors.shape[1]))
        np.add.at(self._sums, data.codes, vectors)

    def of(self, vectors: Vectors, *, rows: Whole | None = None, strange: bool = False) -> Evidence:
        """See ``Method.of``."""
        asked = self._prepared(vectors).astype(np.float64)
        means = self._means(self._sums / np.maximum(self._sizes, 1)[:, None])
        gaps = _between(asked, means)
        if rows is not None:
            codes, each = self.data.codes[rows], np.arange(len(rows))
            left = np.maximum(self._sizes[codes] - 1, 1)[:, None]
            without = self._means((self._sums[codes] - asked) / left)
            gaps[each, codes] = np.linalg.norm(asked - without, axis=1)
            gaps[each[self._sizes[codes] < 2], codes[self._sizes[codes] < 2]] = np.inf
            if strange:
                gaps[each, codes] = np.inf
        order = np.argsort(gaps, axis=1, kind="stable")[:, :2]
        best, second = np.take_along_axis(gaps, order[:, :2], axis=1)[:, [0, -1]].T
        margin = np.where(np.isfinite(second), second - best, 0)
        own = np.zeros(len(asked)) if rows is None else (order[:, 0] == self.data.codes[rows]).astype(np.float64)
        return Evidence(order[:, 0].astype(np.int64), np.column_stack([margin, best]), best, own)

    def _prepared(self, vectors: Vectors) -> Vectors:
        return normalized(vectors) if self._unit else vectors

    def _means(self, means: Numbers) -> Numbers:
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        return means / np.where(lengths > 0, lengths, 1) if self._unit else means


METHODS: Final[Mapping[str, type[Method]]] = {each.name: each for each in (Neighbours, Prototypes)}


def named(name: str) -> type[Method]:
    """The method of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in METHODS:
        raise UnknownNameError(f"no way to classify is called {name!r}; known: auto, {', '.join(METHODS)}.")
    return METHODS[name]


def _gaps(gallery: Gallery, keys: Distances, queries: Vectors) -> Distances:
    """Distances of keys, above 0 also under the metric inner; infinite where nothing was left to find."""
    gone = ~np.isfinite(keys)
    gaps = gallery.distances(np.where(gone, 0, keys).astype(np.float32), queries)
    if gallery.metric == "inner":
        gaps = np.exp(np.clip(gaps, -50, 50))
    return np.where(gone, np.inf, gaps).astype(np.float32)


def _between(asked: Numbers, means: Numbers) -> Numbers:
    squares = (asked**2).sum(axis=1)[:, None] + (means**2).sum(axis=1)[None, :] - 2 * asked @ means.T
    found: Numbers = np.sqrt(np.maximum(squares, 0))
    return found
