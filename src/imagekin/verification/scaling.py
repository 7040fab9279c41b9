"""From distances to probabilities: by a logistic curve (Platt) or by steps that only ever fall (isotonic)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError
from imagekin.metrics import logistic
from imagekin.metrics.verification import Numbers

_KNOTS: Final = 100


class Scaling(ABC):
    """A fall of log-odds with the distance, as if a pair were genuine as often as not."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, distances: Numbers, same: NDArray[np.bool_], weights: Numbers) -> Self:
        """Learn it from pairs ``(n,)``, some genuine and some not, genuine ones having half of the weight in all."""

    @abstractmethod
    def log_odds(self, distances: ArrayLike) -> Numbers:
        """The log-odds that pairs at these distances are genuine."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """As plain data, with the ``name``."""

    @classmethod
    @abstractmethod
    def of_dict(cls, data: Mapping[str, Any]) -> Self:
        """What ``to_dict`` wrote.

        Raises:
            InputError: it cannot have.
        """

    def probability(self, distances: ArrayLike, prior: float = 0.5) -> Numbers:
        """The probability that pairs are genuine, where a share *prior* of all pairs is."""
        odds: Numbers = self.log_odds(distances) + np.log(prior / (1 - prior))
        return logistic.probability(odds)


class Platt(Scaling):
    """A logistic curve: log-odds that fall along a straight line.

    Platt, "Probabilistic outputs for support vector machines", 1999, with his targets, which are a little short of
    0 and 1, and Newton's method.

    Args:
        slope: per unit of distance, below 0 where near pairs are genuine.
        level: at distance 0.
    """

    name = "platt"

    def __init__(self, slope: float, level: float) -> None:
        self.slope, self.level = slope, level

    @classmethod
    def fit(cls, distances: Numbers, same: NDArray[np.bool_], weights: Numbers) -> Self:
        """See ``Scaling.fit``."""
        middle, spread = float(distances.mean()), max(float(distances.std()), 1e-12)
        rows = np.column_stack([(distances - middle) / spread, np.ones(len(distances))])
        positive, negative = int(same.sum()), int((~same).sum())
        wanted = np.where(same, (positive + 1) / (positive + 2), 1 / (negative + 2))
        found = logistic.fitted(rows, wanted, weights)
        slope = min(0.0, float(found[0])) / spread
        return cls(slope, float(found[1]) - slope * middle)

    def log_odds(self, distances: ArrayLike) -> Numbers:
        """See ``Scaling.log_odds``."""
        odds: Numbers = self.slope * np.asarray(distances, np.float64) + self.level
        return odds

    def to_dict(self) -> dict[str, Any]:
        """See ``Scaling.to_dict``."""
        return {"name": self.name, "slope": self.slope, "level": self.level}

    @classmethod
    def of_dict(cls, data: Mapping[str, Any]) -> Self:
        """See ``Scaling.of_dict``."""
        slope, level = _numbers([data.get("slope"), data.get("level")])
        if slope > 0:
            raise InputError(f"a probability that rises with the distance (slope {slope:g}) is none of imagekin's.")
        return cls(slope, level)


class Isotonic(Scaling):
    """Whatever falls and fits best, found by pooling neighbours that rise (Ayer and others, 1955), joined by lines.

    One genuine pair and one impostor are added at either end, so that no probability is 0 or 1 for want of a
    counterexample (Brümmer, de Villiers: "The BOSARIS toolkit", 2011).

    Args:
        places: distances, ascending, ``(n,)``.
        odds: log-odds there, never rising.
    """

    name = "isotonic"

    def __init__(self, places: Numbers, odds: Numbers) -> None:
        self.places, self.odds = places, odds

    @classmethod
    def fit(cls, distances: Numbers, same: NDArray[np.bool_], weights: Numbers) -> Self:
        """See ``Scaling.fit``."""
        shares = weights / weights.sum()
        one, other = float(shares[same].mean()), float(shares[~same].mean())
        ends = np.repeat([distances.min(), distances.max()], 2)
        places = np.concatenate([ends[:2], distances, ends[2:]])
        genuine = np.concatenate([[one, 0], np.where(same, shares, 0), [one, 0]])
        total = np.concatenate([[one, other], shares, [one, other]])
        steps, member = np.unique(places, return_inverse=True)
        counts = [np.bincount(member, each, len(steps)) for each in (genuine, total, total * places)]
        blocks = _pooled(np.column_stack(counts))
        likely = np.clip(blocks[:, 0] / blocks[:, 1], 1e-9, 1 - 1e-9)
        keep = np.unique(np.linspace(0, len(blocks) - 1, min(_KNOTS, len(blocks))).round().astype(np.int64))
        return cls((blocks[:, 2] / blocks[:, 1])[keep], np.log(likely / (1 - likely))[keep])

    def log_odds(self, distances: ArrayLike) -> Numbers:
        """See ``Scaling.log_odds``."""
        odds: Numbers = np.interp(np.asarray(distances, np.float64), self.places, self.odds)
        return odds

    def to_dict(self) -> dict[str, Any]:
        """See ``Scaling.to_dict``."""
        return {"name": self.name, "places": self.places.tolist(), "odds": self.odds.tolist()}

    @classmethod
    def of_dict(cls, data: Mapping[str, Any]) -> Self:
        """See ``Scaling.of_dict``."""
        places, odds = _numbers(data.get("places")), _numbers(data.get("odds"))
        if len(places) != len(odds) or (np.diff(places) < 0).any() or (np.diff(odds) > 1e-9).any():
            raise InputError("the steps of a probability do not ascend by distance and fall, as those of imagekin do.")
        return cls(places, odds)


SCALINGS: Final[Mapping[str, type[Scaling]]] = {each.name: each for each in (Platt, Isotonic)}


def _pooled(steps: Numbers) -> Numbers:
    """Neighbouring steps ``(genuine, weight, weight × place)`` made one until the share of genuine ones never rises."""
    blocks: list[tuple[float, float, float]] = []
    for step in steps.tolist():
        genuine, weight, moment = step
        while blocks and blocks[-1][0] * weight <= genuine * blocks[-1][1]:
            before = blocks.pop()
            genuine, weight, moment = genuine + before[0], weight + before[1], moment + before[2]
        blocks.append((genuine, weight, moment))
    return np.array(blocks)


def _numbers(values: Any) -> Numbers:
    fits = isinstance(values, list) and 1 <= len(values) <= 10 * _KNOTS
    if not fits or not all(isinstance(each, int | float) and np.isfinite(each) for each in values):
        raise InputError("the curve of a probability is not made of finite numbers, as those of imagekin are.")
    return np.array(values, np.float64)
