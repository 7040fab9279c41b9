"""The rows of an index: ids, vectors as they are stored, and which rows are alive."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.distance import as_vectors, check_size, normalized
from imagekin.errors import InputError
from imagekin.types import Ids, Vectors

Stored: TypeAlias = "NDArray[np.float16] | NDArray[np.float32]"
"""Vectors as they are kept: ``(n, dim)``, C-contiguous, float16 or float32, often a view of a mapped file."""

Mask: TypeAlias = NDArray[np.bool_]
"""One flag a row, shape ``(n,)``."""

BLOCK: Final = 1 << 18
"""Elements that are converted at a time: 1 MB of float32, about a core's cache."""

_SMALL: Final = 8192
"""Chunks shorter than this are joined with their neighbour, so that many small adds stay quick to scan."""


@dataclass(slots=True)
class Chunk:
    """Rows that lie together in memory: ``vectors`` begin at row number ``start``; ``owned`` means a private copy."""

    start: int
    vectors: Stored
    owned: bool

    @property
    def stop(self) -> int:
        """Number of the row after the last."""
        return self.start + len(self.vectors)


class Rows:
    """Vectors by row number, 0 … n−1 in the order they came; a removed row keeps its number and is dead.

    Read-only float16 and float32 arrays, such as views of a mapped file, are held by reference; others are copied.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.chunks: list[Chunk] = []
        self._names: Ids = np.full(1, -1, np.int64)  # ids, and behind them what row −1 is called
        self.ids: Ids = self._names[:-1]
        self.live: Mask = np.empty(0, np.bool_)
        self.norms: NDArray[np.float32] = np.empty(0, np.float32)
        self.dead = 0
        self._range: tuple[float, float] | None = None
        self._order: tuple[Ids, NDArray[np.int64] | None] | None = None

    def __len__(self) -> int:
        """Rows, the dead ones included."""
        return len(self.ids)

    def append(self, ids: ArrayLike, vectors: Any, *, checked: bool = False) -> None:
        """Take further rows.

        Args:
            ids: ``(n,)`` whole numbers ≥ 0 that no live row has.
            vectors: ``(n, dim)`` or a list of rows.
            checked: the caller vouches for unique ids and finite vectors, which saves reading the vectors now.

        Raises:
            InputError: shapes differ, an id is taken or comes twice, NaN or infinity.
        """
        stored, owned = as_stored(vectors, self.dim, checked=checked)
        numbers = as_ids(ids)
        if len(numbers) != len(stored):
            raise InputError(f"every vector needs one id: {len(numbers)} ids were given for {len(stored)} vectors.")
        if not checked:
            self._check_new(numbers)
        self._take(numbers, stored, owned)

    def _take(self, numbers: Ids, stored: Stored, owned: bool) -> None:
        if not len(stored):
            return
        self._join(Chunk(len(self), stored, owned))
        self._names = np.concatenate([self.ids, numbers, self._names[-1:]])
        self.ids = self._names[:-1]
        self.live = np.concatenate([self.live, np.ones(len(numbers), np.bool_)])
        self.norms = np.concatenate([self.norms, np.full(len(numbers), np.nan, np.float32)])
        self._order = self._range = None

    def named(self, rows: NDArray[np.int64]) -> Ids:
        """Ids of *rows*, of any shape; −1 for −1."""
        return self._names.take(rows)

    def locate(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Row numbers of the live rows among *ids*, ascending; ids that are not here are left out."""
        found = self.places(as_ids(ids))
        return np.unique(found[found >= 0])

    def places(self, ids: Ids) -> NDArray[np.int64]:
        """Row numbers of *ids*, of any shape and in their order; −1 for those that no live row has."""
        keys, order = self._sorted()
        if not len(keys):
            return np.full(ids.shape, -1, np.int64)
        # an id may stand on several rows, all dead but the last: the stable order puts the newest on the right
        at = np.maximum(np.searchsorted(keys, ids, side="right") - 1, 0)
        rows = at if order is None else order[at]
        return np.where((keys[at] == ids) & self.live[rows], rows, np.int64(-1))

    def flags(self, ids: ArrayLike) -> Mask:
        """One flag a row: alive, and its id is among *ids*.

        Ids usually lie close together, as a database counts: a table over their range takes a tenth of the time of
        looking each one up (half of 100,000: 0.3 ms instead of 3).
        """
        low, high = (int(self.ids.min()), int(self.ids.max())) if len(self) else (0, 0)
        if high - low >= 16 * len(self):
            chosen = np.zeros(len(self), np.bool_)
            chosen[self.locate(ids)] = True
            return chosen
        wanted = as_ids(ids)
        table = np.zeros(high - low + 1, np.bool_)
        table[wanted[(wanted >= low) & (wanted <= high)] - low] = True
        found: Mask = table[self.ids - low] & self.live
        return found

    def kill(self, rows: NDArray[np.int64]) -> None:
        """Mark live rows as dead."""
        self.live[rows] = False
        self.dead += len(rows)

    def gather(self, rows: NDArray[np.int64]) -> Vectors:
        """The vectors of *rows*, float32, ``(m, dim)``, in the order given."""
        result = np.empty((len(rows), self.dim), np.float32)
        if len(self.chunks) == 1:
            return widen(self.chunks[0].vectors.take(rows, axis=0), result)
        starts = [chunk.start for chunk in self.chunks]
        which = np.searchsorted(starts, rows, side="right") - 1
        for number in np.unique(which):
            chunk, mine = self.chunks[number], which == number
            part = chunk.vectors[rows[mine] - chunk.start]
            result[mine] = widen(part, np.empty(part.shape, np.float32))
        return result

    def length_range(self) -> tuple[float, float]:
        """Shortest and longest row, rows of zeros aside; NaN where a length is not known yet."""
        if self._range is None:
            positive = self.norms[self.norms != 0]
            low, high = (float(positive.min()), float(positive.max())) if len(positive) else (np.nan, np.nan)
            if not low <= high:
                return np.nan, np.nan
            self._range = low, high
        return self._range

    def spans(self, start: int, stop: int, size: int) -> Iterator[tuple[int, Stored]]:
        """Views of at most *size* consecutive rows between *start* and *stop*, each with its first row number."""
        for chunk in self.chunks:
            low, high = max(start, chunk.start), min(stop, chunk.stop)
            for at in range(low, high, size):
                yield at, chunk.vectors[at - chunk.start : min(at + size, high) - chunk.start]

    def blocks(self, start: int = 0, stop: int | None = None, *, size: int = 16384) -> Iterator[tuple[int, Vectors]]:
        """Fresh float32 copies of consecutive rows, at most *size* at a time, each with its first row number."""
        for at, view in self.spans(start, len(self) if stop is None else stop, size):
            yield at, widen(view, np.empty(view.shape, np.float32))

    def release(self) -> None:
        """Let go of the memory that mapped rows take; they are read from the file again when they are needed."""
        for chunk in self.chunks:
            array: Any = chunk.vectors
            while isinstance(array, np.ndarray):
                # a private mapping would forget what was written into it
                if isinstance(array, np.memmap) and array.mode != "r":
                    break
                array = array.base
            if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                array.madvise(mmap.MADV_DONTNEED)

    def compacted(self) -> Rows:
        """The live rows alone, numbered anew; chunks without a dead row stay shared, not copied."""
        fresh = Rows(self.dim)
        for chunk in self.chunks:
            live = self.live[chunk.start : chunk.stop]
            whole = bool(live.all())
            kept = chunk.vectors if whole else chunk.vectors[live]
            fresh._take(self.ids[chunk.start : chunk.stop][live], kept, chunk.owned or not whole)
        return fresh

    def memory_bytes(self) -> int:
        """Private memory: copies, ids and flags; mapped vectors are not counted."""
        held = sum(chunk.vectors.nbytes for chunk in self.chunks if chunk.owned)
        return held + self.ids.nbytes + self.live.nbytes + self.norms.nbytes

    def _join(self, chunk: Chunk) -> None:
        last = self.chunks[-1] if self.chunks else None
        small = last is not None and len(last.vectors) < _SMALL and len(last.vectors) <= 2 * len(chunk.vectors)
        if last is None or not small or last.vectors.dtype != chunk.vectors.dtype:
            self.chunks.append(chunk)
            return
        both: Any = np.concatenate([last.vectors, chunk.vectors])
        self.chunks.pop()
        self._join(Chunk(last.start, both, owned=True))

    def _sorted(self) -> tuple[Ids, NDArray[np.intp] | None]:
        """Ids in ascending order, and the row of each (None where the rows already are in that order)."""
        if self._order is None:
            if (self.ids[1:] > self.ids[:-1]).all():
                self._order = self.ids, None
            else:
                order = np.argsort(self.ids, kind="stable")
                self._order = self.ids[order], order
        return self._order

    def _check_new(self, ids: Ids) -> None:
        if len(ids) and ids.min() < 0:
            raise InputError(f"ids must be 0 or more, not {int(ids.min())}.")
        unique, counts = np.unique(ids, return_counts=True)
        if len(unique) != len(ids):
            raise InputError(f"ids must be unique; {int(unique[np.argmax(counts)])} was given more than once.")
        if len(self) and len(ids) and ids.min() <= self.ids.max():
            taken = self.locate(ids)
            if len(taken):
                raise InputError(f"the id {int(self.ids[taken[0]])} is already in the index; remove it first.")


