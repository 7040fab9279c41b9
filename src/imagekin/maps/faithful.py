"""How far a map can be believed: whether neighbours in truth are neighbours on it, and the other way round."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.evaluation.gallery import Gallery
from imagekin.maps.records import Places

NEAREST: Final = 10
"""Neighbours that are looked at."""

SAMPLE: Final = 1_000
"""Pictures that are asked, drawn at random where there are more; enough for two digits."""


def measure(vectors: NDArray[Any], xy: Places, *, metric: str, seed: int) -> tuple[int, float | None, float | None]:
    """k, the share of the k nearest that a map keeps, and its trustworthiness.

    The share is the mean of |N ∩ M| / k, N being the k nearest by the vectors and M those on the map (Q_NX of Lee and
    Verleysen, 2009).  Trustworthiness (Venna and Kaski, 2001) takes off, for each picture that is among the k nearest
    on the map but not in truth, how far down the true ranking it stands, so that 1 is perfect and about 0.5 is chance.
    Both by exact search, over a sample of pictures against all.

    Args:
        vectors: ``(n, dim)``.
        xy: ``(n, 2)``.
        metric: of the vectors.
        seed: of the sample.

    Returns:
        None for both where there are fewer than four pictures.
    """
    n = len(vectors)
    k = min(NEAREST, (n - 1) // 3)
    if k < 1:
        return 0, None, None
    asked = np.arange(n)
    if n > SAMPLE:
        asked = np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))
    gallery = Gallery(vectors, metric)
    kept, penalty = 0, 0
    for at in range(0, len(asked), gallery.batch):
        rows = asked[at : at + gallery.batch]
        keys = gallery.keys(gallery.take(rows))
        for row, line in zip(rows.tolist(), keys, strict=True):
            same, beyond = _one(line, _nearest(_gaps(xy, row), row, k), row, k)
            kept, penalty = kept + same, penalty + beyond
    worst = k * (2 * n - 3 * k - 1) / 2
    return k, kept / (len(asked) * k), 1 - penalty / (len(asked) * worst)


def _one(line: NDArray[Any], shown: NDArray[np.int64], row: int, k: int) -> tuple[int, int]:
    """How many of those *shown* are among the true k nearest, and how far the others are from being so."""
    line[row] = np.inf
    ranks = 1 + (line[None, :] < line[shown, None]).sum(axis=1)  # the better of equal ones counts for all of them
    return int((ranks <= k).sum()), int(np.maximum(ranks - k, 0).sum())


def _nearest(gaps: NDArray[Any], row: int, k: int) -> NDArray[np.int64]:
    gaps[row] = np.inf
    near = np.argpartition(gaps, k - 1)[:k]
    return np.asarray(near, np.int64)


def _gaps(xy: Places, row: int) -> NDArray[np.float64]:
    """Squared distances on the map; differences first, as neighbours lie close together."""
    apart = xy.astype(np.float64) - xy[row]
    return np.asarray((apart**2).sum(axis=1))
