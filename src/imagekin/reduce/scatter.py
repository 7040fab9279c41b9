"""How labelled vectors lie: around the means of their labels, and these around the mean of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from imagekin.reduce.base import blocks


@dataclass(frozen=True)
class Scatter:
    """All that discriminants learn from labelled vectors; from one of these many of them are made in little time.

    Attributes:
        count: vectors.
        labels: different labels.
        mean: ``(dim,)`` of all.
        columns: ``(dim, dim)`` directions at right angles along which what differs from the labels' means is spread.
        values: ``(dim,)`` its variance along these, ascending.
        between: ``(labels, dim)`` each label's mean less that of all, times the root of its share of the vectors,
            along *columns*.
    """

    count: int
    labels: int
    mean: NDArray[np.float64]
    columns: NDArray[np.float64]
    values: NDArray[np.float64]
    between: NDArray[np.float64]
    _known: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, vectors: NDArray[Any], labels: Sequence[Any] | NDArray[Any]) -> Self:
        """Of vectors ``(n, dim)``, which may be float16 and mapped, and their n labels."""
        names, which = np.unique(np.asarray(labels), return_inverse=True)
        counts = np.bincount(which)
        means = _means(vectors, which, counts)
        mean = counts @ means / len(vectors)
        values, columns = np.linalg.eigh(_within(vectors, which, means))
        between = ((means - mean) * np.sqrt(counts / len(vectors))[:, None]) @ columns
        return cls(len(vectors), len(names), mean, columns, np.maximum(values, 0), between)

    def widths(self, shrinkage: float) -> NDArray[np.float64]:
        """The spread along ``columns``, ``(dim,)``, with a share of a round one mixed in."""
        usual = float(self.values.mean())
        mixed = (1 - shrinkage) * self.values + (shrinkage * usual if usual > 0 else 1.0)
        return np.asarray(np.sqrt(np.maximum(mixed, 1e-300)))

    def discriminants(self, shrinkage: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Directions ``(min(labels, dim), dim)`` that tell labels apart, the most telling first.

        In each the labels are equally wide (1); the second array, ``(min(labels, dim),)``, says how far apart their
        means then are.
        """
        far, apart = self._apart(shrinkage)
        directions: NDArray[np.float64] = self.once(
            ("discriminants", shrinkage), lambda: _turned(apart / self.widths(shrinkage) @ self.columns.T)
        )
        return directions, far

    def whitened(self, shrinkage: float, count: int) -> NDArray[np.float64]:
        """Directions ``(count, dim)`` in each of which labels are equally wide (1), at right angles once they are.

        They span those that tell labels apart and, as far as there is room, those along which labels are widest.
        """
        widths = self.widths(shrinkage)
        apart = self._apart(shrinkage)[1][: min(count, self.labels - 1)]
        axes = count - len(apart)
        directions = np.zeros((count, len(widths)))
        directions[:axes, len(widths) - axes :] = np.eye(axes)  # the widest axes, which come last
        directions[axes:, : len(widths) - axes] = np.linalg.qr(apart.T[: len(widths) - axes])[0].T
        return _turned(directions / widths @ self.columns.T)

    def once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What *make* gives, which is asked once for each *key*: many heads of one trial have parts in common."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _apart(self, shrinkage: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far apart the labels are, and along which directions, where they are equally wide."""
        whitened = self.between / self.widths(shrinkage)
        _, far, directions = self.once(("apart", shrinkage), lambda: np.linalg.svd(whitened, full_matrices=False))
        return far, directions

    def length(self, directions: NDArray[np.float64]) -> float:
        """The root of the mean squared length that the vectors have along *directions* ``(k, dim)``; 1 for none."""
        turned = directions @ self.columns
        square = float((turned**2 @ self.values).sum() + ((turned @ self.between.T) ** 2).sum())
        return float(np.sqrt(square)) if square > 0 else 1.0


def _turned(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each direction with its largest element above zero: its sign would depend on the library."""
    largest = np.abs(directions).argmax(axis=1)[:, None]
    turned: NDArray[np.float64] = directions * np.where(np.take_along_axis(directions, largest, axis=1) < 0, -1.0, 1.0)
    return turned


def _means(vectors: NDArray[Any], which: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Each label's mean, ``(labels, dim)``."""
    sums, at = np.zeros((len(counts), vectors.shape[1])), 0
    for block in blocks(vectors):
        np.add.at(sums, which[at : at + len(block)], block)
        at += len(block)
    return np.asarray(sums / counts[:, None])


def _within(vectors: NDArray[Any], which: NDArray[np.intp], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """The covariance of what differs from the labels' means, ``(dim, dim)``."""
    dim, at = vectors.shape[1], 0
    within = np.zeros((dim, dim))
    for block in blocks(vectors):
        gaps = block - means[which[at : at + len(block)]]
        within += gaps.T @ gaps
        at += len(block)
    return within / len(vectors)
