"""Linear discriminant analysis (Fisher 1936; Rao 1948)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.reduce.base import LinearReducer, blocks


class LDA(LinearReducer):
    """Keeps the directions that tell labels apart, scaled so that every label is equally wide in each.

    The scatter within labels is whitened, then the principal directions of the labels' means are taken.  It collapses
    on labels that it has not seen: use it where they stay the same.

    Args:
        n_components: directions, at most one less than there are labels; None for that many.
        shrinkage: share of a round scatter that is mixed into the one within labels; without it, few vectors with many
            dimensions would be learned by heart.
    """

    name: ClassVar[str] = "lda"
    needs_labels: ClassVar[bool] = True

    def __init__(self, n_components: int | float | None = None, shrinkage: float = 0.1) -> None:
        super().__init__(n_components)
        self.shrinkage = shrinkage

    def _fit(self, vectors: NDArray[Any], labels: NDArray[Any] | None) -> None:
        if isinstance(self.shrinkage, bool) or not 0 < self.shrinkage <= 1:
            raise InputError(f"lda's shrinkage must be above 0 and up to 1, not {self.shrinkage!r}.")
        names, which = np.unique(np.asarray(labels), return_inverse=True)
        if len(names) < 2:
            raise InputError(f"lda needs at least 2 different labels, and every vector has {str(names[0])!r}.")
        dim = vectors.shape[1]
        count = self._wanted(min(len(names) - 1, dim), f"there are {len(names)} labels")
        counts = np.bincount(which)
        means = _means(vectors, which, counts)
        mean = counts @ means / len(vectors)
        white = self._whitening(vectors, which, means)
        spread = (means - mean) * np.sqrt(counts / len(vectors))[:, None]
        _, _, directions = np.linalg.svd(spread @ white, full_matrices=False)
        components = directions[:count] @ white.T
        components *= np.where(components[np.arange(count), np.abs(components).argmax(axis=1)] < 0, -1, 1)[:, None]
        self.n_components_ = count
        self.mean_ = mean.astype(np.float32)
        self.components_ = np.ascontiguousarray(components, dtype=np.float32)

    def _whitening(
        self, vectors: NDArray[Any], which: NDArray[np.intp], means: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """``(dim, dim)``; it gives what differs from the labels' means the same variance in every direction."""
        dim, at = vectors.shape[1], 0
        within = np.zeros((dim, dim))
        for block in blocks(vectors):
            gaps = block - means[which[at : at + len(block)]]
            within += gaps.T @ gaps
            at += len(block)
        within /= len(vectors)
        usual = float(np.trace(within)) / dim
        within *= 1 - self.shrinkage
        within[np.diag_indices(dim)] += self.shrinkage * usual if usual > 0 else 1.0
        values, columns = np.linalg.eigh(within)
        return np.asarray(columns / np.sqrt(np.maximum(values, 1e-300)))


def _means(vectors: NDArray[Any], which: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Each label's mean, ``(labels, dim)``."""
    sums, at = np.zeros((len(counts), vectors.shape[1])), 0
    for block in blocks(vectors):
        np.add.at(sums, which[at : at + len(block)], block)
        at += len(block)
    return np.asarray(sums / counts[:, None])
