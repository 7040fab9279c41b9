"""The PyTorch engine: every row compared, on one GPU, on several that share the rows, or on the processor."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import IndexingError, InputError
from imagekin.index.base import Index
from imagekin.index.best import SLACK, Found, lengths
from imagekin.index.options import TEXT, Rule, one_of
from imagekin.index.rows import Mask
from imagekin.types import Vectors

torch: Any = importlib.import_module("torch")

_KEYS: Final = 1 << 25
"""Keys of a block: 128 MB of float32, and twice that while the best of them are found."""

_DEVICES: Final = "like 'cpu', 'cuda' or 'cuda:0,cuda:1'"

_BATCH: Final = 256
"""Queries at a time."""

_MORE: Final = 54
"""Candidates beyond k, so that rounding leaves no doubt where rows do not lie unusually close."""

_ROUNDING: Final = {"float32": SLACK, "float16": 4e-3}
"""Bound on the error of a product of vectors of length 1.  In halves: 2⁻¹¹ for each factor, for the result, and for
each partial sum that a GPU may keep in halves too."""

_LOOSE: Final = 1.6e-2
"""Likewise where PyTorch was told to multiply float32 in TF32 or bfloat16."""


@dataclass(slots=True)
class _Shard:
    """Rows from ``start`` on, on one device; squares are of the scaled rows, ``(n,)`` float32."""

    device: Any
    start: int
    rows: Any
    squares: Any

    @property
    def stop(self) -> int:
        """Number of the row after the last."""
        return self.start + len(self.rows)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Queries of length 1 (or 0), their lengths beside the scaled rows, and flags of the rows that may be found."""

    queries: Vectors
    sizes: NDArray[np.float32]
    allowed: Mask | None


