"""What is searched in a benchmark: rows, queries that are not among them, and where both come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.distance import as_vectors, check_metric
from imagekin.errors import InputError
from imagekin.types import Vectors

if TYPE_CHECKING:
    from imagekin.collection import Collection

LEAST: Final = 100
"""Vectors below which a figure would say nothing."""

QUERIES: Final = 1_000
"""Queries that are held out unless another number is asked for."""

_BLOCK: Final = 1 << 24


@dataclass(frozen=True)
class Data:
    """Vectors to measure on.

    Attributes:
        name: for people, from a file or a collection, so hostile.
        metric: of ``distance.py``.
        train: the rows, ``(n, dim)``, float16 where that loses nothing, else float32.
        queries: ``(q, dim)`` float32, none of them a row.
        true: distances of each query's nearest rows as its source states them, ``(q, any)``, or None.
    """

    name: str
    metric: str
    train: NDArray[Any]
    queries: Vectors
    true: NDArray[np.float64] | None = field(default=None, compare=False)

    @property
    def dim(self) -> int:
        """Elements of a vector."""
        return int(self.train.shape[1])

    def fingerprint(self) -> str:
        """A hash of everything that a measurement depends on: metric, rows, queries."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.train, self.queries):
            digest.update(f"{self.metric}|{array.shape}|{array.dtype}|".encode())
            step = max(1, _BLOCK // max(1, array.shape[1]))
            for at in range(0, len(array), step):
                digest.update(np.ascontiguousarray(array[at : at + step]).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Name, size and metric, as plain data."""
        rows = {"rows": len(self.train), "dim": self.dim, "queries": len(self.queries)}
        return {"name": self.name, **rows, "metric": self.metric}

    def sample(self, rows: int, *, seed: int = 0) -> Data:
        """The same queries over *rows* of the rows, chosen evenly at random; all of them where there are no more."""
        if rows >= len(self.train):
            return self
        chosen = np.sort(np.random.default_rng(seed).choice(len(self.train), rows, replace=False))
        return replace(self, train=self.train[chosen], true=None)


def of_vectors(
    vectors: ArrayLike, *, name: str = "vectors", metric: str = "cosine", queries: int = QUERIES, seed: int = 0
) -> Data:
    """Hold *queries* of the vectors out at random, at most a tenth of them, and search among the others.

    Args:
        vectors: ``(n, dim)``, n ≥ 100.
        name: for people.
        metric: of ``distance.py``.
        queries: ≥ 1.
        seed: decides which.

    Raises:
        InputError: fewer than 100 vectors, NaN or infinity, or no query wanted.
    """
    found = as_vectors(vectors)
    if len(found) < LEAST:
        raise InputError(f"{name} has {len(found):,} vectors; a measurement needs at least {LEAST}.")
    if queries < 1:
        raise InputError(f"queries must be 1 or more, not {queries}.")
    count = min(queries, len(found) // 10)
    order = np.random.default_rng(seed).permutation(len(found))
    asked, rest = order[:count], np.sort(order[count:])  # any part of the queries is a random one
    return Data(name, check_metric(metric), compact(found[rest]), np.ascontiguousarray(found[asked]))


def of_collection(photos: Collection, *, queries: int = QUERIES, limit: int | None = None, seed: int = 0) -> Data:
    """A collection's own vectors, some of them held out as queries.

    Args:
        photos: a collection of at least 100 images.
        queries: how many to hold out, at most a tenth.
        limit: take only so many of the vectors, at random.
        seed: decides which.

    Raises:
        InputError: fewer than 100 images.
    """
    from pathlib import Path

    name = Path(photos.location).name or photos.location
    if len(photos) < LEAST:
        raise InputError(
            f"the collection {name} has {len(photos):,} images; a measurement needs at least {LEAST}: "
            "index more, or measure on other vectors with --hdf5 or --pixels."
        )
    _, vectors = photos.vectors()
    chosen = limited(len(vectors), limit, seed)
    return of_vectors(vectors[chosen], name=name, metric=photos.store.metric, queries=queries, seed=seed)


def limited(count: int, limit: int | None, seed: int) -> NDArray[np.int64] | slice:
    """Which of *count* rows to take where at most *limit* are wanted.

    Raises:
        InputError: *limit* is below 100.
    """
    if limit is not None and limit < LEAST:
        raise InputError(f"limit must be {LEAST} or more, not {limit}: fewer vectors say nothing.")
    if limit is None or limit >= count:
        return slice(None)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False)).astype(np.int64)


def compact(vectors: Vectors) -> NDArray[Any]:
    """The same values as float16 where that loses nothing, as a collection keeps them; else as they are."""
    halves = np.empty(vectors.shape, np.float16)
    step = max(1, _BLOCK // max(1, vectors.shape[1]))
    with np.errstate(over="ignore"):
        for at in range(0, len(vectors), step):
            some = vectors[at : at + step]
            halves[at : at + step] = some
            if not np.array_equal(halves[at : at + step], some):
                return np.ascontiguousarray(vectors)
    return halves
