"""What holds for every engine of the extra ``engines`` that is not exact: conformance, equal rows, many hits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imagekin.index import ENGINES, create, parse
from imagekin.testing.answers import check_answer, clustered
from imagekin.testing.engines import check_engine
from tests.installed_engines import built, need, quick

GRAPHS = [
    "annoy:trees=20,threads=1",
    "hnswlib:threads=1",
    "ngt:epsilon=0.1,threads=1",
    "nmslib:threads=1",
    "pynndescent:threads=1",
    "usearch:threads=1",
    "usearch:dtype=f32,threads=1",
    "usearch:dtype=bf16,threads=1",
    "voyager:threads=1",
    "voyager:dtype=e4m3,threads=1",
]
CODES = [
    "lorann:threads=1",
    "lorann:rank=16,bits=4,threads=1",
    "pyglass-portable:threads=1",
    "pyglass-portable:codes=FP32,threads=1",
    "rabitq-ivf:threads=1",
    "rabitq-ivf:bits=4,threads=1",
    "scalable-vs:threads=1",
    "scalable-vs:codes=float32,threads=1",
    "scann:threads=1",
    "symphonyqg:threads=1",
    "symphonyqg:bits=8,threads=1",
    "turbovec",
    "turbovec:bits=2",
]
DIMS = {parse(spec)[0]: dim for dim, specs in ((16, GRAPHS), (32, CODES)) for spec in specs}
EXACT = {"kdtree", "balltree"}


def test_every_engine_of_the_extra_is_here_or_exact() -> None:
    assert {name for name in ENGINES if ENGINES[name].extra == "engines"} == DIMS.keys() | EXACT


@pytest.mark.parametrize("spec", [*GRAPHS, *CODES])
def test_conformance(spec: str, tmp_path: Path) -> None:
    need(spec)
    check_engine(lambda dim, metric: create(spec, dim, metric), tmp_path, recall=0.9)


@pytest.mark.parametrize("engine", DIMS)
def test_k_hits_come_where_the_structure_reaches_fewer(engine: str) -> None:
    # islands of equal rows: links lead nowhere else, and libraries raise or return less than k
    vectors = np.repeat(clustered(5, DIMS[engine]), 200, axis=0)
    index = built(quick(engine), vectors)
    known = dict(enumerate(vectors))
    check_answer(index.search(vectors[:1], 300), vectors[:1], known, "cosine")
    index.remove(range(990))
    check_answer(index.search(vectors[::200], 20), vectors[::200], {n: known[n] for n in range(990, 1000)}, "cosine")


@pytest.mark.parametrize("engine", DIMS)
def test_many_hits_are_found_as_surely_as_ten(engine: str) -> None:
    rows, queries = np.split(clustered(2020, DIMS[engine]), [2000])
    index = built(quick(engine, recall=0.95), rows)
    known = dict(enumerate(rows))
    for k in (1, 10, 100):
        check_answer(index.search(queries, k), queries, known, "cosine", recall=0.9)