class Torch(Index):
    """Every row compared by matrix products, block by block; the answers are those of the exact engine.

    Rows are copied to the devices once, in equal parts; a search multiplies all of them and keeps the best candidates
    of each block, whose distances are then computed from the stored vectors.  Rounding, in half precision above all,
    may disturb the order: the answer counts only if no row left out can belong to it, by the bound on the error of a
    product; for a query where that cannot be shown, the exact scan on the processor answers.  Nothing is written to a
    file, so opening copies the rows again.

    Rows that were added wait in the tail, which the processor scans, until ``rebuild``; removed and filtered rows are
    left out on the device.

    Parameters:
        devices: ``cpu``, ``cuda:0``, or several like ``cuda:0,cuda:1`` to share the rows; None or ``cuda`` = all GPUs.
        dtype: ``float16`` or ``float32`` for rows and products; None = float16 on GPUs unless the metric is euclidean,
            else float32.
    """

    engine: ClassVar[str] = "torch"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({"devices": None, "dtype": None})
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {"devices": Rule(_DEVICES, TEXT.holds), "dtype": one_of(*_ROUNDING)}
    )
    can_filter: ClassVar[bool] = True

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._devices = devices(self.parameters["devices"])
        halves = metric != "euclidean" and all(device.type == "cuda" for device in self._devices)
        self.dtype = str(self.parameters["dtype"] or ("float16" if halves else "float32"))
        self._shards: list[_Shard] = []
        self._scale = 1.0

    def _least(self) -> int:
        return 64

    def _rerank(self) -> int:
        return 1

    def _build(self) -> None:
        self._shards = []
        self._scale = 1.0 if self.metric == "cosine" else self._shrink()
        step = -(-len(self._rows) // len(self._devices))
        with self._room("hold"):
            self._shards = [
                self._shard(device, number * step, min((number + 1) * step, len(self._rows)))
                for number, device in enumerate(self._devices)
                if number * step < len(self._rows)
            ]

    def _shrink(self) -> float:
        """What makes the longest row a little shorter than 1, so that halves hold every element and product."""
        longest = max(float(lengths(block).max()) for _, block in self._blocks())
        return 1.0 / longest if longest > 0 else 1.0

    def _shard(self, device: Any, start: int, stop: int) -> _Shard:
        rows = torch.empty((stop - start, self.dim), dtype=getattr(torch, self.dtype), device=device)
        squares = torch.empty(stop - start, dtype=torch.float32, device=device)
        for at, block in self._blocks(start):
            part = block[: max(0, stop - at)] * np.float32(self._scale)
            if not len(part):
                break
            rows[at - start : at - start + len(part)] = torch.from_numpy(part)
            squares[at - start : at - start + len(part)] = torch.from_numpy(np.einsum("ij,ij->i", part, part))
        return _Shard(device, start, rows, squares)

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        parts = [queries[at : at + _BATCH] for at in range(0, len(queries), _BATCH)]
        with self._room("search"), torch.inference_mode():
            found = [self._chosen(part, k, allowed) for part in parts]
        return np.concatenate(found), np.zeros((len(queries), found[0].shape[1]), np.float32)

    def _chosen(self, queries: Vectors, k: int, allowed: Mask | None) -> NDArray[np.int64]:
        """Row numbers among which the k nearest surely are, ``(q, c)``, −1 for none."""
        sizes = lengths(queries) * np.float32(self._scale)
        divisors: NDArray[np.float32] = np.where(sizes > 0, sizes, np.float32(1))[:, None]
        asked = _Asked(queries / divisors * np.float32(self._scale), sizes, allowed)
        count = min(k + max(_MORE, k // 2), self._built)
        # every device is given its work before the first answer is waited for
        waiting = [self._best(shard, asked, count) for shard in self._shards]
        keys = np.concatenate([part[0].cpu().numpy() for part in waiting], axis=1)
        found = np.concatenate([part[1].cpu().numpy() for part in waiting], axis=1)
        order = np.argsort(keys, axis=1, kind="stable")[:, :count]
        keys = np.take_along_axis(keys, order, axis=1)
        found = np.where(np.isinf(keys), np.int64(-1), np.take_along_axis(found, order, axis=1))
        unsure = np.flatnonzero(keys[:, k - 1] + 2 * self._doubt(sizes) >= keys[:, -1])
        unsure = unsure[~np.isinf(keys[unsure, -1])]
        if len(unsure) and count < self._built:
            found[unsure, k:] = -1
            found[unsure, :k] = self._exactly(queries[unsure], k, allowed)[0]
        return found

    def _best(self, shard: _Shard, asked: _Asked, count: int) -> tuple[Any, Any]:
        """The *count* best keys of a shard and their row numbers, both ``(q, count)`` tensors on its device."""
        queries = torch.from_numpy(asked.queries).to(shard.device, shard.rows.dtype)
        sizes = torch.from_numpy(asked.sizes).to(shard.device)[:, None]
        mask = None if asked.allowed is None else torch.from_numpy(~asked.allowed[shard.start : shard.stop])
        mask = None if mask is None else mask.to(shard.device)
        step, best = max(1024, _KEYS // len(queries)), None
        for at in range(0, len(shard.rows), step):
            some = slice(at, at + step)
            keys = (queries @ shard.rows[some].T).float().neg_()
            if self.metric == "euclidean":
                keys.mul_(2 * sizes).add_(shard.squares[some])
            if mask is not None:
                keys.masked_fill_(mask[some], float("inf"))
            found = keys.topk(min(count, keys.shape[1]), dim=1, largest=False)
            both = found.values, found.indices + (shard.start + at)
            best = both if best is None else _merged(best, both, count)
        return best if best is not None else (sizes[:, :0], sizes[:, :0].long())

    def _doubt(self, sizes: NDArray[np.float32]) -> NDArray[np.float32]:
        """By how much a key may be wrong, ``(q,)``."""
        loose = self.dtype == "float32" and torch.get_float32_matmul_precision() != "highest"
        bound = np.float32((_LOOSE if loose else _ROUNDING[self.dtype]) + SLACK)
        if self.metric == "euclidean":
            return 2 * sizes * bound + np.float32(SLACK) * (1 + sizes) ** 2
        return np.full(len(sizes), bound, np.float32)

    @contextmanager
    def _room(self, verb: str) -> Iterator[None]:
        """Turn a device that is full into one sentence."""
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, torch.cuda.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
            size = len(self._rows) * self.dim * (2 if self.dtype == "float16" else 4) / 1e9
            raise IndexingError(
                f"{', '.join(map(str, self._devices))} has no room to {verb} {len(self._rows):,} x {self.dim:,} "
                f"vectors in {self.dtype} ({size:.1f} GB); share them among more GPUs with torch(devices='cuda:0,"
                "cuda:1'), take dtype='float16', or use the engine exact."
            ) from error

    def _open(self, folder: Path) -> None:
        self._build()
        self._built = len(self._rows)  # those added since are on the devices too

    def _memory(self) -> int:
        """Of the processor's memory alone."""
        return sum(shard.rows.nbytes + shard.squares.nbytes for shard in self._shards if shard.device.type == "cpu")


def devices(given: Any) -> list[Any]:
    """The devices that an option names.

    Raises:
        InputError: there is no such device here, or it is not a list of devices.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if given is None or given == "cuda":
        if not there:
            raise InputError(
                "PyTorch finds no GPU on this machine; use the engine exact, or torch(devices='cpu') for the processor."
            )
        return [torch.device("cuda", number) for number in range(there)]
    try:
        found = [torch.device(word.strip()) for word in given.split(",")]
        if not all(device.type == "cpu" or (device.type == "cuda" and device.index is not None) for device in found):
            raise ValueError(given)
    except (AttributeError, RuntimeError, ValueError) as error:
        raise InputError(f"torch's devices must be {_DEVICES}, not {given!r}.") from error
    for device in found:
        if device.type == "cuda" and device.index >= there:
            raise InputError(
                f"there is no {device}: PyTorch finds {there or 'no'} GPU{'s' * (there > 1)} on this machine; name "
                "one that is there, or use the engine exact."
            )
    return found


def _merged(one: tuple[Any, Any], two: tuple[Any, Any], count: int) -> tuple[Any, Any]:
    """The *count* best of two lists of keys and row numbers."""
    keys, rows = torch.cat([one[0], two[0]], dim=1), torch.cat([one[1], two[1]], dim=1)
    best = keys.topk(min(count, keys.shape[1]), dim=1, largest=False)
    return best.values, rows.gather(1, best.indices)
