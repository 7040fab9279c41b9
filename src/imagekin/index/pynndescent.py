"""PyNNDescent: a neighbour graph by descent, compiled when it is first used (Numba)."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import pynndescent
from numpy.typing import NDArray

from imagekin.errors import IndexingError
from imagekin.index.best import Found, lengths
from imagekin.index.effort import K
from imagekin.index.options import EPSILON, RULES, Rule, whole
from imagekin.index.rows import Mask
from imagekin.index.tuned import COMMON, Tuned
from imagekin.types import Vectors

_ARRAYS: Final = "engine.npz"
_PLAIN: Final = "graph.json"
_GRAPH: Final = ("data", "indices", "indptr")
_TREE: Final = "tree"
_LADDER: Final = (0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)


class PyNNDescent(Tuned):
    """NN-descent (Dong, Charikar, Li 2011), searched as a graph; it takes no rows after it is built.

    The import takes seconds; the first build of a process compiles for half a minute, and the first search of an
    installation once more, after which its code is read from Numba's cache.  Every metric is searched as Euclidean,
    which is compiled once: rows of length 1 under cosine, and under the inner product with one more element that makes
    all rows equally long (Bachrach et al. 2014).

    Parameters:
        neighbors: of a row in the graph.
        epsilon: how much further than the worst hit to look, as a share of its distance; None = tuned.
        recall: share of the true 10 nearest that ``epsilon`` is chosen for.
        threads: cores used for building; 0 = all.
    """

    engine: ClassVar[str] = "pynndescent"
    knob: ClassVar[str] = "epsilon"
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({**COMMON, "neighbors": 30, "epsilon": None})
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType({**RULES, "neighbors": whole(2, 1000), "epsilon": EPSILON})
    thread_safe: ClassVar[bool] = False

    def _least(self) -> int:
        return max(64, 2 * int(self.parameters["neighbors"]))

    def _lossy(self) -> bool:
        return True

    def _widths(self) -> Sequence[float]:
        return _LADDER

    def _grown(self, width: float, ratio: float) -> float:
        return width + 0.02 * float(np.log2(ratio))

    def _fill(self, rows: NDArray[np.int64]) -> None:
        vectors = self._vectors(rows, self.dim + (self.metric == "inner"))
        if self.metric == "inner":
            squares = lengths(vectors) ** 2
            vectors[:, -1] = np.sqrt(np.maximum(squares.max() - squares, 0))
        settings = {"n_neighbors": int(self.parameters["neighbors"]), "n_jobs": self._threads, "random_state": 0}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on what Numba could do better, and on rows that have few neighbours
            self._index = pynndescent.NNDescent(vectors, metric="euclidean", compressed=True, **settings)
            self._index.prepare()

    def _ask(self, queries: Vectors, k: int, width: float, allowed: Mask | None) -> Found:
        if self.metric == "inner":
            queries = np.pad(queries, ((0, 0), (0, 1)))
        # how far it looks depends on its worst hit: the width is tuned for ten
        found, distances = self._index.query(queries, k=max(k, K), epsilon=width)
        # a line that is short ends at infinity; both are its own memory, which the next search takes again
        return np.where(np.isfinite(distances), found, np.int64(-1)), distances.copy()

    def _write(self, folder: Path) -> None:
        state, arrays = self._index.__getstate__(), dict[str, Any]()
        plain: dict[str, Any] = {"version": pynndescent.__version__}
        graph, (tree,) = state["_search_graph"], state["_search_forest"]
        arrays |= {f"graph_{name}": getattr(graph, name) for name in _GRAPH}
        arrays |= {f"{_TREE}_{place}": np.asarray(part) for place, part in enumerate(tree)}
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                arrays[name] = value
            elif isinstance(value, np.generic):
                plain[name] = value.item()
            elif isinstance(value, (bool, int, float, str, type(None))):
                plain[name] = value
        np.savez(folder / _ARRAYS, **arrays)
        (folder / _PLAIN).write_text(json.dumps(plain), encoding="utf-8")

    def _read(self, folder: Path) -> None:
        sparse: Any = importlib.import_module("scipy.sparse")
        state = json.loads((folder / _PLAIN).read_text(encoding="utf-8"))
        if state.pop("version") != pynndescent.__version__:
            raise IndexingError("it was written by another version of PyNNDescent")
        with np.load(folder / _ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        count = len(arrays["_vertex_order"])
        graph = sparse.csr_array(tuple(arrays.pop(f"graph_{name}") for name in _GRAPH), shape=(count, count))
        graph.has_sorted_indices = True
        tree = [arrays.pop(f"{_TREE}_{place}") for place in range(5)]
        state |= {"_min_distance": np.float32(state["_min_distance"]), "_dist_args": ()}
        index = pynndescent.NNDescent.__new__(pynndescent.NNDescent)
        index.__setstate__(
            {**state, **arrays, "_search_graph": graph, "_search_forest": ((*tree[:-1], int(tree[-1])),)}
        )
        self._index = index

    def _memory(self) -> int:
        # its copy of the vectors, and links that are pruned to one and a half times the neighbours at most
        return self._built * (4 * self.dim + 12 * int(self.parameters["neighbors"]))
