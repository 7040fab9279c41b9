"""Calibration: what the distances of pairs say, measured, and kept with the collection."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin import reduce
from imagekin.evaluation.labelled import model_of
from imagekin.metrics.verification import Numbers, calibration_error, even, log_loss, reliability, smallest_rate
from imagekin.verification import kept, listed, measured
from imagekin.verification.pairs import Pairs, Whole, of_labels
from imagekin.verification.records import Calibrated, Kind
from imagekin.verification.scaling import SCALINGS, Platt, Scaling

if TYPE_CHECKING:
    from imagekin.collection import Collection

Judged: TypeAlias = "tuple[NDArray[np.bool_], Numbers, Numbers]"
"""Which pairs are genuine, the probability that each was given, and what it counts."""

FEW: Final = 20
"""Identities below which intervals are rough."""


def calibrate(
    photos: Collection,
    pairs: str | os.PathLike[str] | None = None,
    *,
    prior: float = 0.5,
    keep: bool = True,
    seed: int = 0,
) -> Calibrated:
    """Find out from pairs what a collection's distances mean, and keep it with the collection.

    Two ways from distances to probabilities are tried, Platt's and isotonic regression, each on identities that it did
    not learn from, and the one with the smaller log loss is kept, learned from all pairs.

    Args:
        photos: the collection.
        pairs: a CSV file ``a,b,same`` with, if wanted, the columns ``kind`` (``random``, ``skilled``) and
            ``identity_a,identity_b``; or a folder of signatures, genuine and forged, as ``verification.signatures``
            knows them; None to draw pairs from the collection's labels.
        prior: the share of pairs that are the same, where probabilities will be asked for.
        keep: False to measure only.
        seed: of everything drawn at random.

    Raises:
        InputError: no pairs, none of one sort, or such that contradict each other; or the prior makes no sense.
    """
    started, prior = time.perf_counter(), kept.checked_prior(prior)
    data = of_labels(photos, seed=seed) if pairs is None else listed.of_file(photos, pairs, seed=seed)
    distances = data.distances(photos.store)
    folds = measured.parted(data, seed)
    best, losses, judged = _best(data, distances, folds)
    kinds = measured.kinds(data, distances, photos.store.metric, folds=folds, seed=seed)
    found = Calibrated(
        name=data.name, model=model_of(photos), source=data.source, identities=len(np.unique(_shown(data))),
        pictures=len(np.unique(data.rows)), genuine=int(data.same.sum()), kinds=kinds, scaling=best, losses=losses,
        error=calibration_error(*judged) if judged else None, reliability=tuple(reliability(*judged)) if judged else (),
        prior=prior, similarities=measured.shown(distances[data.same], photos.store.metric, seed),
        notes=(*data.notes, *_learned(photos, data), *_notes(data, kinds, folds)), skipped=data.skipped, seed=seed,
        seconds=time.perf_counter() - started,
    )  # fmt: skip
    if keep:
        kept.keep(photos.store, found, SCALINGS[best].fit(distances, data.same, even(data.same, data.kind)))
    return found


def _best(data: Pairs, distances: Numbers, folds: Whole | None) -> tuple[str, dict[str, float], Judged | None]:
    """The scaling with the least loss on identities held out, the losses of all, and how it did; Platt's untried."""
    if folds is None:
        return Platt.name, {}, None
    tried = {name: _held_out(data, distances, kind, folds) for name, kind in SCALINGS.items()}
    losses = {name: log_loss(*each) for name, each in tried.items()}
    best = min(losses, key=losses.__getitem__)
    return best, losses, tried[best]


def _held_out(data: Pairs, distances: Numbers, kind: type[Scaling], folds: Whole) -> Judged:
    """Pairs, the probabilities that a scaling gives them which learned from other identities, and their weights."""
    same, likely, kinds = [], [], []
    for learn, test in measured.halved(data, folds):
        scaling = kind.fit(distances[learn], data.same[learn], even(data.same[learn], data.kind[learn]))
        same.append(data.same[test])
        kinds.append(data.kind[test])
        likely.append(scaling.probability(distances[test]))
    flags = np.concatenate(same)
    return flags, np.concatenate(likely), even(flags, np.concatenate(kinds))


def _shown(data: Pairs) -> Whole:
    """The identities that the pairs show."""
    return data.identities[np.unique(data.rows)]


def _learned(photos: Collection, data: Pairs) -> Iterator[str]:
    """What to know where the distances themselves come from labels, and the pairs from elsewhere."""
    says = photos.store.settings().get("reduce")
    if data.source == "pairs" and says is not None and reduce.create(says["spec"]).needs_labels:
        yield (
            f"The collection compares vectors that {says['spec']} made, which learned from its labels: if these pairs "
            "show pictures that it learned from, new pictures do worse than this says."
        )


def _notes(data: Pairs, kinds: Sequence[Kind], folds: Whole | None) -> Iterator[str]:
    identities = len(np.unique(_shown(data)))
    if folds is None:
        yield (
            f"{identities:,} identities are too few to hold some out, so nothing says how it does on others; give "
            "pairs of more."
        )
    elif identities < FEW:
        yield f"Only {identities:,} identities are shown, so that the 95 % intervals, which are over them, are rough."
    for kind in kinds:
        least = smallest_rate(kind.impostors)
        if not all(rate.honest for rate in kind.rates):
            yield (
                f"{kind.impostors:,} {kind.name} impostors can speak of a false accept rate of {least:.2g} and more; "
                "below, too few pass to be counted on."
            )
