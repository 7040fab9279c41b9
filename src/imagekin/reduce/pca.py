"""Principal component analysis (Pearson 1901; Hotelling 1933), and whitening."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.reduce.base import LinearReducer, moments
from imagekin.types import Vectors


class PCA(LinearReducer):
    """Keeps the directions in which the vectors vary most.

    Exact, by the eigenvectors of the covariance (of the Gram matrix where there are fewer vectors than dimensions).
    Each direction's largest element is positive, so that two fits give the same numbers.

    Args:
        n_components: directions to keep; below 1 (``0.95``), as many as keep that share of the variance; None for all.

    Attributes:
        explained_variance_: variance along each direction that is kept, ``(n_components_,)``, over n − 1.
        explained_variance_ratio_: the same as shares of the whole variance.
    """

    name: ClassVar[str] = "pca"
    preserves_distance: ClassVar[bool] = True
    learned: ClassVar[tuple[str, ...]] = (*LinearReducer.learned, "explained_variance_", "explained_variance_ratio_")
    explained_variance_: Vectors
    explained_variance_ratio_: Vectors

    def _fit(self, vectors: NDArray[Any], labels: NDArray[Any] | None) -> None:
        mean, values, directions, whole = _principal(vectors)
        count = self._kept(values, whole, *vectors.shape)
        values = values[:count]
        self.n_components_ = count
        self.mean_ = mean.astype(np.float32)
        self.explained_variance_ = values.astype(np.float32)
        self.explained_variance_ratio_ = (values / whole if whole > 0 else values).astype(np.float32)
        self.components_ = np.ascontiguousarray(directions[:count] * self._scales(values), dtype=np.float32)

    def first(self, n: int) -> Self:
        """The same with its first *n* directions only: what a fit of that length to the same vectors gives.

        Raises:
            InputError: not fitted yet, or it has fewer.
        """
        self._need_fit()
        if isinstance(n, bool) or not 1 <= n <= self.n_components_:
            raise InputError(f"this {self.name} has 1 to {self.n_components_} directions to keep, not {n!r}.")
        made = copy.copy(self)
        made.n_components = made.n_components_ = int(n)
        for name in self.learned:
            if name != "mean_":
                setattr(made, name, getattr(self, name)[:n])
        return made

    def _kept(self, values: NDArray[np.float64], whole: float, n: int, dim: int) -> int:
        wanted = self.n_components
        if isinstance(wanted, float):
            if not 0 < wanted < 1:
                raise InputError(f"{self.name} keeps a share of the variance between 0 and 1, not {wanted!r}.")
            return min(int(np.searchsorted(np.cumsum(values), wanted * whole * (1 - 1e-12))) + 1, len(values))
        return self._wanted(min(n, dim), f"{n} vectors of {dim} were given")

    def _scales(self, values: NDArray[np.float64]) -> NDArray[np.float64] | float:
        return 1.0


class WhitenedPCA(PCA):
    """PCA with every direction scaled to variance 1, so that each counts the same.

    Directions of (nearly) no variance are left as zeros: there is nothing in them but rounding.
    """

    name: ClassVar[str] = "pca-whiten"
    preserves_distance: ClassVar[bool] = False

    def _scales(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        real = values > 1e-9 * max(float(values[0]), 1e-300)
        return np.where(real, 1 / np.sqrt(np.where(real, values, 1)), 0)[:, None]


def _principal(
    vectors: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Mean, variances (descending), directions ``(min(n, dim), dim)`` and the sum of all variances."""
    n, dim = vectors.shape
    if n > dim:
        mean, scatter = moments(vectors)
        values, columns = np.linalg.eigh(scatter / (n - 1))
        values, directions = values[::-1], columns.T[::-1]
    else:
        full = vectors.astype(np.float64)
        mean = full.mean(axis=0)
        _, singular, directions = np.linalg.svd(full - mean, full_matrices=False)
        values = singular**2 / (n - 1)
    values = np.maximum(values, 0)
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.where(np.take_along_axis(directions, largest[:, None], axis=1) < 0, -1.0, 1.0)
    return mean, values, directions, float(values.sum())
