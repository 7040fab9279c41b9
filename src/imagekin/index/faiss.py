"""The FAISS engine: any factory string, tuned to a recall target when it is built."""

from __future__ import annotations

import importlib
import json
import math
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import IndexingError, InputError
from imagekin.index import effort, factory, gpus, packed
from imagekin.index.base import Index
from imagekin.index.best import Found
from imagekin.index.effort import Effort
from imagekin.index.factory import Factory
from imagekin.index.options import RULES, TEXT, Rule, one_of, whole
from imagekin.index.rows import Mask, prepared
from imagekin.index.training import threads, train
from imagekin.types import Vectors

_FILE: Final = "engine.faiss"
_STATE: Final = "engine.json"
_ORDER: Final = "order.npy"
_BLOCK: Final = 16384
_MANY: Final = 0.3
"""Share of allowed rows above which it is quicker to drop the others from the candidates than to tell FAISS of each."""

_MADE: Final[set[tuple[int, Factory, bool]]] = set()
"""Dimensions, factories and metrics that FAISS is known to make."""

_NONE: Final = np.array([-1], np.int64)


class Faiss(Index):
    """An index of FAISS beside the stored rows (Johnson, Douze, Jégou 2019; the factory strings are FAISS's own).

    Parameters:
        factory: ``Flat``, ``HNSW32``, ``IVF1024,Flat``, ``IVF4096,PQ320x4fs``, ``SQ8`` … (RFlat is not needed:
            hits are re-ranked by the stored vectors).
        recall: share of the true 10 nearest that ``width`` and ``rerank`` are chosen for, on held-out queries.
        nprobe: lists visited (IVF); None = tuned.
        ef: candidates kept (HNSW); None = tuned.
        rerank: candidates re-ranked for each wanted hit; None = tuned, 1 where codes are exact.
        sample: rows to train on at most.
        threads: cores used for building and for batches of queries; 0 = all.
        gpu: search a copy on the GPUs, which share the rows; for Flat and IVF, with a GPU build of FAISS.
    """

    engine: ClassVar[str] = "faiss"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "factory": "HNSW32",
            "recall": 0.99,
            "nprobe": None,
            "ef": None,
            "rerank": None,
            "sample": 65536,
            "threads": 0,
            "gpu": False,
        }
    )
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType(
        {
            **RULES,
            "factory": TEXT,
            "nprobe": whole(),
            "ef": whole(),
            "rerank": whole(),
            "sample": whole(1, 1 << 31),
            "gpu": one_of(False, True),
        }
    )
    can_add: ClassVar[bool] = True
    can_filter: ClassVar[bool] = True
    can_mmap: ClassVar[bool] = True
    filter_floor: ClassVar[float] = 0.05

    def __init__(self, dim: int, metric: str = "cosine", **parameters: Any) -> None:
        super().__init__(dim, metric, **parameters)
        self._faiss: Any = importlib.import_module("faiss")
        self._index: Any = None
        self._asked: Any = None  # what searches ask: the index itself, or its copy on the GPUs
        self._gpu = bool(self.parameters["gpu"])
        if self._gpu:
            gpus.check(self._faiss)
            self._turn = threading.Lock()  # a GPU's working memory serves one search at a time
        self._mapped = False
        self._order = _NONE  # row numbers in the order of adding, and −1 behind them, which FAISS's −1 stands for
        self._kind = Factory(self.parameters["factory"])
        # rows of length 1 are in the same order by angle and by difference, but lists and codes know differences better
        self._differences = metric == "euclidean" or (metric == "cosine" and self._kind.clusters)
        self.tuned = Effort()
        asked = dim, self._kind, self._differences
        if asked not in _MADE:  # FAISS takes a millisecond to read a factory string
            self._empty()  # what cannot be built is refused now, not after hours of embedding
            _MADE.add(asked)
        if self.parameters["sample"] < self._kind.fewest:
            raise InputError(
                f"faiss cannot learn {self._kind.text} from {self.parameters['sample']:,} rows; take a sample of "
                f"{self._kind.fewest:,} or more, or fewer lists."
            )

    def _empty(self) -> Any:
        kind = self._faiss.METRIC_L2 if self._differences else self._faiss.METRIC_INNER_PRODUCT
        try:
            if re.search(r"(HNSW|NSG)0*[01](?!\d)", self._kind.text):
                raise RuntimeError("a graph of fewer than 2 links ends the process")
            if "IDMap" in self._kind.text or "Refine" in self._kind.text or "RFlat" in self._kind.text:
                raise RuntimeError("imagekin keeps the ids and re-ranks: leave IDMap and RFlat out")
            return self._faiss.index_factory(self.dim, self._kind.text, kind)
        except RuntimeError as error:
            reason = re.sub(r"\s+", " ", str(error)).rsplit(": ", 1)[-1]
            raise InputError(
                f"FAISS cannot make {self._kind.text!r} for vectors of {self.dim} elements ({reason}); try Flat, "
                "HNSW32, 'IVF256,Flat' or 'PQ16x4fs' (PQ's number must divide the dimension)."
            ) from error

    def _least(self) -> int:
        return self._kind.least_rows

    def _filters(self) -> bool:
        return not self._gpu

    def _adds(self) -> bool:
        return not self._mapped and not self._gpu  # a mapped index cannot grow; a copy would have to be made anew

    def _rerank(self) -> int:
        return 0 if self.tuned.hopeless else self.tuned.rerank

    @classmethod
    def knobs(cls) -> frozenset[str]:
        """The width and the candidates; see ``Engine``."""
        return frozenset({"nprobe", "ef", "rerank"})

    def _turned(self) -> None:
        width, rerank = self.parameters.get(self._kind.knob), self.parameters["rerank"]
        widths = {} if width is None else {"width": int(width), "wide": int(width)}
        factor = {} if rerank is None else {"rerank": int(rerank)}
        self.tuned = replace(self.tuned, **widths, **factor, hopeless=False)

    def _build(self) -> None:
        index, choice, count = self._empty(), self._kind.choice(self.parameters, len(self._rows)), len(self._rows)
        learns = len(choice.widths) + len(choice.reranks) > 2 and count - self._rows.dead >= effort.LEAST
        order, held = effort.held_out_last(self._rows) if learns else (np.arange(count), 0)
        known, sample = np.split(order, [count - held])
        self._index, self._mapped, self._order = index, False, np.append(order, _NONE)
        with threads(self._faiss, int(self.parameters["threads"])):
            if not index.is_trained:
                train(self._faiss, index, self._training())
            self._take(known)
            self._serve()
            self.tuned = self._learnt(sample, choice)
            self._rows.release()
            self._take(sample)
            self._serve()

    def _learnt(self, sample: NDArray[np.int64], choice: effort.Choice) -> Effort:
        """The quickest settings that reach the recall, by rows that the index does not hold; the widest without any."""
        if not len(sample):
            return Effort(choice.widths[-1], choice.widths[-1], choice.reranks[-1])
        most = int(choice.reranks[-1])
        probe = factory.probe(self._rows, self.metric, sample, self._candidate_rows, most)
        given = {name for name in (self._kind.knob, "rerank") if self.parameters.get(name) is not None}
        found = effort.judged(effort.find(probe, choice), choice, self.engine, given, self._kind.knob)
        return replace(found, count=len(self._rows) - len(sample))

    def _serve(self) -> None:
        """Let searches ask the index as it is now."""
        self._asked = gpus.copied(self._faiss, self._index, self._kind.text) if self._gpu else self._index

    def _take(self, rows: NDArray[np.int64]) -> None:
        """Add rows in the order given, a block at a time."""
        for at in range(0, len(rows), _BLOCK):
            self._index.add(self._coded(prepared(self._rows.gather(rows[at : at + _BLOCK]), self.metric)))
            self._rows.release()  # a million rows that were each read once would seem to be held

    def _coded(self, vectors: Vectors) -> Vectors:
        """Rows as they are to be coded: where differences stand for angles, a row of zeros would be near to all."""
        if self.metric == "cosine" and self._differences:
            zero = ~vectors.any(axis=1)
            if zero.any():
                vectors = vectors.copy()
                vectors[zero] = prepared(np.random.default_rng(2).standard_normal((1, self.dim), np.float32), "cosine")
        return vectors

    def _training(self) -> Vectors:
        """An even random sample of the rows, at most ``sample`` of them and 64 for each list."""
        rows = self._rows
        count = min(len(rows), int(self.parameters["sample"]), max(16384, 64 * self._kind.lists))
        chosen = np.sort(np.random.default_rng(0).choice(len(rows), count, replace=False))
        sample = np.empty((count, self.dim), np.float32)
        for at in range(0, count, 2048):
            sample[at : at + 2048] = self._coded(prepared(rows.gather(chosen[at : at + 2048]), self.metric))
            rows.release()  # rows from everywhere would bring the whole file into memory
        return sample

    def _append(self, start: int, vectors: Vectors) -> None:
        with threads(self._faiss, 1 if len(vectors) < 1000 else int(self.parameters["threads"])):
            self._index.add(self._coded(vectors))
        self._order = np.concatenate([self._order[:-1], np.arange(start, start + len(vectors)), _NONE])

    def _search(self, queries: Vectors, k: int, allowed: Mask | None) -> Found:
        # one query on several OpenMP threads is slower than on one
        with threads(self._faiss, 1 if len(queries) == 1 else int(self.parameters["threads"])):
            breadth = self.tuned.for_hits(-(-k // self.tuned.rerank))
            if breadth is None or self.tuned.hopeless:
                return self._exactly(queries, k, allowed)
            width = max(math.ceil(breadth), self._least_lists(k))
            if allowed is not None:
                share = max(1, int(np.count_nonzero(allowed))) / len(allowed)
                if share > _MANY or not self._kind.filters:
                    return self._sifted(queries, k, int(width / share), allowed, share=share)
            keys, places = self._hits(queries, k, width, allowed)
        return self._numbers(places), keys  # ``Index`` takes no notice of keys where it ranks candidates anew

    def _sifted(self, queries: Vectors, k: int, width: int, allowed: Mask, *, share: float) -> Found:
        """The allowed ones among so many more candidates; FAISS's codes for fast scans know no filter.

        A query that finds fewer than k of them looks where few are allowed, and is left to the exact scan.
        """
        fetch = min(int((k + 4 * math.sqrt(k) + 8) / share), self._built)
        keys, places = self._hits(queries, fetch, max(width, self._least_lists(fetch)), None)
        found = self._numbers(places)
        keep = (found >= 0) & allowed[found]
        counts = np.count_nonzero(keep, axis=1)
        order = np.argsort(~keep, axis=1, kind="stable")[:, : max(k, int(counts.max()))]
        found = np.where(np.take_along_axis(keep, order, axis=1), np.take_along_axis(found, order, axis=1), _NONE)
        found[counts < k] = -1
        return found, np.take_along_axis(keys, order, axis=1)

    def _numbers(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row numbers of FAISS's own, which count from 0 in the order of adding; −1 for −1."""
        return self._order.take(places)

    def _candidate_rows(self, queries: Vectors, k: int, width: float) -> NDArray[np.int64]:
        return self._numbers(self._hits(prepared(queries, self.metric), k, int(width), None)[1])

    def _hits(self, queries: Vectors, k: int, width: int, allowed: Mask | None) -> Any:
        """FAISS's keys and its own row numbers."""
        if not self._gpu or k > gpus.MAX_K:
            settings, _held = self._settings(width, k, allowed)
            return self._index.search(queries, k, params=settings)
        if self._kind.lists:
            gpus.visit(self._faiss, self._asked, width)
        return self._asked.search(queries, k)

    def _least_lists(self, k: int) -> int:
        """Lists that hold 4 k rows on average."""
        return 4 * self._kind.lists * k // max(1, int(self._index.ntotal))

    def _settings(self, width: int, k: int, allowed: Mask | None) -> tuple[Any, Any]:
        """FAISS's search parameters, or None where the index has none, and what they point at."""
        faiss, kind, more = self._faiss, self._kind, 1.0
        words: dict[str, Any] = {}
        bits = None
        if allowed is not None:
            bits = np.packbits(allowed[self._order[:-1]], bitorder="little")
            words["sel"] = faiss.IDSelectorBitmap(bits)
            more = len(allowed) / max(1, int(np.count_nonzero(allowed)))
        if kind.lists:
            words["nprobe"] = int(min(kind.lists, max(width * more, 1)))
            return faiss.SearchParametersIVF(**words), bits
        if kind.graph:
            words["efSearch"] = int(max(width * (2 * more if bits is not None else 1), k))
            return faiss.SearchParametersHNSW(**words), bits
        return (faiss.SearchParameters(**words) if words else None), bits

    def _save(self, folder: Path) -> None:
        packed.write(self._faiss, self._index, folder / _FILE)
        np.save(folder / _ORDER, self._order)
        (folder / _STATE).write_text(json.dumps(asdict(self.tuned)), encoding="utf-8")

    def _open(self, folder: Path) -> None:
        try:
            self._index = packed.read(self._faiss, folder / _FILE)
            self._order = np.asarray(np.load(folder / _ORDER, mmap_mode="r"))
            self.tuned = Effort(**json.loads((folder / _STATE).read_text(encoding="utf-8")))
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            raise IndexingError(f"FAISS cannot read {folder / _FILE} ({error}); build the index again.") from error
        self._mapped = True
        self._serve()

    def _memory(self) -> int:
        if self._mapped:
            return 0
        codes = self._faiss.downcast_index(self._index.storage) if self._kind.graph else self._index
        return self._order.nbytes + self._kind.code_bytes(self.dim, codes) * int(self._index.ntotal)
