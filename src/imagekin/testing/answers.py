"""What an engine should answer, worked out the slow way: distances by the textbook, in float64."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from imagekin.types import Distances, Ids, Vectors

TOLERANCE: Final = 1e-5
"""Largest difference of a distance from its true value, relative to the largest true one where that is above 1."""


def clustered(count: int, dim: int, seed: int = 0) -> Vectors:
    """Vectors in clusters of about ten, ``(count, dim)``, of lengths around 1."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, count // 10), dim))
    vectors = centres[random.integers(0, len(centres), count)] + 0.3 * random.standard_normal((count, dim))
    result: Vectors = (vectors / np.sqrt(dim)).astype(np.float32)
    return result


def slow_distances(query: Any, vectors: Any, metric: str) -> list[float]:
    """Distances of one query by the textbook, in float64, one row at a time."""
    q, rows = np.asarray(query, np.float64), np.asarray(vectors, np.float64).reshape(-1, len(query))
    if metric == "euclidean":
        return [float(np.sqrt(((row - q) ** 2).sum())) for row in rows]
    products = [float((row * q).sum()) for row in rows]
    if metric == "inner":
        return [-product for product in products]
    lengths = [float(np.sqrt((row * row).sum() * (q * q).sum())) for row in rows]
    return [1 - product / length if length else 1.0 for product, length in zip(products, lengths, strict=True)]


def check_answer(
    answer: tuple[Ids, Distances], queries: Any, known: dict[int, Any], metric: str, *, recall: float = 1.0
) -> None:
    """Shapes, order, padding, true distances, and the share of the true nearest, by a slow loop over *known*."""
    ids, distances = answer
    count, k = len(queries), ids.shape[-1]
    expect(ids.shape == distances.shape == (count, k), f"shapes {ids.shape}, {distances.shape} for {count} queries")
    expect(ids.dtype == np.int64 and distances.dtype == np.float32, f"types {ids.dtype}, {distances.dtype}")
    names, vectors = list(known), list(known.values())
    shares = []
    for query, line, gaps in zip(queries, ids.tolist(), distances.tolist(), strict=True):
        true = dict(zip(names, slow_distances(query, vectors, metric), strict=True))
        within = TOLERANCE * max([1.0, *map(abs, true.values())])
        want = min(k, len(true))
        expect(line[want:] == [-1] * (k - want) and gaps[want:] == [np.inf] * (k - want), f"padding {line}, {gaps}")
        expect(len(set(line[:want])) == want, f"{want} different ids must come, not {line}")
        expect(set(line[:want]) <= set(true), f"ids {set(line[:want]) - set(true)} may not be returned")
        pairs = list(zip(gaps[:want], line[:want], strict=True))
        expect(pairs == sorted(pairs), f"not ascending by (distance, id): {pairs}")
        for gap, name in pairs:
            expect(abs(gap - true[name]) <= within, f"id {name} is at {true[name]}, not at {gap}")
        if want:
            limit = sorted(true.values())[want - 1] + within
            shares.append(np.mean([true[name] <= limit for name in line[:want]]))
    expect(not shares or float(np.mean(shares)) >= recall, f"recall {np.mean(shares or [1])} is below {recall}")


def expect(holds: bool, message: str) -> None:
    """Raise AssertionError with *message* unless *holds*; unlike ``assert`` it works under ``python -O`` too."""
    if not holds:
        raise AssertionError(message)
