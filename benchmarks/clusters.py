"""Vectors for large collections: made ones that lie like real ones, the same for the same seed, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

import imagekin
from imagekin.distance import normalized
from imagekin.types import Vectors

NEIGHBOURS: Final = 16
"""Nearest pictures of its own class that a made vector may be mixed from."""

SHIFT: Final = 0.4
NOISE: Final = 0.15
"""Lengths of what is added to a mixture: the difference of two unrelated pictures, and noise in every direction."""

CLASSES: Final = 200


class Clusters:
    """Mixtures of three real embeddings of one class, moved along the difference of two others, plus noise, length 1.

    Mixing neighbours fills the space between them and stays inside the class; the difference of two real embeddings
    moves the mixture in a direction in which real pictures do differ; noise makes every vector new.  Amounts are chosen
    so that made queries see what real ones see among as many rows: distance to the tenth neighbour about 0.34 and an
    intrinsic dimension of about 7 there (maximum likelihood over 50 neighbours; Levina and Bickel, 2004).

    Args:
        base: ``(n, dim)`` embeddings of length 1 to make others from.
        groups: ``(n,)`` class numbers.
    """

    def __init__(self, base: Vectors, groups: NDArray[np.int64]) -> None:
        self.base, self.groups = base, groups
        self.near = _near(base, groups)

    def block(self, seed: int, count: int) -> tuple[Vectors, NDArray[np.int64]]:
        """*count* vectors ``(count, dim)`` and their classes ``(count,)``; *seed* decides which."""
        rng = np.random.default_rng(seed)
        anchors = rng.integers(0, len(self.base), count)
        others = self.near[anchors[:, None], rng.integers(0, self.near.shape[1], (count, 2))]
        parts = rng.dirichlet((1, 1, 1), count).astype(np.float32)
        vectors: Vectors = parts[:, :1] * self.base[anchors]
        for column in (0, 1):
            vectors += parts[:, column + 1 : column + 2] * self.base[others[:, column]]
        one, two = rng.integers(0, len(self.base), (2, count))
        vectors += np.float32(SHIFT) * normalized(self.base[one] - self.base[two])
        noise = rng.standard_normal(vectors.shape, np.float32)
        vectors += np.float32(NOISE / np.sqrt(vectors.shape[1])) * noise
        return normalized(vectors), self.groups[anchors]


def of_collection(folder: Path) -> Clusters:
    """Clusters like the pictures of a collection and their labels."""
    with imagekin.open(folder, create=False) as photos:
        ids, vectors = photos.vectors()
        labels = [item.label or "" for item in photos.get(ids.tolist())]
    return Clusters(normalized(vectors), np.unique(labels, return_inverse=True)[1].astype(np.int64))


def shortened(source: Clusters, dim: int) -> Clusters:
    """The same with embeddings cut to their *dim* principal directions, where they are longer, and to length 1."""
    if source.base.shape[1] <= dim:
        return source
    centred = source.base - source.base.mean(axis=0)
    directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :dim]
    return Clusters(normalized(np.ascontiguousarray(centred @ directions, np.float32)), source.groups)


def made(dim: int, count: int = 8_000) -> Clusters:
    """Clusters where there are no pictures: classes around centres, each with its own few directions of change."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, CLASSES, count)
    centres = rng.gamma(0.5, size=(CLASSES, dim)).astype(np.float32)
    directions = rng.standard_normal((32, dim), np.float32)
    steps = rng.standard_normal((count, 32), np.float32)
    base: Vectors = np.asarray(centres[groups] + 0.1 * (steps @ directions), np.float32)
    return Clusters(normalized(base), groups)


def blocks(source: Clusters, rows: int, size: int) -> Iterator[tuple[int, Vectors, NDArray[np.int64]]]:
    """*rows* vectors in blocks of *size*, each with its first row number, which is also its seed."""
    for start in range(0, rows, size):
        vectors, groups = source.block(start, min(size, rows - start))
        yield start, vectors, groups


def held_out(source: Clusters, count: int) -> Vectors:
    """Queries made the same way that are not among the rows, whatever their number."""
    return source.block(2**40, count)[0]


def _near(base: Vectors, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each vector, the rows of its nearest neighbours of the same class; itself again where the class is small."""
    near = np.repeat(np.arange(len(base))[:, None], NEIGHBOURS, axis=1)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        order = np.argsort(-(base[rows] @ base[rows].T), axis=1)[:, 1 : NEIGHBOURS + 1]
        near[rows, : order.shape[1]] = rows[order]
    return near
