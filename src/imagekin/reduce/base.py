"""The contract of a reducer: long vectors in, shorter ones out, by scikit-learn's conventions."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.distance import as_vectors, rowwise
from imagekin.errors import InputError
from imagekin.estimator import Estimator
from imagekin.reduce import saved
from imagekin.replacement import replace
from imagekin.types import Vectors

BLOCK: Final = 4_096
"""Rows that are worked on at a time, so that mapped float16 vectors never lie in memory as a whole in float64."""


_FEW: Final = 2
"""Vectors up to which a matrix product's threads cost more than they save: 10 ms on cores that others use too."""


class Reducer(Estimator, ABC):
    """Learns from vectors how to make them shorter.

    ``fit``, ``transform``, ``fit_transform``, ``get_params`` and ``set_params`` are those of scikit-learn, so that a
    reducer can stand in its pipelines and searches; what was learned has a name that ends in an underscore.

    Args:
        n_components: numbers that are left of a vector; None for as many as there can be.

    Attributes:
        name: as in the registry.
        learned: names of the arrays that ``fit`` makes.
        preserves_distance: whether differences between what it gives stand for those between the vectors themselves,
            so that these can rank again what it found; otherwise it states a space of its own.
        gives_vectors: whether what it gives can be compared as vectors; otherwise it is codes.
        n_features_in_: length of the vectors it was fitted to.
        n_components_: length of what ``transform`` gives.
    """

    name: ClassVar[str]
    learned: ClassVar[tuple[str, ...]]
    needs_labels: ClassVar[bool] = False
    preserves_distance: ClassVar[bool] = False
    gives_vectors: ClassVar[bool] = True
    n_features_in_: int
    n_components_: int

    def __init__(self, n_components: int | float | None = None) -> None:
        self.n_components = n_components

    @property
    def spec(self) -> str:
        """What ``reduce.create`` makes it again from, unfitted."""
        return self.name if self.n_components is None else f"{self.name}:{self.n_components}"

    @property
    def fitted(self) -> bool:
        """Whether it has learned anything yet."""
        return hasattr(self, "n_features_in_")

    def fit(self, X: ArrayLike, y: Sequence[Any] | NDArray[Any] | None = None) -> Self:  # noqa: N803 - scikit-learn's
        """Learn from vectors ``(n, dim)`` and, where ``needs_labels``, their n labels.

        Raises:
            InputError: too few vectors or labels for ``n_components``, wrong shapes, NaN or infinity.
        """
        vectors = _matrix(X)
        if y is not None and len(y) != len(vectors):
            raise InputError(f"every vector needs one label: {len(y)} labels were given for {len(vectors)} vectors.")
        if self.needs_labels and y is None:
            raise InputError(f"{self.name} learns from labels; give one for each vector.")
        if len(vectors) < 2:
            raise InputError(f"{self.name} needs at least 2 vectors to learn from, not {len(vectors)}.")
        self._fit(vectors, None if y is None else np.asarray(y))
        self.n_features_in_ = vectors.shape[1]
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Shorten vectors: ``(n, n_features_in_)`` to ``(n, n_components_)``.

        Raises:
            InputError: not fitted yet, vectors of another length, NaN or infinity.
        """
        self._need_fit()
        vectors = as_vectors(X, self.n_features_in_)
        return self._transform(vectors)

    def fit_transform(self, X: ArrayLike, y: Sequence[Any] | NDArray[Any] | None = None) -> NDArray[Any]:  # noqa: N803
        """``fit``, then ``transform`` of the same vectors."""
        return self.fit(X, y).transform(X)

    @abstractmethod
    def inverse_transform(self, X: NDArray[Any]) -> Vectors:  # noqa: N803
        """The nearest vectors ``(n, n_features_in_)`` that ``transform`` could have been given."""

    @abstractmethod
    def _fit(self, vectors: NDArray[Any], labels: NDArray[Any] | None) -> None:
        """Set ``n_components_`` and what is ``learned``; *vectors* may be float16 and mapped."""

    @abstractmethod
    def _transform(self, vectors: Vectors) -> NDArray[Any]:
        """Shorten vectors of the right length."""

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of the parts of its pipelines."""
        from sklearn.utils import Tags, TargetTags, TransformerTags

        target = TargetTags(required=self.needs_labels)
        return Tags(estimator_type="transformer", target_tags=target, transformer_tags=TransformerTags())

    def __sklearn_is_fitted__(self) -> bool:
        """See ``fitted``."""
        return self.fitted

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was learned to one file, whole or not at all."""
        replace(Path(path), self.packed())

    def packed(self) -> bytes:
        """What ``save`` writes, for ``reduce.unpacked``."""
        self._need_fit()
        return saved.packed(self.name, self.get_params(), {name: getattr(self, name) for name in self.learned})

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Raises:
            InputError: no such file, damaged, or another reducer's.
        """
        return cls.restored(saved.read(path), str(path))

    @classmethod
    def restored(cls, content: saved.Content, where: str) -> Self:
        """A reducer out of a header and arrays, which come from *where*; raises as ``open``."""
        header, arrays = content
        if header["name"] != cls.name:
            raise InputError(f"{where} holds a {header['name']}, not a {cls.name}; open it with imagekin.reduce.open.")
        try:
            reducer = cls(**header["parameters"])
            if set(arrays) != set(cls.learned):
                raise ValueError
            for name, array in arrays.items():
                setattr(reducer, name, array)
            reducer._restored()
        except (TypeError, ValueError, IndexError) as error:
            raise InputError(f"{where} does not hold what a {cls.name} learns; fit and save it again.") from error
        return reducer

    @abstractmethod
    def _restored(self) -> None:
        """Set ``n_features_in_`` and ``n_components_`` from what was learned; ValueError where shapes do not fit."""

    def _wanted(self, most: int, why: str) -> int:
        """``n_components`` as a whole number up to *most*, which is so because of *why*."""
        wanted = self.n_components
        if wanted is None:
            return most
        if isinstance(wanted, bool) or not isinstance(wanted, (int, np.integer)) or not 1 <= wanted <= most:
            raise InputError(f"{self.name} can keep 1 to {most} numbers of a vector ({why}), not {wanted!r}.")
        return int(wanted)

    def _need_fit(self) -> None:
        if not self.fitted:
            raise InputError(f"this {self.name} has learned nothing yet; call fit first.")


