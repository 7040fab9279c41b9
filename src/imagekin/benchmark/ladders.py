"""The table of sweeps: for each engine the ways to build it, and for each of these the settings to search with.

Ladders rise by about 1.5, so that the best rung is within a few per cent of the best there is.  Every engine is
measured as it is by default besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Parameters: TypeAlias = Mapping[str, Any]
Axes: TypeAlias = Mapping[str, Sequence[Any]]
Line: TypeAlias = tuple[Parameters, Axes]
"""Parameters to build with, and for each parameter of searching the values to try."""


def _rising(first: float, last: float, factor: float = 1.5) -> list[int]:
    count = math.floor(math.log(last / first, factor) + 1e-9) + 1
    return [round(first * factor**step) for step in range(count)]


def _shares(lists: int) -> list[int]:
    """Numbers of lists to visit: each 1.5 times the one before, up to half of them."""
    return sorted(set(_rising(1, max(2, lists // 2))))


_EF: Final = _rising(10, 600)


def _nothing(n: int, dim: int) -> Iterator[Line]:
    yield from ()


def _graph(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF}
    yield {"M": 32}, {"ef": _EF}


def _usearch(n: int, dim: int) -> Iterator[Line]:
    yield {"dtype": "f32"}, {"ef": _EF}
    yield {"dtype": "f32", "M": 32}, {"ef": _EF}
    # at 16 bits a given ef changes how many candidates are re-ranked, so each has to be built
    yield from (({"recall": target}, {}) for target in (0.9, 0.95))


def _voyager(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF}
    yield {"M": 24}, {"ef": _EF}


def _faiss(n: int, dim: int) -> Iterator[Line]:
    few, many = (_trained(round(math.log2(factor * math.sqrt(n))), n) for factor in (1, 4))
    yield {"factory": "HNSW32"}, {"ef": _EF}
    yield {"factory": f"IVF{many},Flat"}, {"nprobe": _shares(many), "rerank": (1,)}
    yield {"factory": f"IVF{few},SQ8"}, {"nprobe": _shares(few), "rerank": (1, 4)}
    if dim % 4 == 0:
        codes = f"PQ{dim // 4}x4fs" if dim >= 512 else f"PQ{dim // 2}x4fs"
        yield {"factory": codes}, {"rerank": (1, 2, 4, 7, 10, 20, 40)}
        yield {"factory": f"IVF{few},{codes}"}, {"nprobe": _shares(few), "rerank": (4, 10, 20)}


def _trained(power: int, n: int) -> int:
    """Lists, a power of two, as many as *n* vectors can train."""
    while power > 4 and 39 << power > n:
        power -= 1
    return 1 << max(4, power)


def _annoy(n: int, dim: int) -> Iterator[Line]:
    searched = _rising(100, 100_000, 2)
    yield {}, {"search_k": searched}
    yield {"trees": 100}, {"search_k": searched}


def _pynndescent(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"epsilon": (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)}


def _ngt(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"epsilon": (-0.1, -0.05, 0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4)}
    yield {"edges": 20, "search_edges": 60}, {"epsilon": (-0.1, -0.05, 0.0, 0.05, 0.1, 0.2)}


def _lists(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"nprobe": _shares(2 * math.isqrt(n)), "rerank": (2, 4, 10, 20)}


def _lorann(n: int, dim: int) -> Iterator[Line]:
    searched = {"nprobe": _shares(math.isqrt(n)), "rerank": (2, 4, 10)}
    yield {}, searched
    yield {"bits": 4}, searched


def _rabitq(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"nprobe": _shares(4 * math.isqrt(n)), "rerank": (1, 2)}
    yield {"bits": 4}, {"nprobe": _shares(4 * math.isqrt(n)), "rerank": (1, 3, 10)}


def _symphony(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF}
    yield {"bits": 8}, {"ef": _EF, "rerank": (1, 2)}


def _glass(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF, "rerank": (1, 2)}
    yield {"codes": "FP16"}, {"ef": _EF, "rerank": (1,)}


def _svs(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF}
    yield {"degree": 64}, {"ef": _EF}


def _turbovec(n: int, dim: int) -> Iterator[Line]:
    yield {"bits": 4}, {"rerank": (1, 2, 3, 4, 6, 9, 14, 20)}
    yield {"bits": 2}, {"rerank": (4, 6, 9, 14, 20, 30, 45, 70, 100)}


SWEEPS: Final[Mapping[str, Callable[[int, int], Iterator[Line]]]] = {
    "faiss": _faiss,
    "annoy": _annoy,
    "hnswlib": _graph,
    "ngt": _ngt,
    "nmslib": _graph,
    "pynndescent": _pynndescent,
    "usearch": _usearch,
    "voyager": _voyager,
    "scann": _lists,
    "symphonyqg": _symphony,
    "rabitq-ivf": _rabitq,
    "pyglass-portable": _glass,
    "lorann": _lorann,
    "scalable-vs": _svs,
    "turbovec": _turbovec,
    "exact": _nothing,
    "kdtree": _nothing,
    "balltree": _nothing,
    "torch": _nothing,
}
"""Engine to the lines of its sweep over *n* vectors of *dim* elements, besides the engine as it is by default."""
