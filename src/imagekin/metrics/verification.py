"""Same or different: how often a threshold on distances is wrong, and how sure a distance lets one be.

A pair is *genuine* if both pictures show the same, and an *impostor* otherwise; it is accepted if its distance is at
most the threshold.  FAR is the share of the impostors that are accepted, FRR the share of the genuine pairs that are
not, TAR = 1 − FRR; the equal error rate (EER) is where FAR and FRR meet (ISO/IEC 19795-1:2021).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError

Numbers = NDArray[np.float64]

RULE: Final = 30
"""Errors that a rate rests on before it can be believed: with fewer, the true rate may be half as high again
(Doddington and others, "The NIST speaker recognition evaluation", Speech Communication 31, 2000)."""

_LEVEL: Final = 1e-12
_LEAST: Final = 1e-9


class Errors:
    """The error rates of all thresholds that make a difference.

    Args:
        genuine: distances of genuine pairs, ``(g,)``, g ≥ 1.
        impostor: those of impostors, ``(i,)``, i ≥ 1.

    Attributes:
        thresholds: ``(m + 1,)``, ascending: −inf, which accepts nothing, and every distance that occurs.

    Raises:
        InputError: one of them is empty, or has NaN or infinity.
    """

    def __init__(self, genuine: ArrayLike, impostor: ArrayLike) -> None:
        same, other = np.asarray(genuine, np.float64), np.asarray(impostor, np.float64)
        if same.ndim != 1 or other.ndim != 1 or not len(same) or not len(other):
            raise InputError(
                "error rates need distances of genuine pairs and of impostors, one each or more, not arrays of shape "
                f"{same.shape} and {other.shape}."
            )
        if not (np.isfinite(same).all() and np.isfinite(other).all()):
            raise InputError("distances must be finite, and one of them is NaN or infinity.")
        steps, places = np.unique(np.concatenate([same, other]), return_inverse=True)
        self.thresholds: Numbers = np.concatenate([[-np.inf], steps])
        self._same, self._other = places[: len(same)], places[len(same) :]

    def rates(self, same: Numbers | None = None, other: Numbers | None = None) -> tuple[Numbers, Numbers]:
        """FAR and FRR at each threshold, ``(m + 1,)`` each.

        Args:
            same: what each genuine pair counts, by default 1.
            other: what each impostor counts.
        """
        return self._shares(self._other, other), 1 - self._shares(self._same, same)

    def equal(self) -> tuple[float, float]:
        """The threshold at which the larger of FAR and FRR is least, midway to the next distance, and the FAR there."""
        far, frr = self.rates()
        at = max(1, int(np.argmin(np.maximum(far, frr))))
        return float(self.thresholds[at : at + 2].mean()), float(far[at])

    def _shares(self, places: NDArray[np.intp], weights: Numbers | None) -> Numbers:
        counts = np.bincount(places, weights, len(self.thresholds) - 1)
        total = counts.sum()
        shares = np.concatenate([[0.0], np.cumsum(counts)]) / (total if total > 0 else 1)
        if total > 0:
            shares[-1] = 1.0
        return shares


def equal_error(far: Numbers, frr: Numbers) -> float:
    """The rate at which FAR and FRR meet, between two thresholds by a straight line.

    Args:
        far: ``(m,)``, from 0 upwards.
        frr: ``(m,)``, down to 0.
    """
    at = int(np.argmax(far >= frr))
    if at == 0:
        return float(far[0])
    before, after = far[at - 1] - frr[at - 1], far[at] - frr[at]
    share = before / (before - after)
    return float(far[at - 1] + share * (far[at] - far[at - 1]))


def place_at(far: Numbers, level: float) -> int:
    """The place of the last threshold whose FAR is at most *level*; 0, which accepts nothing, always is one."""
    return int(np.searchsorted(far, level + _LEVEL, side="right")) - 1


def smallest_rate(impostors: int) -> float:
    """The smallest FAR that so many impostors can speak of, 30 of them being accepted."""
    return min(1.0, RULE / impostors)


def log_loss(same: NDArray[np.bool_], likely: Numbers, weights: Numbers) -> float:
    """The mean of −log₂ of the probability that was given to what is the case, in bits; 1 is what a coin reaches.

    With genuine pairs and impostors of equal weight this is the Cllr of Brümmer and du Preez, "Application-independent
    evaluation of speaker detection", Computer Speech & Language 20, 2006.

    Args:
        same: which pairs are genuine, ``(n,)``.
        likely: the probability that each is, ``(n,)``.
        weights: what each counts.
    """
    given = np.where(same, likely, 1 - likely)
    return float(np.average(-np.log2(np.maximum(given, _LEAST)), weights=weights))


def even(same: NDArray[np.bool_], groups: NDArray[np.int64] | None = None) -> Numbers:
    """Weights by which genuine pairs count as much as impostors, and each group of impostors as much as the next.

    Args:
        same: which pairs are genuine, ``(n,)``.
        groups: of the impostors, ``(n,)``; None for one group.
    """
    weights = np.zeros(len(same))
    weights[same] = 0.5 / max(1, int(same.sum()))
    kinds = np.zeros(len(same), np.int64) if groups is None else groups
    found = np.unique(kinds[~same])
    for kind in found:
        fit = ~same & (kinds == kind)
        weights[fit] = 0.5 / len(found) / int(fit.sum())
    return weights


def calibration_error(same: NDArray[np.bool_], likely: Numbers, weights: Numbers, bins: int = 10) -> float:
    """How far off probabilities are on average: |said − true| over bins of equal weight (ECE).

    Arguments as for ``log_loss``; *bins* is how many.
    """
    return float(sum(share * abs(said - true) for said, true, share in reliability(same, likely, weights, bins)))


def reliability(
    same: NDArray[np.bool_], likely: Numbers, weights: Numbers, bins: int = 10
) -> list[tuple[float, float, float]]:
    """For pairs of like probability: the mean of it, the share that is genuine, and their share of the weight."""
    order = np.argsort(likely, kind="stable")
    total = np.cumsum(weights[order])
    found = []
    places = np.minimum((bins * (total - weights[order] / 2) / total[-1]).astype(np.int64), bins - 1)
    for part in range(bins):
        rows = order[places == part]
        if len(rows) and (weight := float(weights[rows].sum())) > 0:
            said = float(np.average(likely[rows], weights=weights[rows]))
            true = float(np.average(same[rows], weights=weights[rows]))
            found.append((said, true, weight / float(total[-1])))
    return found
