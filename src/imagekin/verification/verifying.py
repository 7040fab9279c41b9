"""Verification: do two pictures show the same?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imagekin.comparing import is_item
from imagekin.distance import rowwise, similarity
from imagekin.errors import InputError
from imagekin.query import Query
from imagekin.verification import kept
from imagekin.verification.records import Verdict

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.types import Vectors


def verify(
    photos: Collection, one: Query | int, other: Query | int, *, far: float | None = None, prior: float | None = None
) -> Verdict:
    """Whether two pictures show the same, as the collection's model sees them and its calibration judges.

    Args:
        photos: a calibrated collection.
        one: a picture as for ``Collection.search``, or the id of an item.
        other: the other one, likewise.
        far: the share of different pairs that may be taken for the same, one of those that were calibrated for; by
            default 1 %, or less where the collection's errors are equal before that.
        prior: the share of such pairs that are the same; None for the one that was calibrated for.

    Raises:
        InputError: the collection is not calibrated (the sentence tells the similarity), or an option makes no sense.
        ImageError: a picture cannot be read.
    """
    store = photos.store
    seen = store.compared(np.concatenate([_vector(photos, each) for each in (one, other)]))
    gap = float(rowwise(seen[:1], seen[1:][None], store.metric)[0, 0])
    alike = similarity(gap, store.metric)
    calibration = kept.of(store)
    if calibration is None:
        why = "was calibrated for other vectors" if kept.is_stale(store) else "is not calibrated"
        raise InputError(
            f"the similarity is {alike:.1%}, but {store.location} {why}, so nothing says whether that is the same: "
            "imagekin calibrate --from-labels, or imagekin calibrate pairs.csv"
        )
    rate, most = calibration.threshold(far)
    given = calibration.prior if prior is None else kept.checked_prior(prior)
    likely = float(calibration.probability([gap], given)[0])
    least = similarity(most, store.metric)
    return Verdict(gap <= most, likely, given, gap, alike, most, least, rate)


def _vector(photos: Collection, wanted: Query | int) -> Vectors:
    """``(1, dim)``."""
    if is_item(wanted):
        photos.get([int(wanted)])  # type: ignore[arg-type]  # says so where there is none
        return photos.store.vectors([int(wanted)])[1]  # type: ignore[arg-type]
    return photos.embed([wanted])  # type: ignore[list-item]