class LinearReducer(Reducer):
    """A reducer that is a matrix: ``(x − mean_) @ components_.T``.

    Attributes:
        mean_: ``(dim,)``.
        components_: ``(n_components_, dim)``.
    """

    learned: ClassVar[tuple[str, ...]] = ("mean_", "components_")
    mean_: Vectors
    components_: Vectors

    def _transform(self, vectors: Vectors) -> Vectors:
        if len(vectors) <= _FEW:
            repeated = np.broadcast_to(self.components_, (len(vectors), *self.components_.shape))
            return -rowwise(vectors - self.mean_, repeated, "inner")
        # the mean goes through the matrix once, and not from every vector
        result: Vectors = vectors @ self.components_.T
        result -= self.components_ @ self.mean_
        return result

    def inverse_transform(self, X: NDArray[Any]) -> Vectors:  # noqa: N803
        """See ``Reducer.inverse_transform``; least squares where the components are not orthonormal."""
        self._need_fit()
        reduced = as_vectors(X, self.n_components_)
        inverse = np.linalg.pinv(self.components_.astype(np.float64)).astype(np.float32)
        result: Vectors = reduced @ inverse.T + self.mean_
        return result

    def _restored(self) -> None:
        rows, columns = self.components_.shape
        if self.mean_.shape != (columns,) or not rows:
            raise ValueError
        self.n_components_, self.n_features_in_ = rows, columns


def blocks(vectors: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """*vectors* in float64, some rows at a time."""
    for at in range(0, len(vectors), BLOCK):
        yield vectors[at : at + BLOCK].astype(np.float64)


def moments(vectors: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean ``(dim,)`` and scatter ``(dim, dim)``, the sum of outer products of what differs from the mean."""
    mean = sum(block.sum(axis=0) for block in blocks(vectors)) / len(vectors)
    scatter = np.zeros((vectors.shape[1],) * 2)
    for block in blocks(vectors):
        gaps = block - mean
        scatter += gaps.T @ gaps
    return np.asarray(mean), scatter


def _matrix(data: ArrayLike) -> NDArray[Any]:
    """*data* as ``(n, dim)``; float16 and float32 arrays stay as they are, so that a mapped file is not copied."""
    array = np.asarray(data) if not isinstance(data, np.ndarray) else data
    if array.ndim != 2 or array.dtype not in (np.float16, np.float32):
        if array.ndim == 1:
            raise InputError(f"vectors to learn from must have shape (n, dim), not {array.shape}.")
        return as_vectors(array)
    for at in range(0, len(array), BLOCK):
        as_vectors(array[at : at + BLOCK])  # NaN and infinity are refused
    return array
