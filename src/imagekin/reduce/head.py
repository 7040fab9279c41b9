"""A head: what tells known labels apart, joined with what tells labels apart in general."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import as_vectors, normalized
from imagekin.errors import InputError
from imagekin.reduce.base import LinearReducer, Reducer
from imagekin.reduce.lda import check_shrinkage, is_number, most
from imagekin.reduce.scatter import Scatter
from imagekin.types import Vectors

KINDS: Final = ("lda", "ridge", "none")
"""What the known part may be."""

LENGTH: Final = 512
"""Numbers that are left of a vector where nobody says how many; on Caltech-101 more did not help."""


class Head(Reducer):
    """Learns from labels which differences between vectors matter, for labels that it knows and for others.

    Two parts stand side by side, to be compared by cosine.  The *known* part is the discriminants of the labels (Fisher
    1936; ``ridge``: as ridge regression on the labels scales them, Hastie, Buja, Tibshirani 1995): sharp, but what is
    of no known label collapses in it.  The *rest* is within-class covariance normalisation (Hatch, Kajarekar, Stolcke
    2006), cut to the discriminants and the directions of most variance: it plays down how pictures of one label differ,
    whatever the label.  A vector's length in the known part is short where it is of no known label; raised to *power*,
    it lets the rest decide there.

    Args:
        n_components: numbers of both parts together; None for 512, or as many as there can be.
        known: ``lda``, ``ridge`` or ``none``.
        shrinkage: of the known part; see ``LDA``.
        power: the length of the known part is raised to this, 1 or more.
        rest: weight of the other part; 0 leaves it out.
        whitening: its shrinkage.

    Attributes:
        mean_: ``(dim,)``.
        known_: ``(a, dim)``, so scaled that what was learned from has length 1 in the mean of squares.
        rest_: ``(b, dim)``, likewise.
    """

    name: ClassVar[str] = "head"
    needs_labels: ClassVar[bool] = True
    learned: ClassVar[tuple[str, ...]] = ("mean_", "known_", "rest_")
    mean_: Vectors
    known_: Vectors
    rest_: Vectors

    def __init__(  # noqa: PLR0913 - scikit-learn wants every parameter as an argument
        self,
        n_components: int | float | None = None,
        *,
        known: str = "lda",
        shrinkage: float = 0.3,
        power: float = 3.0,
        rest: float = 0.4,
        whitening: float = 0.6,
    ) -> None:
        super().__init__(n_components)
        self.known, self.shrinkage, self.power = known, shrinkage, power
        self.rest, self.whitening = rest, whitening

    def learn(self, scatter: Scatter) -> Self:
        """``fit`` from what is known of vectors of length 1 already.

        Raises:
            InputError: a parameter is out of range, or there is one label only.
        """
        self._check()
        dim = len(scatter.mean)
        if scatter.labels < 2:
            raise InputError(f"{self.name} needs at least 2 different labels, and there is one.")
        known, rest = self.lengths(scatter.labels, dim)
        self.mean_ = scatter.mean.astype(np.float32)
        self.known_ = scatter.once((self.known, self.shrinkage, known), lambda: self._telling(scatter, known))
        self.rest_ = scatter.once(("rest", self.whitening, rest), lambda: self._other(scatter, rest))
        self.n_components_, self.n_features_in_ = len(self.known_) + len(self.rest_), dim
        return self

    def lifted(self, basis: LinearReducer) -> Self:
        """The same for whole vectors, where it learned from their coordinates along the directions of *basis*.

        Args:
            basis: fitted; its directions have length 1 and stand at right angles, as those of PCA do.
        """
        made = copy.copy(self)
        made.mean_ = np.asarray(basis.mean_ + self.mean_ @ basis.components_, np.float32)
        made.known_, made.rest_ = (
            np.ascontiguousarray(each @ basis.components_, np.float32) for each in (self.known_, self.rest_)
        )
        made.n_features_in_ = len(made.mean_)
        return made

    def inverse_transform(self, X: NDArray[Any]) -> Vectors:  # noqa: N803
        """See ``Reducer.inverse_transform``; the known part tells how long the rest was."""
        self._need_fit()
        short = as_vectors(X, self.n_components_)
        known, rest = np.split(short, [len(self.known_)], axis=1)
        lengths = np.linalg.norm(known, axis=1, keepdims=True)
        known *= np.where(lengths > 0, lengths, 1) ** np.float32(1 / self.power - 1)
        if not len(self.rest_):
            return np.asarray(known @ _inverse(self.known_) + self.mean_, np.float32)
        gaps = rest @ _inverse(self.rest_)
        seen = gaps @ self.known_.T
        squares = (seen**2).sum(axis=1, keepdims=True)
        far = np.where(squares > 0, (seen * known).sum(axis=1, keepdims=True) / np.where(squares > 0, squares, 1), 1)
        return np.asarray(far * gaps + self.mean_, np.float32)

    def _fit(self, vectors: NDArray[Any], labels: NDArray[Any] | None) -> None:
        self._check()
        most(self.name, np.asarray(labels), vectors.shape[1])
        self.learn(Scatter.of(normalized(vectors.astype(np.float32)), np.asarray(labels)))

    def _transform(self, vectors: Vectors) -> Vectors:
        gaps: Vectors = normalized(vectors) - self.mean_
        known: Vectors = gaps @ self.known_.T
        lengths = np.linalg.norm(known, axis=1, keepdims=True)
        rest = self.rest * normalized(gaps @ self.rest_.T) if len(self.rest_) else known[:, :0]
        return np.concatenate([known * lengths ** (self.power - 1), rest], axis=1, dtype=np.float32)

    def _telling(self, scatter: Scatter, count: int) -> Vectors:
        directions, far = scatter.discriminants(self.shrinkage)
        if self.known == "ridge":
            directions = directions * (far / (1 + far**2))[:, None]
        return _scaled(scatter, directions[:count])

    def _other(self, scatter: Scatter, count: int) -> Vectors:
        return _scaled(scatter, scatter.whitened(self.whitening, count) if count else np.empty((0, len(scatter.mean))))

    def lengths(self, labels: int, dim: int) -> tuple[int, int]:
        """Numbers of the known part and of the rest, after learning from so many labels and numbers of a vector.

        Raises:
            InputError: more are wanted than there are.
        """
        total = self._wanted(dim, f"the vectors have {dim}") if self.n_components is not None else min(dim, LENGTH)
        if self.known == "none":
            return 0, total
        if not self.rest:
            return min(labels - 1, total), 0
        known = min(labels - 1, -(-total // 2))
        return known, total - known

    def _check(self) -> None:
        if self.known not in KINDS:
            raise InputError(f"the known part of a head is lda, ridge or none, not {self.known!r:.60}.")
        check_shrinkage(self.name, "shrinkage", self.shrinkage)
        check_shrinkage(self.name, "whitening", self.whitening)
        if not is_number(self.power) or not 1 <= self.power <= 16:
            raise InputError(f"head's power must be 1 to 16, not {self.power!r:.60}.")
        if not is_number(self.rest) or not 0 <= self.rest <= 100 or (self.known == "none" and not self.rest):
            raise InputError(f"head's rest must be 0 to 100, and above 0 where nothing else is, not {self.rest!r:.60}.")

    def _restored(self) -> None:
        known, rest, dim = len(self.known_), len(self.rest_), len(self.mean_)
        if self.mean_.ndim != 1 or self.known_.shape != (known, dim) or self.rest_.shape != (rest, dim):
            raise ValueError
        if not known + rest or (rest and not self.rest):
            raise ValueError
        self._check()
        self.n_components_, self.n_features_in_ = known + rest, dim


def _scaled(scatter: Scatter, directions: NDArray[np.float64]) -> Vectors:
    return np.ascontiguousarray(directions / scatter.length(directions), dtype=np.float32)


def _inverse(directions: Vectors) -> Vectors:
    return np.asarray(np.linalg.pinv(directions.astype(np.float64)).T, np.float32)
