"""An engine with one setting that trades time for recall: chosen on held-out rows when the index is built."""

from __future__ import annotations

import json
import logging
import math
import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.index import scan
from imagekin.index.base import Index
from imagekin.index.best import Found, rescored
from imagekin.index.factory import held_out_last
from imagekin.index.rows import Mask, Rows, prepared
from imagekin.types import Vectors

log = logging.getLogger(__name__)

_K: Final = 10
_BLOCK: Final = 16384
_FEW: Final = 20
"""Held-out rows below which nothing is learnt; the widest setting serves then, which costs little on so few rows."""

_STATE: Final = "engine.json"


class Tuned(Index):
    """The part that engines with a *width* share: candidates kept, nodes visited, or how far around to look.

    The index is first filled without a few random rows, which then are the queries: rows inside are too easy, as a
    graph leads from each straight to its neighbours.  The least width that finds the asked share of the true 10
    nearest, by distance so that ties count, and one standard error more, is kept.  Where no width does, searches are
    exact and the log says so.

    Attributes:
        knob: the parameter that fixes the width; None there = tuned.
        width: what searches use; None = no width is enough.
        reached: recall measured at that width, None where it was given or there were too few rows to measure.
        factor: candidates to re-rank for each hit (see ``_rerank``).
    """

    knob: ClassVar[str] = "ef"

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        recall = self.parameters["recall"]
        if isinstance(recall, bool) or not isinstance(recall, (int, float)) or not 0 < recall <= 1:
            raise InputError(f"recall must be above 0 and at most 1, not {recall!r}.")
        for name in self.options.keys() - {"recall"}:
            self._check_option(name, self.parameters[name])
        self.width: float | None = self.parameters[self.knob]
        self.reached: float | None = None
        self.factor = self._factors()[-1]
        self._counted = 0
        self._threads = int(self.parameters.get("threads") or 0) or cores()

    def _check_option(self, name: str, value: Any) -> None:
        """Options are whole numbers of the kind of their default unless an engine says otherwise."""
        least = 0 if self.options[name] == 0 else 1
        optional = self.options[name] is None
        if value is None and optional:
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{self.engine}'s {name} must be a whole number of {least} or more, not {value!r}.")

    @abstractmethod
    def _clear(self, count: int) -> None:
        """Begin an empty structure for *count* rows."""

    @abstractmethod
    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        """Add rows by number."""

    @abstractmethod
    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        """``_search`` at a given width; called with widths other than ``self.width`` only after ``_tell``."""

    def _finish(self) -> None:
        """All rows of a fill have been taken."""

    def _tell(self, width: float) -> None:
        """Searches will be at this width, for engines that keep it."""

    def _ladder(self, count: int) -> Sequence[float]:
        """Widths to try, ascending; by default candidates from 10 on, each 1.4 times the one before."""
        steps = [round(_K * 2 ** (step / 2)) for step in range(22)]
        return [step for step in steps if step < count] + [min(count, steps[-1] * 2)]

    def _factors(self) -> Sequence[int]:
        """Numbers of candidates a hit to try, ascending; 0 where the engine's distances are exact."""
        return (0,)

    def _grown(self, width: float, ratio: float) -> float:
        """The width for *ratio* times as many rows as it was chosen on, until a rebuild chooses anew.

        Measured: 5 times the rows need 3.5 times the candidates of an HNSW graph for the same recall.
        """
        return float(round(width * ratio**0.8))

    @property
    def wants_rebuild(self) -> bool:
        """As ``Index``; also when the index has doubled since its width was chosen."""
        stale = self.parameters[self.knob] is None and 0 < 2 * self._counted < self._built
        return stale or super().wants_rebuild

    def _least(self) -> int:
        return 64

    def _rerank(self) -> int:
        return self.factor

    def _build(self) -> None:
        given, factors, count = self.parameters[self.knob], self._factors(), len(self._rows)
        order, held_out = held_out_last(self._rows)
        self._counted, self.reached, self.factor = count, None, factors[-1]
        if held_out < _FEW or (given is not None and len(factors) == 1):
            self._fill(np.arange(count))
            self._set(given if given is not None else self._ladder(count)[-1])
            return
        self._fill(order[:-held_out])
        self._tune(_Probe(self._rows, self.metric, order[-held_out:]), given)
        if self.can_add:
            self._feed(order[-held_out:])
        else:
            self._fill(np.arange(count))
        if self.width is not None:
            self._tell(self.width)

    def _fill(self, rows: NDArray[np.int64]) -> None:
        self._clear(len(self._rows))
        self._feed(rows)
        self._finish()

    def _feed(self, rows: NDArray[np.int64]) -> None:
        for at in range(0, len(rows), _BLOCK):
            some = rows[at : at + _BLOCK]
            self._take(some, prepared(self._rows.gather(some), self.metric))

    def _set(self, width: float) -> None:
        self.width = width
        self._tell(width)

    def _tune(self, probe: _Probe, given: float | None) -> None:
        factors, target = self._factors(), float(self.parameters["recall"])
        ladder = self._ladder(len(self._rows) - len(probe)) if given is None else [given]

        def passes(width: float) -> bool:
            self._tell(width)
            fetch = _K * max(1, self.factor)
            return probe.recall(lambda queries: self._ask(queries, fetch, width, None)[0], target)

        for factor in factors:
            self.factor = factor
            if len(factors) > 1 and factor != factors[-1] and not passes(ladder[-1]):
                continue
            self.width = least_passing(ladder, passes)
            if self.width is not None:
                passes(self.width)
            self.reached = probe.reached
            if self.width is not None:
                return
        if given is not None:
            self.width = given
            return
        log.warning(
            "%s finds %.3f of the nearest at most, below the recall of %s that was asked for: searches are exact; "
            "ask for less or choose another engine", self.engine, probe.reached, target
        )  # fmt: skip

    def _append(self, start: int, vectors: Vectors) -> None:
        self._take(np.arange(start, start + len(vectors)), vectors)
        if self.parameters[self.knob] is None and self.width is not None and self._counted:
            before, now = max(1.0, start / self._counted), max(1.0, (start + len(vectors)) / self._counted)
            self._set(self._grown(self.width, now / before))

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        if self.width is None:
            return scan.nearest(self._rows, queries, k, self.metric, allowed=self._only_built(allowed))
        return self._ask(queries, k, self.width, allowed)

    def _reach(self, k: int, width: float) -> int:
        """Candidates to ask a graph for, whose breadth is the larger of the width and this: k alone up to 10.

        Further hits need more room than their own number to be found as surely as the first ten.
        """
        return k if k <= _K * max(1, self.factor) else min(self._built, k + int(width))

    def _save(self, folder: Path) -> None:
        state = {"width": self.width, "reached": self.reached, "factor": self.factor, "counted": self._counted}
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        self._write(folder)

    def _open(self, folder: Path) -> None:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        self.width, self.reached = state["width"], state["reached"]
        self.factor, self._counted = int(state["factor"]), int(state["counted"])
        self._read(folder)
        if self.width is not None:
            self._tell(self.width)

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write the engine's files."""

    @abstractmethod
    def _read(self, folder: Path) -> None:
        """Read what ``_write`` wrote."""


