"""Random projection (Johnson and Lindenstrauss 1984): distances survive, give or take, and nothing is learned."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imagekin.reduce.base import LinearReducer


class RandomProjection(LinearReducer):
    """Projects on random directions that are at right angles to each other, so scaled that lengths stay on average.

    Args:
        n_components: directions; None for all, which is a rotation.
        seed: the same seed gives the same directions.
    """

    name: ClassVar[str] = "random"
    preserves_distance: ClassVar[bool] = True

    def __init__(self, n_components: int | float | None = None, seed: int = 0) -> None:
        super().__init__(n_components)
        self.seed = seed

    def _fit(self, vectors: NDArray[Any], labels: NDArray[Any] | None) -> None:
        dim = vectors.shape[1]
        count = self._wanted(dim, f"the vectors have {dim}")
        made = np.random.default_rng(self.seed).standard_normal((dim, count))
        directions, upper = np.linalg.qr(made)
        directions *= np.sign(np.diag(upper)) * np.sqrt(dim / count)  # signs: else they depend on the library
        self.n_components_ = count
        self.mean_ = np.zeros(dim, np.float32)
        self.components_ = np.ascontiguousarray(directions.T, dtype=np.float32)
