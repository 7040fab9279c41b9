"""An engine of inverted lists: a search visits some of them, and ranks the best candidates anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from imagekin.index.effort import ladder
from imagekin.index.tuned import Tuned


class Lists(Tuned):
    """The part that engines of inverted lists share; the adapter sets ``_lists``, how many there are.

    Attributes:
        room: how many times the candidates wanted the lists that are visited hold on average, at least.
    """

    knob: ClassVar[str] = "nprobe"
    factors: ClassVar[Sequence[int]] = (1, 2, 4, 7, 10, 20, 40, 80)
    room: ClassVar[int] = 1
    _lists: int = 1

    def _widths(self) -> Sequence[float]:
        return ladder(1, self._lists)

    def _reranks(self) -> Sequence[int]:
        return self.factors

    def _visited(self, candidates: int, width: float) -> int:
        """How many lists to visit for so many candidates."""
        return min(self._lists, max(int(width), self.room * candidates * self._lists // len(self._rows) + 1))
