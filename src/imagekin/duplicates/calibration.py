"""How near and how alike duplicates are in this very collection: measured on edits of its own pictures.

Some pictures are edited as people edit them.  Their distances to their originals say how far the search must reach;
how well they agree with them, which share of edited copies is recognised.  The same pictures are compared with others
that are near but are most likely no copies, the eleventh to thirtieth neighbours: how well those agree by chance says
how often a stranger is taken for a copy.  A copy among them only makes the estimate worse than the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from imagekin import metrics
from imagekin.duplicates.comparison import CROP, MIRROR, NEAR, ROTATED, SCENE, Comparison

ERROR: Final = 1e-4
"""Share of compared strangers that may be taken for copies, unless another is asked for."""

FLOOR: Final = 0.7
CEILING: Final = 0.9
"""Agreement that is asked for at the least and at the most.

The least is above what most strangers reach that are nearer than those which are measured: shots of one scene, one
after the other.
"""

_TAIL: Final = 0.02
"""Share of the strangers by which the rest of the tail is judged."""

_COPIES: Final = 0.9
"""Agreement from which what was taken for a stranger is a copy that nobody knew of, and is left out of the tail."""

_LEAST_SLOPE: Final = 0.02


@dataclass(frozen=True)
class Calibration:
    """What was measured on a collection; see the module.

    Attributes:
        radius: cosine distance within which copies are looked for.
        threshold: agreement from which a picture counts as a copy.
        error: the share of strangers that was asked for.
        pictures: that were edited; 0 where a collection is too small, and the figures are those of the documentation.
        reached: of each kind, the share of edited copies within the radius.
        found: of each kind, the share that is within the radius and agrees.
        strangers: pairs of strangers that were compared.
        mistaken: how many of them agree.
        start: agreement above which a fiftieth of the strangers lies.
        slope: by how much agreement must rise for the strangers above it to become e times fewer.
        nearest: distances of pictures to their nearest other picture, ascending.
        corners: corners in common from which two pictures show one scene.
    """

    radius: float = 0.25
    threshold: float = 0.7
    error: float = ERROR
    pictures: int = 0
    reached: dict[str, float] = field(default_factory=dict)
    found: dict[str, float] = field(default_factory=dict)
    strangers: int = 0
    mistaken: int = 0
    start: float = 0.4
    slope: float = 0.06
    nearest: tuple[float, ...] = (0.1, 0.2, 0.3)
    corners: int = SCENE

    def chance(self, agreement: float) -> float:
        """The estimated share of strangers that agree as well as this: their tail falls off exponentially."""
        if agreement <= self.start:
            return 1.0
        return min(1.0, _TAIL * math.exp(-(agreement - self.start) / self.slope))

    @property
    def rate(self) -> float:
        """The estimated share of strangers that count as copies."""
        return self.chance(self.threshold)

    @property
    def bound(self) -> float:
        """What that share is at the most by counting alone, at 95 % confidence; 1 where nothing was counted."""
        return metrics.wilson(self.mistaken, self.strangers)[1] if self.strangers else 1.0

    def rarer(self, distance: float) -> float:
        """The share of the collection's pictures whose nearest other picture is farther away than *distance*."""
        return sum(each > distance for each in self.nearest) / len(self.nearest)

    def accepts(self, found: Comparison) -> bool:
        """Whether a comparison shows a copy."""
        return found.contained and found.agreement >= self.threshold

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {**asdict(self), "rate": self.rate, "bound": self.bound}


@dataclass(frozen=True)
class Tried:
    """An edited picture: its kind, its distance to the original, and what the comparison says."""

    kind: str
    distance: float
    comparison: Comparison


@dataclass
class Measured:
    """What a calibration is made of.

    Attributes:
        pictures: that were edited.
        tried: their edits.
        strangers: comparisons of pictures that are most likely no copies.
        nearest: distances of pictures to their nearest other picture.
    """

    pictures: int = 0
    tried: list[Tried] = field(default_factory=list)
    strangers: list[Comparison] = field(default_factory=list)
    nearest: list[float] = field(default_factory=list)


def of(measured: Measured, error: float) -> Calibration:
    """The calibration by what was measured, which is at least one edited picture."""
    tried, strangers, nearest = measured.tried, measured.strangers, measured.nearest
    light = sorted(each.distance for each in tried if each.kind in (NEAR, CROP, MIRROR))
    radius = min(0.5, max(0.05, light[min(len(light) - 1, math.ceil(0.95 * len(light)) - 1)]))
    scores = sorted((score(each) for each in strangers), reverse=True)
    start, slope = _tail(scores)
    drawn = Calibration(radius=radius, error=error, start=start, slope=slope)
    threshold = _threshold(drawn.chance, error)
    kinds = {kind: [each for each in tried if each.kind == kind] for kind in (NEAR, CROP, MIRROR, ROTATED)}
    there = {kind: [each for each in some if each.distance <= radius] for kind, some in kinds.items()}
    good = {kind: sum(score(each.comparison) >= threshold for each in some) for kind, some in there.items()}
    corners = sorted(each.corners for each in strangers)
    return Calibration(
        radius=radius,
        threshold=threshold,
        error=error,
        pictures=measured.pictures,
        reached={kind: len(there[kind]) / len(some) for kind, some in kinds.items() if some},
        found={kind: good[kind] / len(some) for kind, some in kinds.items() if some},
        strangers=len(strangers),
        mistaken=sum(each >= threshold for each in scores),
        start=start,
        slope=slope,
        nearest=tuple(sorted(nearest)) or (0.1, 0.2, 0.3),
        corners=max(SCENE, corners[math.ceil(0.995 * len(corners)) - 1] + 1 if corners else 0),
    )


def score(found: Comparison) -> float:
    """What is compared with the threshold: how well they agree, if one contains the other."""
    return found.agreement if found.contained else 0.0


def _threshold(chance: Callable[[float], float], error: float) -> float:
    steps = range(round(100 * FLOOR), round(100 * CEILING) + 1)
    return next((step / 100 for step in steps if chance(step / 100) <= error), CEILING)


def _tail(scores: Sequence[float]) -> tuple[float, float]:
    """Where the highest scores begin, and their mean excess: the exponential of maximum likelihood."""
    real = [each for each in scores if each < _COPIES]
    if not real:
        return 0.4, 0.06
    count = max(1, math.ceil(_TAIL * len(real)))
    start = max(0.05, real[min(count, len(real) - 1)])
    excess = [max(0.0, each - start) for each in real[:count]]
    return start, max(_LEAST_SLOPE, sum(excess) / count)
