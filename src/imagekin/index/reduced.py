"""An engine over vectors that a reducer made shorter, beside the vectors themselves where they have the last word."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from imagekin.distance import as_vectors
from imagekin.errors import IndexingError, InputError
from imagekin.index import ENGINES, effort, parse, saved
from imagekin.index.base import Index
from imagekin.index.best import rescored
from imagekin.index.effort import Choice, Effort, K
from imagekin.index.exact import Exact
from imagekin.index.gate import Gate
from imagekin.index.native import padded
from imagekin.index.rows import Rows, Stored, prepared
from imagekin.reduce.base import Reducer
from imagekin.types import Distances, Ids, Vectors

_BLOCK: Final = 4096
_FACTORS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Candidates for each wanted hit to choose from."""

_LARGE: Final = 4
"""Where more than a quarter of the rows would be candidates, all are compared."""

_LANES: Final = 8
"""Elements that the exact scan compares at once: 8,677 rows of 150 take it 6 ms, and as many of 152 a tenth of one."""

_RECALL: Final = 0.99
"""Share of the true 10 nearest to find, where the engine is not told another."""

Ask: TypeAlias = Callable[[Vectors, int, Ids], Ids]
"""``(queries, k, allowed ids)`` to ids ``(q, k)``."""


class Reduced:
    """Searches as an ``Index`` does, by an engine that holds ``reducer.transform`` of the rows.

    Where reduced distances stand for those between the vectors (``Reducer.preserves_distance``), the engine only
    proposes candidates and the stored vectors rank them: distances are the true ones.  How many candidates are needed
    for the recall that the engine is to have (its ``recall``, or 0.99) is measured on held-out rows when it is built;
    where no number is enough, all stored vectors are compared and nothing is lost but time.  Other reducers state a
    space of their own, in which distances and order are then meant.

    Args:
        spec: of the engine.
        reducer: fitted; gives vectors of numbers.
        metric: of ``distance.py``; for candidates not ``inner``, which differences do not preserve.

    Raises:
        InputError: the engine cannot hold what the reducer gives.

    Attributes:
        effort: what was measured; ``rerank`` candidates a hit reach ``recall``.
    """

    def __init__(self, spec: str, reducer: Reducer, metric: str = "cosine") -> None:
        if not reducer.gives_vectors:
            raise InputError(
                f"what {reducer.name} gives are codes, which engines make themselves: choose the engine faiss:PQ64 "
                "(64 bytes an image) and no reducer."
            )
        if reducer.preserves_distance and metric == "inner":
            raise InputError(f"{reducer.name} keeps differences, not inner products; it cannot serve the metric inner.")
        self.dim, self.metric, self.reducer = reducer.n_features_in_, metric, reducer
        self._inner = self._made(spec)
        self._stored = _Stored(self.dim, metric) if reducer.preserves_distance else None
        self.effort = Effort()
        self._added = 0
        self._gate = Gate()

    def _made(self, spec: str) -> Index:
        name, parameters = parse(spec)
        kind: type[Index] = ENGINES.load(name)
        metric = self.metric
        if self.reducer.preserves_distance and "euclidean" in kind.metrics:
            metric = "euclidean"  # rows of length 1 lose it when they are centred: angles change, differences do not
        width = self.reducer.n_components_
        if kind.engine == Exact.engine:
            width += -width % _LANES
        return kind(width, metric, **parameters)

    def build(self, ids: ArrayLike, vectors: Any, *, checked: bool = False) -> None:
        """See ``Index.build``."""
        rows = Rows(self.dim)
        rows.append(ids, vectors, checked=checked)
        short = self._shortened(rows)
        with self._gate.alone:
            self._inner.build(rows.ids, short, checked=True)
            self._added = 0
            if self._stored is not None:
                self._stored.hold(rows)
                self.effort = self._stored.judged(
                    self._candidates, float(self._inner.parameters.get("recall", _RECALL))
                )

    def add(self, ids: ArrayLike, vectors: Any, *, checked: bool = False) -> None:
        """See ``Index.add``."""
        rows = Rows(self.dim)
        rows.append(ids, vectors, checked=checked)
        short = self._shortened(rows)
        with self._gate.alone:
            if self._stored is not None:
                self._stored.add(ids, vectors, checked=checked)
            self._inner.add(rows.ids, short, checked=checked)
            self._added += len(short)

    def remove(self, ids: ArrayLike) -> int:
        """See ``Index.remove``."""
        with self._gate.alone:
            if self._stored is not None:
                self._stored.remove(ids)
            return self._inner.remove(ids)

    def search(self, queries: ArrayLike, k: int, *, allow: ArrayLike | None = None) -> tuple[Ids, Distances]:
        """See ``Index.search``."""
        asked = as_vectors(queries, self.dim, what="queries")
        with self._gate:
            if self._stored is None:
                return self._inner.search(self._asked(asked), k, allow=allow)
            wanted = self._wanted(k) if isinstance(k, int) and k > 0 else 0
            if not wanted or (
                self.metric == "cosine" and not asked.any(axis=1).all()
            ):  # zeros are equally far from all
                return self._stored.search(asked, k, allow=allow)
            return self._stored.ranked(asked, self._candidates(asked, wanted, allow), k)

    @property
    def engine(self) -> str:
        """Name of the engine in the registry."""
        return self._inner.engine

    @property
    def built(self) -> int:
        """See ``Index.built``."""
        return self._inner.built

    @property
    def wants_rebuild(self) -> bool:
        """As ``Index``; also when a fifth of the rows came later, and it was measured without them."""
        return self._inner.wants_rebuild or 5 * self._added > len(self)

    def __len__(self) -> int:
        """Rows that can be found."""
        return len(self._inner)

    def save(self, path: Path | str) -> None:
        """Write a folder that ``open`` reads; the stored vectors are not in it, the reduced ones are."""
        self._inner.save(path, note=json.dumps(asdict(self.effort)))

    @classmethod
    def open(
        cls, path: Path | str, spec: str, reducer: Reducer, *, metric: str, chunks: Sequence[tuple[Ids, Stored]]
    ) -> Self:
        """Open what ``save`` wrote.

        Args:
            path: the folder.
            spec: as it was built; likewise *reducer* and *metric*.
            reducer: see *spec*.
            metric: see *spec*.
            chunks: the ids and stored vectors that it was built of.

        Raises:
            IndexingError: not an index, damaged, of another engine or of other rows.
        """
        made = cls(spec, reducer, metric)
        inner = made._inner
        made._inner = type(inner).open(path, inner.dim, inner.metric, **parse(spec)[1])
        try:
            made.effort = Effort(**json.loads(saved.note(Path(path))))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise IndexingError(f"{path} says nothing about its candidates; build the index again.") from error
        rows = Rows(made.dim)
        for ids, vectors in chunks:
            rows.append(ids, vectors, checked=True)
        if not np.array_equal(rows.ids, made._inner.ids):
            raise IndexingError(f"{path} was made of other rows than the {len(rows)} given; build the index again.")
        if made._stored is not None:
            made._stored.hold(rows)
        return made

    @property
    def _dtype(self) -> type[np.float16] | type[np.float32]:
        """Half precision where lengths are known to be small."""
        return np.float16 if self.metric == "cosine" else np.float32

    def _asked(self, vectors: Vectors) -> Vectors:
        """Vectors as the engine is asked for them."""
        short = self.reducer.transform(prepared(vectors, self.metric) if self._stored is not None else vectors)
        return padded(short, self._inner.dim)

    def _shortened(self, rows: Rows) -> Stored:
        """Rows as the engine holds them; read-only, so that it takes them as they are."""
        result: Any = np.empty((len(rows), self._inner.dim), self._dtype)
        for at, block in rows.blocks(size=_BLOCK):
            with np.errstate(over="ignore", invalid="ignore"):
                short = self._asked(block)
                result[at : at + len(block)] = short if self._stored is not None else prepared(short, self.metric)
            if not np.isfinite(result[at : at + len(block)]).all():
                raise IndexingError(
                    f"the reducer {self.reducer.spec} makes numbers that are too large to compare; let it learn again."
                )
            rows.release()  # rows that were each read once would seem to be held
        result.flags.writeable = False
        kept: Stored = result
        return kept

    def _candidates(self, queries: Vectors, count: int, allow: ArrayLike | None) -> Ids:
        return self._inner.search(self._asked(queries), count, allow=allow)[0]

    def _wanted(self, k: int) -> int:
        """Candidates for *k* hits; 0 where it is better to compare all rows."""
        now = self.effort
        grown = math.sqrt(max(1.0, len(self._inner) / max(1, now.count)))
        count = math.ceil(now.rerank * grown * max(k, K))
        return 0 if now.hopeless or _LARGE * count > len(self._inner) else count


class _Stored(Exact):
    """The vectors as they are stored, which rank the candidates of others."""

    def hold(self, rows: Rows) -> None:
        """Take these rows and no others."""
        with self._gate.alone:
            self._start(rows)

    def ranked(self, queries: Vectors, ids: Ids, k: int) -> tuple[Ids, Distances]:
        """The k nearest of each query among candidates *ids* of its own, ``(q, c)``, −1 for none; as ``search``."""
        with self._gate:
            found, distances = rescored(self._rows, queries, self._rows.places(ids), k, self.metric)
            return self._rows.named(found), distances

    def judged(self, ask: Ask, recall: float) -> Effort:
        """How many candidates of *ask* contain that share of the true 10 nearest of rows that it is not to find."""
        rows = self._rows
        if len(self) < effort.LEAST:
            return Effort(rerank=_FACTORS[-1], count=len(rows))
        order, held = effort.held_out_last(rows)
        sample = order[len(order) - held :]
        others = rows.live.copy()
        others[sample] = False
        known = rows.ids[others]
        probe = effort.probe(rows, self.metric, sample, lambda asked, k, _: rows.places(ask(asked, k, known)))
        return replace(effort.find(probe, Choice((1,), _FACTORS, recall)), count=len(rows))
