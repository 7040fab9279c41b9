"""What was learned of collections, kept for a while: learning takes longer than proposing."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from imagekin.proposals import background, calibration
from imagekin.proposals.background import Background
from imagekin.proposals.calibration import Calibration
from imagekin.store.base import Store

LASTS: Final = 600.0
"""Seconds for which it is used again, while the collection does not grow by a tenth."""


@dataclass(slots=True)
class Knowledge:
    """What was learned of one collection.

    Attributes:
        dim: length of its vectors.
        newest: its highest id then.
        since: when, by the monotonic clock.
        background: of it.
    """

    dim: int
    newest: int
    since: float
    background: Background
    calibrations: dict[int, Calibration] = field(default_factory=dict)

    def fits(self, store: Store) -> bool:
        """Whether it may be used still."""
        if time.monotonic() - self.since > LASTS or self.dim != store.dim:
            return False
        return 10 * abs(background.newest(store) - self.newest) <= self.newest

    def calibration(self, store: Store, examples: int) -> Calibration:
        """How sure to be of proposals from so many examples."""
        number = calibration.size(examples)
        if number not in self.calibrations:
            self.calibrations[number] = calibration.learned(store, self.background, number)
        return self.calibrations[number]


_KNOWN: Final[WeakKeyDictionary[Store, Knowledge]] = WeakKeyDictionary()
_GUARD: Final = threading.Lock()


def of(store: Store, examples: int) -> tuple[Background, Calibration]:
    """The background of a collection and how sure to be of proposals from so many examples; learned if need be."""
    with _GUARD:
        known = _KNOWN.get(store)
        if known is None or not known.fits(store):
            newest = background.newest(store)
            known = Knowledge(store.dim, newest, time.monotonic(), background.learned(store))
            _KNOWN[store] = known
        return known.background, known.calibration(store, examples)
