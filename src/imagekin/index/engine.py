"""What an engine is: its attributes and the hooks that its adapter writes."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import METRICS, check_metric
from imagekin.errors import InputError
from imagekin.index import scan
from imagekin.index.best import Found
from imagekin.index.gate import Gate
from imagekin.index.options import Rule, check_options
from imagekin.index.rows import Mask, Rows, prepared
from imagekin.types import Vectors


class Engine(ABC):
    """The part of an index that an adapter writes: the attributes, ``_search``, and the hooks it needs.

    Attributes:
        engine: name in the registry.
        metrics: metrics of ``distance.py`` that it can rank by.
        options: parameters it knows, with their defaults.
        rules: what these may be (see ``options``); a value that breaks one is refused at once.
        can_add: takes further rows without a new build (otherwise they wait in the tail).
        can_remove: frees removed rows by itself (otherwise they stay as dead rows until ``rebuild``).
        can_filter: ``_search`` honours ``allowed`` soundly (otherwise filters are answered exactly).
        can_mmap: opens its file without reading it.
        thread_safe: several searches may run at once (otherwise they take turns).
        filter_floor: share of rows below which even its own filter is not trusted and the exact one answers.
    """

    engine: ClassVar[str]
    metrics: ClassVar[frozenset[str]] = frozenset(METRICS)
    options: ClassVar[Mapping[str, Any]] = {}
    rules: ClassVar[Mapping[str, Rule]] = {}
    can_add: ClassVar[bool] = False
    can_remove: ClassVar[bool] = False
    can_filter: ClassVar[bool] = False
    can_mmap: ClassVar[bool] = False
    thread_safe: ClassVar[bool] = True
    filter_floor: ClassVar[float] = 0.1

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
            raise InputError(f"dim must be a whole number of 1 or more, not {dim!r}.")
        if check_metric(metric) not in self.metrics:
            raise InputError(f"{self.engine} does not know {metric!r}; it knows {', '.join(sorted(self.metrics))}.")
        unknown = sorted(set(parameters) - set(self.options))
        if unknown:
            known = ", ".join(sorted(self.options)) or "none"
            raise InputError(f"{self.engine} has no parameter {unknown[0]!r}; known: {known}.")
        self.dim, self.metric = dim, metric
        self.parameters: dict[str, Any] = {name: parameters.get(name, self.options[name]) for name in self.options}
        check_options(self.engine, self.rules, self.parameters, self.options)
        self._rows = Rows(dim)
        self._built = 0
        self._gate = Gate()
        self._turn: AbstractContextManager[Any] | None = None if self.thread_safe else threading.Lock()

    @classmethod
    def knobs(cls) -> frozenset[str]:
        """Options that act when it searches, which ``adjust`` can change; none unless the engine says so."""
        return frozenset()

    @abstractmethod
    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        """Candidates among the built rows.

        Args:
            queries: ``(q, dim)`` finite float32; of length 1 (or 0) under cosine.
            k: how many; less than or equal to the number of built rows.
            allowed: ``(built,)`` flags, given only where ``can_filter``; else None.

        Returns:
            Row numbers and distances in the unit of ``distance.py``, ``(q, k)``, any order, −1 and ``inf`` where there
            is none.  Both are the caller's.
        """

    def _build(self) -> None:  # noqa: B027 - a hook that an engine may leave out
        """Make the engine's structure of all rows, which ``_blocks()`` yields."""

    def _append(self, start: int, vectors: Vectors) -> None:  # noqa: B027 - a hook that an engine may leave out
        """Take the rows from *start* on; only where ``can_add``."""

    def _discard(self, rows: NDArray[np.int64]) -> None:  # noqa: B027 - a hook that an engine may leave out
        """Free rows; only where ``can_remove``."""

    def _turned(self) -> None:  # noqa: B027 - a hook that an engine may leave out
        """Search by ``parameters`` as they are now, ``knobs`` among them having been changed."""

    def _save(self, folder: Path) -> None:  # noqa: B027 - a hook that an engine may leave out
        """Write the engine's files."""

    def _open(self, folder: Path) -> None:  # noqa: B027 - a hook that an engine may leave out
        """Read the engine's files, which are known to be whole."""

    def _memory(self) -> int:
        """Bytes of the engine's structure."""
        return 0

    def _least(self) -> int:
        """Rows below which no structure is built and search is exact."""
        return 1

    def _rerank(self) -> int:
        """Candidates for each wanted hit (10 hits at least); 0 = the engine's distances are exact and used as such."""
        return 0

    def _adds(self) -> bool:
        """Whether it can take rows now; where it cannot, they wait in the tail."""
        return self.can_add

    def _filters(self) -> bool:
        """Whether this very index honours ``allowed``."""
        return self.can_filter

    def _complete(self) -> bool:
        """Whether the engine is the exact scan, which finds every row by itself."""
        return False

    def _only_built(self, allowed: Mask | None) -> Mask | None:
        """Flags of those of the *allowed* rows that the structure holds, ``(n,)``; None for all rows."""
        rows = self._rows
        if self._built == len(rows):
            return allowed
        flags = rows.live.copy() if allowed is None else allowed.copy()
        flags[self._built :] = False
        return flags

    def _exactly(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        """What ``_search`` is asked for, by the exact scan."""
        among = self._only_built(None)
        if allowed is not None:
            among = np.zeros(len(self._rows), np.bool_)
            among[: self._built] = allowed
        return scan.nearest(self._rows, queries, k, self.metric, allowed=among)

    def _blocks(self, start: int = 0) -> Iterator[tuple[int, Vectors]]:
        """Rows from *start* on as float32 blocks, of length 1 under cosine, each with its first row number."""
        for at, block in self._rows.blocks(start):
            yield at, prepared(block, self.metric)