def as_ids(ids: ArrayLike) -> Ids:
    """Check and convert to ``(n,)`` int64.

    Raises:
        InputError: not whole numbers, or not one-dimensional.
    """
    array = np.asarray(ids)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"ids must be whole numbers of shape (n,), not {array.dtype} of shape {array.shape}.")
    return array.astype(np.int64, copy=False)


def as_stored(vectors: Any, dim: int, *, checked: bool = False) -> tuple[Stored, bool]:
    """Vectors in a form to keep, and whether that is a private copy.

    Raises:
        InputError: wrong shape, not numbers, NaN or infinity.
    """
    try:
        array = np.asarray(vectors)
    except ValueError:
        raise InputError(f"vectors must have shape (n, {dim}), not rows of unequal length.") from None
    if array.size == 0 and array.ndim <= 2 and array.shape[-1:] in ((0,), (dim,)):
        array = np.empty((0, dim), np.float32)
    kept = array.dtype in (np.float16, np.float32) and array.ndim == 2 and array.shape[1] == dim
    if not kept:
        copied = as_vectors(array.copy(), dim)
        check_size(copied, "vectors")
        return copied, True
    owned = array.flags.writeable or not array.flags.c_contiguous
    stored: Stored = np.array(array, order="C") if owned else array
    if not checked:
        for start in range(0, len(stored), max(1, BLOCK // dim)):
            _check_finite(stored[start : start + max(1, BLOCK // dim)], start)
    return stored, owned


def _check_finite(block: Stored, start: int) -> None:
    if block.dtype == np.float16:
        # all exponent bits set = infinity or NaN; integers are several times faster than isfinite on halves
        bad = ((block.view(np.uint16) & 0x7C00) == 0x7C00).any(axis=1)
    else:
        bad = ~np.isfinite(block).all(axis=1)
    if bad.any():
        raise InputError(f"vectors must be finite; row {start + int(np.argmax(bad))} holds NaN or infinity.")
    check_size(block, "vectors", start)


def widen(stored: Stored, out: Vectors) -> Vectors:
    """Exact float32 values of finite float16 or float32 *stored*, written into *out* (same shape).

    NumPy 2.4 converts halves one at a time (0.6 G/s); this is the same in four vectorised passes (4 G/s): the half's
    bits are moved to where float32 keeps them, sign-extended and masked, and the product with 2¹¹² mends the
    difference of the exponents' biases (127 − 15), subnormal halves included.
    """
    if stored.dtype != np.float16:
        np.copyto(out, stored)
        return out
    bits = out.view(np.int32)
    np.copyto(bits, stored.view(np.int16))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, np.int32(-0x70002000), out=bits)
    return np.multiply(out, np.float32(2.0**112), out=out)


def prepared(vectors: Vectors, metric: str) -> Vectors:
    """What an engine without cosine stores: rows of length 1 under cosine, else *vectors* itself."""
    return normalized(vectors) if metric == "cosine" else vectors
