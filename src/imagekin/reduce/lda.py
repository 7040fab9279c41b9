"""Linear discriminant analysis (Fisher 1936; Rao 1948)."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.reduce.base import LinearReducer
from imagekin.reduce.scatter import Scatter


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
        check_shrinkage(self.name, "shrinkage", self.shrinkage)
        count = self._wanted(*most(self.name, np.asarray(labels), vectors.shape[1]))
        scatter = Scatter.of(vectors, np.asarray(labels))
        self.n_components_ = count
        self.mean_ = scatter.mean.astype(np.float32)
        directions, _ = scatter.discriminants(self.shrinkage)
        self.components_ = np.ascontiguousarray(directions[:count], dtype=np.float32)


def check_shrinkage(name: str, parameter: str, value: Any) -> None:
    """Refuse a share of a round scatter that is none.

    Raises:
        InputError: it is not above 0 and up to 1.
    """
    if not is_number(value) or not 0 < value <= 1:
        raise InputError(f"{name}'s {parameter} must be above 0 and up to 1, not {value!r:.60}.")


def is_number(value: Any) -> bool:
    """Whether a parameter is one, which may come from a file; NaN is, and fits nowhere."""
    return isinstance(value, Real) and not isinstance(value, bool)


def most(name: str, labels: NDArray[Any], dim: int) -> tuple[int, str]:
    """How many directions can tell *labels* apart in *dim* dimensions, and why.

    Raises:
        InputError: there is one label only.
    """
    names = np.unique(labels)
    if len(names) < 2:
        raise InputError(f"{name} needs at least 2 different labels, and every vector has {str(names[0])!r}.")
    return min(len(names) - 1, dim), f"there are {len(names)} labels"
