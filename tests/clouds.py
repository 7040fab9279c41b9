"""Clouds of vectors: stretched, labelled, in clusters."""

from __future__ import annotations

import numpy as np

from imagekin.types import Vectors

SPECS = ["pca", "pca:3", "pca:0.9", "pca-whiten:3", "random:3", "lda", "lda:1", "head", "pq:2"]
"""Every reducer, in ways that the labelled cloud allows."""


def stretched(n: int, dim: int, seed: int = 0) -> Vectors:
    """Vectors whose variance falls from one direction to the next, around a mean that is not zero."""
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.standard_normal((dim, dim)))[0]
    made = random.standard_normal((n, dim)) * 2.0 ** -np.arange(dim) @ turn + np.arange(dim)
    return np.asarray(made, np.float32)


def labelled(each: int = 30, dim: int = 6) -> tuple[Vectors, list[str]]:
    """Three labels that differ in directions of little variance only."""
    random = np.random.default_rng(3)
    vectors = random.standard_normal((3 * each, dim)) * ([10, 10] + [1] * (dim - 2))
    vectors[each : 2 * each, 3] += 8
    vectors[2 * each :, 4] += 8
    return vectors.astype(np.float32), ["a"] * each + ["b"] * each + ["c"] * each


def clusters(count: int, dim: int, classes: int, *, seed: int = 0) -> tuple[Vectors, list[str]]:
    """Classes around centres of their own, so near each other that some neighbours are wrong."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, classes, count)
    vectors = random.normal(size=(classes, dim))[codes] + random.normal(size=(count, dim)) * 1.2
    return vectors.astype(np.float32), [f"class {code}" for code in codes]
