"""How sure it is that hits show the same as what was searched by, where a collection is calibrated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imagekin.errors import StoreError
from imagekin.store.base import Store
from imagekin.types import Hit
from imagekin.verification import kept


def matches(store: Store, hits: Sequence[Sequence[Hit]]) -> list[list[float]] | None:
    """The probability that each hit shows the same as the one picture that was searched by, a list for each query.

    The hits must be those of single pictures: distances to words, regions and sums of pictures mean something else.
    None where the collection is not calibrated, or was for other vectors, or its calibration is damaged.
    """
    if store.settings().get(kept.SETTING) is None:
        return None
    try:
        calibration = kept.of(store)
    except StoreError:  # info and doctor tell of it
        return None
    if calibration is None:
        return None
    return [calibration.probability(np.array([hit.distance for hit in row], np.float64)).tolist() for row in hits]
