"""An engine with one setting that trades time for recall: chosen when the index is built, and saved along."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import IndexingError
from imagekin.index import effort
from imagekin.index.base import Index
from imagekin.index.best import Found
from imagekin.index.effort import Choice, Effort, K
from imagekin.index.rows import Mask, prepared
from imagekin.pipeline import cores
from imagekin.types import Vectors

_BLOCK: Final = 16384
_WIDEST: Final = 16384
"""Candidates beyond which the exact scan is the quicker way."""

_STATE: Final = "engine.json"
_ORDER: Final = "order.npy"

COMMON: Final[Mapping[str, Any]] = MappingProxyType({"recall": 0.99, "threads": 0})
"""Options of nearly every engine here: the share of the true 10 nearest to find; cores for building and batches."""


class Tuned(Index):
    """The part that engines with a *width* share: candidates kept, lists visited, or how far around to look.

    The structure is first filled without a few random rows, which then are the queries (see ``effort``).  The quickest
    setting that surely finds the asked share of the true 10 nearest, by distance so that ties count, is kept; so is the
    width for 100 hits.  Then the rows are added, or where the library cannot add, all rows are built anew; a given
    setting saves that.  Where no width is enough, searches are exact and the log says so.

    Attributes:
        knob: the option that fixes the width; None there = tuned.  Empty: there is no width.
        factors: candidates for each hit to choose from, where the engine's distances are estimates.
        labels: whether the library knows rows by their numbers; otherwise it counts them as they come.
        tuned: the settings as they were measured; with more rows searches become wider.
    """

    knob: ClassVar[str] = "ef"
    factors: ClassVar[Sequence[int]] = (1,)
    labels: bool = False

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self.tuned = self._now = Effort()
        self._index: Any = None
        self._order: NDArray[np.int64] | None = None
        self._threads = int(self.parameters.get("threads") or 0) or cores()

    @abstractmethod
    def _fill(self, rows: NDArray[np.int64]) -> None:
        """Build the structure of these rows (see ``_vectors`` and ``_pieces``) and of no others."""

    def _take(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        """Add rows by number."""
        raise NotImplementedError

    @abstractmethod
    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        """``_search`` at a given width; rows as the library knows them (see ``labels``), −1 and inf for none."""

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write the engine's files."""

    @abstractmethod
    def _read(self, folder: Path) -> None:
        """Read what ``_write`` wrote; any exception means that it cannot be read."""

    def _tell(self, width: float) -> None:
        """Searches for up to 10 hits will be at this width, for libraries that keep it."""

    def _widths(self) -> Sequence[float]:
        """Widths to choose from, ascending; called when the structure is there."""
        return effort.ladder(K, max(K, min(len(self._rows), _WIDEST)))

    def _reranks(self) -> Sequence[int]:
        """Candidates for each hit to choose from."""
        return self.factors if self._lossy() else (1,)

    def _lossy(self) -> bool:
        """Whether the engine's distances are estimates, so that hits get theirs from the stored vectors."""
        return False

    def _least(self) -> int:
        return 64

    def _rerank(self) -> int:
        return self._now.rerank if self._lossy() and not self._now.hopeless else 0

    def _grown(self, width: float, ratio: float) -> float:
        """The width for *ratio* times as many rows.

        Measured: 5 times the rows need 3.5 times the candidates of an HNSW graph for the same recall.
        """
        return float(math.ceil(width * ratio**0.8))

    @property
    def wants_rebuild(self) -> bool:
        """As ``Index``; also when the index has doubled since its settings were chosen."""
        stale = 0 < 2 * self.tuned.count < self._built and self._measures()
        return stale or super().wants_rebuild

    def _build(self) -> None:
        order, held = effort.held_out_last(self._rows) if self._measures() else (np.arange(len(self._rows)), 0)
        known, sample = np.split(order, [len(order) - held])
        self._begin(known)
        self._tune(sample)
        if held and self._adds():
            for some, vectors in self._pieces(sample):
                self._grow(some, vectors)
        elif held:
            self._begin(np.arange(len(order)))
        if held:
            self._prove(sample)
        self._widen(len(order))

    def _begin(self, rows: NDArray[np.int64]) -> None:
        """Fill the structure anew."""
        natural = self.labels or (len(rows) == len(self._rows) and not self._adds())
        self._index, self._order = None, None if natural else _ended(rows)
        self._fill(rows)

    def _append(self, start: int, vectors: Vectors) -> None:
        self._grow(np.arange(start, start + len(vectors)), vectors)

    def _grow(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        if self._order is not None:
            self._order = _ended(self._order[:-1], rows)
        self._take(rows, vectors)

    def _catch_up(self) -> None:
        super()._catch_up()
        self._widen(self._built)

    @classmethod
    def knobs(cls) -> frozenset[str]:
        """The width and the candidates; see ``Engine``."""
        return frozenset({cls.knob, "rerank"}) & cls.options.keys()

    def _turned(self) -> None:
        width, rerank = self.parameters.get(self.knob), self.parameters.get("rerank")
        widths = {} if width is None else {"width": width, "wide": width}
        factor = {} if rerank is None else {"rerank": int(rerank)}
        self.tuned = replace(self.tuned, **widths, **factor, recall=None, hopeless=False)
        self._widen(self._built)

    def _widen(self, count: int) -> None:
        """Make searches as wide as *count* rows need; what was given stays."""
        measured, ratio = self.tuned, count / max(1, self.tuned.count)
        self._now = measured
        if ratio > 1 and self.parameters.get(self.knob) is None:
            wide = None if measured.wide is None else self._grown(measured.wide, ratio)
            self._now = replace(self._now, width=self._grown(measured.width, ratio), wide=wide)
        if ratio > 1 and self.parameters.get("rerank") is None and measured.rerank > 1:
            self._now = replace(self._now, rerank=math.ceil(measured.rerank * math.sqrt(ratio)))
        self._tell(self._now.width)

    def _settings(self) -> Choice:
        """What there is to choose from; what was given stays."""
        given, rerank = self.parameters.get(self.knob), self.parameters.get("rerank")
        reranks = [factor for factor in self._reranks() if 4 * K * factor <= len(self._rows)]
        widths = self._widths() if given is None else [given]
        return Choice(widths, [int(rerank)] if rerank is not None else reranks or [1], float(self.parameters["recall"]))

    def _measures(self) -> bool:
        """Whether there is something to choose, and enough rows to learn it from."""
        free = [name for name in self.knobs() if self.parameters[name] is None]
        own = "rerank" not in self.options and len(self._reranks()) > 1
        return len(self._rows) - self._rows.dead >= effort.LEAST and (bool(free) or own)

    def _tune(self, sample: NDArray[np.int64]) -> None:
        """Choose the settings, on rows that the structure does not hold."""
        self.tuned = self._now = Effort()
        choice, count = self._settings(), len(self._rows) - len(sample)
        if len(sample):
            chosen = effort.find(effort.probe(self._rows, self.metric, sample, self._found), choice)
        else:
            # too few rows to measure by: estimates choose nothing there, as every row is ranked by its stored vector
            free = self.parameters.get("rerank") is None and self._lossy() and count < effort.LEAST
            chosen = Effort(choice.widths[-1], choice.widths[-1], -(-count // K) if free else choice.reranks[-1])
        given = {name for name in self.knobs() if self.parameters[name] is not None}
        self.tuned = replace(effort.judged(chosen, choice, self.engine, given, self.knob), count=count)

    def _prove(self, sample: NDArray[np.int64]) -> None:
        """See that all rows together find what the structure did that the settings were chosen on, or choose again.

        Two builds of one engine can differ, and so can one before and after the sample is added: of rows of which a few
        are long, a graph under the inner product found 0.91 before and 0.63 after.  The sample's rows now are easy
        queries, so that this only finds what is clearly worse.
        """
        before, choice = self.tuned, self._settings()
        if before.hopeless or before.recall is None:
            return
        probe = effort.probe(self._rows, self.metric, sample, self._found, held=False)
        if probe.recall(before.width, before.rerank)[0] >= min(choice.target, before.recall) - effort.SHORT:
            return
        wider = replace(choice, widths=[width for width in choice.widths if width >= before.width])
        given = {name for name in self.knobs() if self.parameters[name] is not None}
        chosen = effort.judged(effort.find(probe, wider), choice, self.engine, given, self.knob)
        self.tuned = replace(chosen, count=len(self._rows))

    def _found(self, queries: Vectors, k: int, width: float) -> NDArray[np.int64]:
        self._tell(width)
        found = self._ask(prepared(queries, self.metric), k, width, None)[0]
        return found if self._order is None else self._order.take(found)

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        now = self._now
        width = now.for_hits(k if now.rerank == 1 or not self._lossy() else -(-k // now.rerank))
        # where a large part of the rows is wanted, libraries run short, repeat rows or crash
        if width is None or now.hopeless or 4 * k > self._built:
            return self._exactly(queries, k, allowed)
        if self.metric == "cosine" and (queries.item(0) == 0 if len(queries) == 1 else not queries[:, 0].all()):
            return self._around_zeros(queries, k, (width, allowed))
        found, distances = self._ask(queries, k, width, allowed)
        return found if self._order is None else self._order.take(found), distances

    def _around_zeros(self, queries: Vectors, k: int, how: tuple[float, Mask | None]) -> Found:
        """Queries of zeros are at distance 1 of all rows: they find none here, and ``Index`` answers them."""
        zero = np.flatnonzero(~queries.any(axis=1))
        asked = queries.copy()
        asked[zero] = 1
        found, distances = self._ask(asked, k, *how)
        found = found.copy() if self._order is None else self._order.take(found)
        found[zero], distances[zero] = -1, np.inf
        return found, distances

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the library has these rows, ascending."""
        return np.flatnonzero(np.isin(self._order, rows)) if self._order is not None else rows

    def _pieces(self, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        """Rows and their vectors as the engine takes them, a block at a time."""
        for at in range(0, len(rows), _BLOCK):
            some = rows[at : at + _BLOCK]
            yield some, prepared(self._rows.gather(some), self.metric)

    def _vectors(self, rows: NDArray[np.int64], width: int = 0) -> Vectors:
        """The vectors of *rows* as the engine takes them, with zeros up to *width* elements."""
        result = np.zeros((len(rows), max(width, self.dim)), np.float32)
        at = 0
        for some, vectors in self._pieces(rows):
            result[at : at + len(some), : self.dim] = vectors
            at += len(some)
        return result

    def _save(self, folder: Path) -> None:
        (folder / _STATE).write_text(json.dumps(asdict(self.tuned)), encoding="utf-8")
        if self._order is not None:
            np.save(folder / _ORDER, self._order)
        self._write(folder)

    def _open(self, folder: Path) -> None:
        try:
            self.tuned = Effort(**json.loads((folder / _STATE).read_text(encoding="utf-8")))
            self._order = np.load(folder / _ORDER) if (folder / _ORDER).exists() else None
            self._read(folder)
            self._widen(self._built)
        except Exception as error:  # libraries raise what they like
            reason = " ".join(str(error).split())
            raise IndexingError(f"{self.engine} cannot read {folder} ({reason}); build the index again.") from error


def _ended(*parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers by the library's, and −1 behind them, where its −1 finds it."""
    return np.concatenate([*parts, np.full(1, -1, np.int64)])
