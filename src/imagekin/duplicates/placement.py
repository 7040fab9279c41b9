"""Where one picture lies in another: found by corners that both have, as a scale and a shift along each axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.duplicates.features import Features, Points

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""

ALIKE: Final = 0.82
"""Correlation of two descriptions from which they may show the same corner."""

LEAST: Final = 4
"""Corners that must agree on a placement."""

_TRIED: Final = 48
_PIECE: Final = 250_000
"""Multiplications; OpenBLAS uses one thread up to 2^18."""

_UNEVEN: Final = 1.5
"""How much more a copy may have been stretched along one axis than along the other."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Pixel (x, y) of the placed picture lies at (x · across + left, y · down + top) of the other one.

    Attributes:
        corners: how many corners of both pictures agree on it; 0 where it was not found by corners.
    """

    across: float
    down: float
    left: float
    top: float
    corners: int = 0

    def boxes(self, other: tuple[int, int], placed: tuple[int, int]) -> tuple[Box, Box] | None:
        """What both pictures show, in the pixels of the other one and of the placed one; None for nothing."""
        right, bottom = placed[0] * self.across + self.left, placed[1] * self.down + self.top
        box = max(0.0, self.left), max(0.0, self.top), min(float(other[0]), right), min(float(other[1]), bottom)
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            return None
        back = (
            max(0.0, (box[0] - self.left) / self.across),
            max(0.0, (box[1] - self.top) / self.down),
            min(float(placed[0]), (box[2] - self.left) / self.across),
            min(float(placed[1]), (box[3] - self.top) / self.down),
        )
        return (box, back) if back[2] - back[0] >= 1 and back[3] - back[1] >= 1 else None


def whole(other: tuple[int, int], placed: tuple[int, int]) -> Placement:
    """The placement by which both show the same from edge to edge."""
    return Placement(other[0] / placed[0], other[1] / placed[1], 0.0, 0.0)


def found(other: Features, placed: Features) -> Placement | None:
    """The placement that the most corners agree on, or None where fewer than four do.

    Every two of the best matches propose a placement of one scale; the one with the most agreement is fitted to all
    that agree, along each axis by itself, so that a copy may have been squeezed.
    """
    matches = _matches(other, placed)
    if matches is None:
        return None
    there, here, ratio = matches
    tolerance = max(2.0, 0.015 * max(other.size))
    agree = _best(there[:_TRIED], here[:_TRIED], ratio[:_TRIED], (there, here, ratio, tolerance))
    if agree is None:
        return None
    placement = _fitted(there[agree], here[agree])
    for _ in range(2):
        agree = _agreeing(placement, there, here, tolerance) & _scaled(ratio, placement)
        if np.count_nonzero(agree) < LEAST:
            return None
        placement = _fitted(there[agree], here[agree])
    corners = min(_different(there[agree]), _different(here[agree]))
    even = 1 / _UNEVEN < placement.across / placement.down < _UNEVEN
    if corners < LEAST or not even:
        return None
    return Placement(placement.across, placement.down, placement.left, placement.top, corners)


def _matches(other: Features, placed: Features) -> tuple[Points, Points, NDArray[np.float32]] | None:
    """Points of corners that are each other's likest, likest first, and the ratio of the scales they were seen at."""
    if len(other) < LEAST or len(placed) < LEAST:
        return None
    alike = _products(placed.seen.astype(np.float32), other.seen.astype(np.float32))
    best, back = alike.argmax(axis=1), alike.argmax(axis=0)
    mine = np.flatnonzero((back[best] == np.arange(len(placed))) & (alike[np.arange(len(placed)), best] > ALIKE))
    if len(mine) < LEAST:
        return None
    mine = mine[np.argsort(-alike[mine, best[mine]], kind="stable")]
    theirs = best[mine]
    return other.points[theirs], placed.points[mine], other.scales[theirs] / placed.scales[mine]


def _products(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of all rows, in pieces so small that BLAS stays on one thread.

    The threads that run this share the work already, and each would wait for the others' threads.
    """
    products = np.empty((len(one), len(other)), np.float32)
    step = max(1, _PIECE // other.size)
    for at in range(0, len(one), step):
        np.matmul(one[at : at + step], other.T, out=products[at : at + step])
    return products


def _best(
    there: Points, here: Points, ratio: NDArray[np.float32], every: tuple[Points, Points, NDArray[np.float32], float]
) -> NDArray[np.bool_] | None:
    """Which of *every* match agree with the best placement that two of the first ones propose."""
    one, two = np.triu_indices(len(there), 1)
    far, near = there[one] - there[two], here[one] - here[two]
    long, short = np.hypot(far[:, 0], far[:, 1]), np.hypot(near[:, 0], near[:, 1])
    scale = long / np.maximum(short, 1e-3)
    straight = np.hypot(*(far - scale[:, None] * near).T) < 0.12 * long + 1
    sensible = (short > 6) & (long > 4) & straight
    for end in (one, two):
        sensible &= np.abs(np.log(scale / ratio[end] + 1e-9)) < 0.35
    chosen = np.flatnonzero(sensible)
    if not len(chosen):
        return None
    scale = scale[chosen]
    shift = (there[one[chosen]] + there[two[chosen]] - scale[:, None] * (here[one[chosen]] + here[two[chosen]])) / 2
    all_there, all_here, all_ratio, tolerance = every
    gaps = all_there - (scale[:, None, None] * all_here + shift[:, None])
    agree = (np.hypot(gaps[..., 0], gaps[..., 1]) < 2 * tolerance) & (np.abs(np.log(all_ratio / scale[:, None])) < 0.45)
    winner = agree[int(np.argmax(agree.sum(axis=1)))]
    return winner if np.count_nonzero(winner) >= LEAST else None


def _fitted(there: Points, here: Points) -> Placement:
    """The least-squares placement; of one scale for both axes where the points lie too close along one of them."""
    mean, mine = there.mean(axis=0), here.mean(axis=0)
    out, centred = there - mean, here - mine
    spread, product = (centred * centred).sum(axis=0), (centred * out).sum(axis=0)
    both = float(product.sum() / max(float(spread.sum()), 1e-9))
    enough = spread > 0.1 * spread.sum() if len(there) >= 6 else np.zeros(2, np.bool_)
    across, down = (
        float(product[axis] / spread[axis]) if enough.all() and product[axis] > 0 else max(both, 1e-3)
        for axis in (0, 1)
    )
    return Placement(across, down, float(mean[0] - across * mine[0]), float(mean[1] - down * mine[1]))


def _agreeing(placement: Placement, there: Points, here: Points, tolerance: float) -> NDArray[np.bool_]:
    gaps = there - here * (placement.across, placement.down) - (placement.left, placement.top)
    return np.asarray(np.hypot(gaps[:, 0], gaps[:, 1]) < tolerance)


def _scaled(ratio: NDArray[np.float32], placement: Placement) -> NDArray[np.bool_]:
    scale = np.sqrt(placement.across * placement.down)
    return np.asarray(np.abs(np.log(ratio / scale)) < 0.45)


def _different(points: Points) -> int:
    """How many of the points are not the same corner seen at another size: cells of six pixels they fall into."""
    return len({(int(x) // 6, int(y) // 6) for x, y in points.tolist()})