def least_passing(ladder: Sequence[float], passes: Callable[[float], bool]) -> float | None:
    """The least width that passes, to within about a tenth; None if none on the *ladder* (ascending) does."""
    place = next((place for place, width in enumerate(ladder) if passes(width)), None)
    if not place:
        return None if place is None else ladder[0]
    low, high = ladder[place - 1], ladder[place]
    for _ in range(2):
        middle = (low + high) / 2 if isinstance(high, float) else (low + high) // 2
        if middle == low:
            break
        if passes(middle):
            high = middle
        else:
            low = middle
    return high


def converted(keys: NDArray[np.float32], metric: str) -> NDArray[np.float32]:
    """Distances from the keys that most graphs rank by: ‖q − x‖² for euclidean, 1 − ⟨q, x⟩ otherwise; in place."""
    if metric == "inner":
        return np.subtract(keys, np.float32(1), out=keys)
    np.maximum(keys, 0, out=keys)
    return np.sqrt(keys, out=keys) if metric == "euclidean" else np.minimum(keys, 2, out=keys)


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Probe:
    """Recall@10 for the held-out rows as queries."""

    def __init__(self, rows: Rows, metric: str, held_out: NDArray[np.int64]) -> None:
        inside = rows.live.copy()
        inside[held_out] = False
        self._rows, self._metric, self.given = rows, metric, rows.gather(held_out)
        true = scan.nearest(rows, self.given, _K, metric, allowed=inside)[1][:, -1:]
        self._limit = true + 1e-6 * np.maximum(1, np.abs(true))
        self.reached = 0.0

    def __len__(self) -> int:
        return len(self.given)

    def recall(self, find: Callable[[Vectors], NDArray[np.int64]], target: float) -> bool:
        """Whether the rows found reach the target by a standard error; ``reached`` is the share itself."""
        found = find(prepared(self.given, self._metric))
        distances = rescored(self._rows, self.given, found, _K, self._metric)[1]
        shares = (distances <= self._limit).mean(axis=1)
        self.reached = float(shares.mean())
        return self.reached - float(shares.std()) / math.sqrt(len(shares)) >= target
