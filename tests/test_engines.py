"""Every engine passes the conformance suite, and the suite sees what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.index import ENGINES, create
from imagekin.index.exact import Exact
from imagekin.testing.answers import slow_distances
from imagekin.testing.engines import check_engine, check_nearest, check_refusals, check_threads

# one thread while building: tests run beside others, and OpenMP's threads wait for each other
SPECS = [
    ("exact", 1.0),
    ("faiss:Flat,threads=1", 1.0),
    ("faiss:HNSW16,threads=1", 0.9),
    ("faiss:IVF16,Flat,threads=1", 0.9),
    ("faiss:IVF16,SQ8,threads=1", 0.9),
    ("faiss:SQfp16,threads=1", 0.98),
    ("faiss:PQ16x4fs,threads=1", 0.9),
    ("faiss:IVF16,PQ16x4fs,threads=1", 0.9),
]


@pytest.mark.parametrize(("spec", "recall"), SPECS)
def test_conformance(spec: str, recall: float, tmp_path: Path) -> None:
    check_engine(lambda dim, metric: create(spec, dim, metric), tmp_path, recall=recall)


def test_every_engine_of_the_base_install_is_checked() -> None:
    assert {spec.partition(":")[0] for spec, _ in SPECS} == {name for name in ENGINES if not ENGINES[name].extra}


def test_slow_distances_by_hand() -> None:
    assert slow_distances([3, 4], [[3, 4], [-4, 3], [0, 0]], "cosine") == pytest.approx([0, 1, 1])
    assert slow_distances([3, 4], [[3, 4], [0, 0]], "euclidean") == pytest.approx([0, 5])
    assert slow_distances([3, 4], [[3, 4], [1, 0]], "inner") == pytest.approx([-25, -3])


class WrongDistances(Exact):
    def search(self, queries: Any, k: int, *, allow: Any = None) -> Any:
        ids, distances = super().search(queries, k, allow=allow)
        return ids, distances * np.float32(1.01)


class WrongOrder(Exact):
    def search(self, queries: Any, k: int, *, allow: Any = None) -> Any:
        ids, distances = super().search(queries, k, allow=allow)
        return ids[:, ::-1], distances[:, ::-1]


class SecondBest(Exact):
    def search(self, queries: Any, k: int, *, allow: Any = None) -> Any:
        ids, distances = super().search(queries, k + 5, allow=allow)
        return ids[:, 5:], distances[:, 5:]


class AcceptsAnything(Exact):
    def add(self, ids: Any, vectors: Any, *, checked: bool = False) -> None:
        super().add(range(60, 60 + len(ids)), np.zeros((len(ids), self.dim)))


class ForgetsAdded(Exact):
    def add(self, ids: Any, vectors: Any, *, checked: bool = False) -> None:
        pass


@pytest.mark.parametrize(
    ("engine", "sentence"),
    [(WrongDistances, "is at"), (WrongOrder, "not ascending"), (SecondBest, "recall")],
)
def test_wrong_answers_are_seen(engine: type[Exact], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_nearest(engine, "cosine", 1.0)


def test_careless_engines_are_seen() -> None:
    with pytest.raises(AssertionError, match="was accepted"):
        check_refusals(AcceptsAnything, "cosine")
    with pytest.raises(AssertionError, match="added row is not found"):
        check_threads(ForgetsAdded, "cosine")
