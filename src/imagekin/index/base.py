"""The contract of an index: vectors with ids in, the nearest ones out, the same answers from every engine.

An index holds its *rows* (ids and stored vectors, by reference where they are mapped from a file) beside the engine's
own structure.  That is what makes every engine answer alike: removed rows are dead flags, rows that an engine cannot
take lie in a *tail* that is searched exactly, narrow filters are answered exactly, and candidates of a lossy engine
get their true distances from the stored vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from imagekin.errors import InputError
from imagekin.index import answer, saved
from imagekin.index.answer import Answering
from imagekin.index.options import check_options
from imagekin.index.rows import Rows
from imagekin.types import Distances, Ids


class Index(Answering):
    """Nearest neighbours by id, exact or approximate; every engine is a subclass (its hooks: ``engine.Engine``)."""

    def build(self, ids: ArrayLike, vectors: Any, *, checked: bool = False) -> None:
        """Index these vectors and nothing else.

        Args:
            ids: ``(n,)`` unique whole numbers ≥ 0.
            vectors: ``(n, dim)``.  Read-only C-contiguous float16 or float32 arrays, such as a mapped file, are held
                by reference and read in blocks; anything else is copied.
            checked: the caller vouches for unique ids and finite values (its own file), which saves a pass.

        Raises:
            InputError: wrong shapes, ids that are not unique, NaN or infinity.
        """
        self.build_chunks([(ids, vectors)], checked=checked)

    def build_chunks(self, chunks: Iterable[tuple[ArrayLike, Any]], *, checked: bool = False) -> None:
        """``build`` for vectors that lie in several arrays, without joining them."""
        rows = Rows(self.dim)
        for ids, vectors in chunks:
            rows.append(ids, vectors, checked=checked)
        with self._gate.alone:
            self._start(rows)

    def add(self, ids: ArrayLike, vectors: Any, *, checked: bool = False) -> None:
        """Add rows; they are found at once on every engine (see ``build`` for the arguments and errors).

        An engine that cannot add keeps them in a tail that is searched exactly; ``wants_rebuild`` says when that
        has grown enough to cost time.
        """
        with self._gate.alone:
            start = len(self._rows)
            self._rows.append(ids, vectors, checked=checked)
            if self._built == start and start >= self._least():
                self._catch_up()
            elif self._built == 0 and len(self._rows) >= self._least():
                self._start(self._rows)

    def remove(self, ids: ArrayLike) -> int:
        """Remove rows by id and return how many there were; ids that are not here are passed over."""
        with self._gate.alone:
            rows = self._rows.locate(ids)
            self._rows.kill(rows)
            if self.can_remove and len(rows):
                self._discard(rows[rows < self._built])
            return len(rows)

    def search(self, queries: ArrayLike, k: int, *, allow: ArrayLike | None = None) -> tuple[Ids, Distances]:
        """The k nearest of each query.

        Args:
            queries: ``(q, dim)``, or one ``(dim,)``.
            k: ≥ 1; beyond what there is, lines are padded.
            allow: ids that may be returned, None for all; k hits come back whenever k of them exist.

        Returns:
            Ids and distances, both ``(q, k)``, ascending, ties by id, padded with −1 and ``inf``; distances in the
            unit of ``distance.py``.

        Raises:
            InputError: k below 1, more hits than an answer can hold, wrong dim, NaN or infinity.
        """
        asked, ready = answer.checked(queries, self.dim, self.metric)
        if type(k) is not int:
            k = _whole(k)
        if not 1 <= k <= _MOST // max(1, len(asked)):
            raise _refused(k, len(asked))
        with self._gate:
            rows = self._rows
            count = len(rows.ids) - rows.dead
            if ready is not None and allow is None and k < count == self._built and not rows.dead:
                found, distances = self._one(asked, ready, k)
                return rows.named(found), distances
            within = min(k, count)
            if not within or not len(asked):
                return self._padded(asked, k)
            found, distances = self._nearest(asked, within, allow)
            ids = rows.named(found)
            if within == k:
                return ids, distances
            all_ids, all_distances = self._padded(asked, k)
            all_ids[:, :within], all_distances[:, :within] = ids, distances
            return all_ids, all_distances

    def adjust(self, settings: Mapping[str, Any]) -> None:
        """Search with other settings from now on, as if it had been built with them.

        Args:
            settings: some of ``knobs``, by name.

        Raises:
            InputError: one of them acts only when the index is built, or makes no sense.
        """
        fixed = sorted(settings.keys() - self.knobs())
        if fixed:
            known = ", ".join(sorted(self.knobs())) or "none"
            raise InputError(f"{self.engine}'s {fixed[0]} cannot be changed when it is built; these can: {known}.")
        changed = {**self.parameters, **settings}
        check_options(self.engine, self.rules, changed, self.options)
        with self._gate.alone:
            self.parameters = changed
            if settings and self._built:
                self._turned()

    def rebuild(self) -> None:
        """Build anew from the live rows: drops dead rows and takes the tail in.  Searches wait."""
        with self._gate.alone:
            self._start(self._rows.compacted())

    @property
    def wants_rebuild(self) -> bool:
        """Whether tail and dead rows have passed a fifth of the index, so that a rebuild pays."""
        waiting = len(self._rows) - self._built if len(self._rows) >= self._least() else 0
        return 5 * (self._rows.dead + waiting) > len(self._rows)

    @property
    def built(self) -> int:
        """How many rows the engine's structure holds; the others are compared one by one."""
        return self._built

    def save(self, path: Path | str, *, vectors: bool = True, note: str = "") -> None:
        """Write a folder that ``open`` reads; it replaces *path* only when it is complete.

        Args:
            path: the folder.
            vectors: also write the stored vectors; False where the caller keeps them and gives them to ``open``.
            note: any text to find again in ``imagekin.index.saved.header(path)["note"]``, such as a revision.
        """
        # rows must not come between what the header says and what is written
        with self._gate, saved.writing(Path(path), self._header(note)) as folder:
            saved.put_rows(folder, self._rows, vectors=vectors)
            if self._built:
                self._save(folder)

    @classmethod
    def open(
        cls,
        path: Path | str,
        dim: int,
        metric: str = "cosine",
        *,
        chunks: Iterable[tuple[ArrayLike, Any]] | None = None,
        **parameters: Any,
    ) -> Self:
        """Open what ``save`` wrote.

        Args:
            path: the folder.
            dim: as it was built; likewise *metric* and *parameters*.
            metric: see *dim*.
            chunks: the rows as ``build_chunks`` takes them, in the order in which they were indexed; further rows
                behind them are taken as added since.  None: they were saved along.
            **parameters: see *dim*.

        Raises:
            IndexingError: not an index, damaged, of another engine, metric, dim, parameters or rows.
        """
        index = cls(dim, metric, **parameters)
        header = saved.header(Path(path), index._identity())
        index._rows = saved.get_rows(Path(path), dim, chunks)
        index._built = int(header["built"])
        if index._built:
            index._open(Path(path))
            index._catch_up()
        return index

    def __len__(self) -> int:
        """Rows that can be found."""
        return len(self._rows) - self._rows.dead

    @property
    def ids(self) -> Ids:
        """Ids that can be found, ``(n,)``, in the order in which they came."""
        rows = self._rows
        return rows.ids[rows.live]

    def memory_bytes(self) -> int:
        """Private memory, mapped files not counted."""
        return self._rows.memory_bytes() + (self._memory() if self._built else 0)

    def _start(self, rows: Rows) -> None:
        self._rows, self._built = rows, 0
        if len(rows) >= max(1, self._least()):
            self._build()
            self._built = len(rows)
            if self.can_remove and rows.dead:
                self._discard(np.flatnonzero(~rows.live))

    def _catch_up(self) -> None:
        """Give the engine the rows that it does not have yet, if it can take them."""
        if self._built < len(self._rows) and self._adds():
            for at, block in self._blocks(self._built):
                self._append(at, block)
            self._built = len(self._rows)

    def _header(self, note: str) -> dict[str, Any]:
        return {"identity": self._identity(), "built": self._built, "note": note}

    def _identity(self) -> dict[str, Any]:
        return {"engine": self.engine, "metric": self.metric, "dim": self.dim, "parameters": self.parameters}


_MOST: Final = 1 << 28
"""Hits of one call at most, 3 GB of ids and distances."""


def _refused(k: int, queries: int) -> InputError:
    if k < 1:
        return InputError(f"k must be a whole number of 1 or more, not {k!r}.")
    most = _MOST // max(1, queries)
    return InputError(
        f"k is {k:,} for {queries:,} queries; an answer has {most:,} hits of each at most: ask for fewer."
    )


def _whole(k: Any) -> int:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
        raise InputError(f"k must be a whole number of 1 or more, not {k!r}.")
    return int(k)
