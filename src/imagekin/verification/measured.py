"""Error rates of pairs, with intervals and on identities that thresholds were not found on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from imagekin.distance import similarity
from imagekin.metrics.verification import Errors, Numbers, equal_error, place_at, smallest_rate
from imagekin.verification.pairs import Flags, Pairs, Whole
from imagekin.verification.records import Kind, Rate

LEVELS: Final = (0.1, 0.01, 0.001)
"""FAR that are always told."""

RESAMPLES: Final = 400
FOLDS: Final = 5

_POINTS: Final = 200
_SHOWN: Final = 2_000


def kinds(pairs: Pairs, distances: Numbers, metric: str, *, folds: Whole | None, seed: int) -> tuple[Kind, ...]:
    """How well each kind of impostors is told from genuine pairs.

    Args:
        pairs: checked.
        distances: of them, ``(p,)``.
        metric: of ``distance.py``.
        folds: of the rows of the vectors, as ``parted`` gives them.
        seed: of the bootstrap.
    """
    numbers = [number for number in range(len(pairs.kinds)) if pairs.of_kind(number).any()]
    return tuple(_kind(pairs, distances, number, metric=metric, folds=folds, seed=seed) for number in numbers)


def parted(pairs: Pairs, seed: int) -> Whole | None:
    """A fold for each row of the vectors, ``(n,)``, no identity in two; None where there are too few to part them."""
    groups = int(pairs.groups.max()) + 1
    random = np.random.default_rng(seed)
    for count in range(FOLDS, 1, -1):
        if groups < 2 * count:
            continue
        folds = (random.permutation(groups) % count)[pairs.groups]
        if all(_whole(pairs, *halves) for halves in halved(pairs, folds)):
            return folds
    return None


def halved(pairs: Pairs, folds: Whole) -> Iterator[tuple[Flags, Flags]]:
    """For each fold the pairs to learn from and those to test on; pairs that reach across are in neither."""
    left, right = folds[pairs.rows].T
    for fold in range(int(folds.max()) + 1):
        yield (left != fold) & (right != fold), (left == fold) & (right == fold)


def shown(distances: Numbers, metric: str, seed: int) -> tuple[float, ...]:
    """Similarities of some of the pairs, for a histogram."""
    order = np.random.default_rng(seed).permutation(len(distances))[:_SHOWN]
    return tuple(similarity(gap, metric) for gap in distances[order].tolist())


def _whole(pairs: Pairs, learn: Flags, test: Flags) -> bool:
    """Whether both halves have pairs of both sorts."""
    return all((half & sort).any() for half in (learn, test) for sort in (pairs.same, ~pairs.same))


def _kind(pairs: Pairs, distances: Numbers, number: int, *, metric: str, folds: Whole | None, seed: int) -> Kind:
    other = pairs.of_kind(number)
    errors = Errors(distances[pairs.same], distances[other])
    far, frr = errors.rates()
    levels = [level for level in LEVELS if level == LEVELS[0] or level * other.sum() >= 1]
    eer, tars = _intervals(pairs, errors, other, levels=levels, seed=seed)
    low, high = eer
    rates = []
    for level, (least, most) in zip(levels, tars, strict=True):
        at = place_at(far, level)
        gap = float(errors.thresholds[at])
        rates.append(
            Rate(
                far=level, threshold=gap, similarity=similarity(gap, metric) if np.isfinite(gap) else 1.0,
                tar=float(1 - frr[at]), low=least, high=most,
                held_out=None if folds is None else _held_out(pairs, distances, other, folds=folds, level=level),
                honest=level >= smallest_rate(int(other.sum())),
            )
        )  # fmt: skip
    thin, (threshold, there) = _thin(far, frr), errors.equal()
    return Kind(
        pairs.kinds[number], int(other.sum()), equal_error(far, frr), low, high, threshold, there, tuple(rates),
        tuple(far[thin].tolist()), tuple(frr[thin].tolist()), shown(distances[other], metric, seed),
    )  # fmt: skip


def _held_out(pairs: Pairs, distances: Numbers, other: Flags, *, folds: Whole, level: float) -> float | None:
    """The share of impostors that pass thresholds which were found on other identities."""
    passed = total = 0
    for learn, test in halved(pairs, folds):
        if not (learn & other).any():
            continue
        errors = Errors(distances[learn & pairs.same], distances[learn & other])
        gap = errors.thresholds[place_at(errors.rates()[0], level)]
        passed += int((distances[test & other] <= gap).sum())
        total += int((test & other).sum())
    return passed / total if total else None


def _intervals(
    pairs: Pairs, errors: Errors, other: Flags, *, levels: list[float], seed: int
) -> tuple[tuple[float, float], list[tuple[float, float]]]:
    """95 % intervals of the EER and of the TAR at each level.

    Pairs of one person fail together, so identities are drawn with replacement, and a pair counts as often as both of
    its identities were drawn (Fogliato and others, "Confidence intervals for error rates in 1:1 matching tasks", 2023).
    """
    groups = int(pairs.groups.max()) + 1
    left, right = pairs.groups[pairs.rows].T
    within = left == right
    random = np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(random.integers(0, groups, groups), minlength=groups).astype(np.float64)
        weights = np.where(within, drawn[left], drawn[left] * drawn[right])
        same, wrong = weights[pairs.same], weights[other]
        if same.any() and wrong.any():
            far, frr = errors.rates(same, wrong)
            found.append([equal_error(far, frr), *(1 - frr[place_at(far, level)] for level in levels)])
    ends = np.percentile(np.array(found), (2.5, 97.5), axis=0).T.tolist()
    return tuple(ends[0]), [tuple(pair) for pair in ends[1:]]


def _thin(far: Numbers, frr: Numbers) -> Whole:
    """Places that draw the curve, dense where rates are small."""
    places = [0, len(far) - 1]
    for rates in (far, 1 - frr):
        wanted = np.concatenate([np.geomspace(1e-5, 1, _POINTS // 4), np.linspace(0, 1, _POINTS // 4)])
        places.extend(np.searchsorted(rates, wanted).tolist())
    return np.unique(np.clip(places, 0, len(far) - 1))
