"""Engines of the extra ``engines`` that search a graph or a forest: the conformance suite, and each library's traps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagekin.index import ENGINES, create, parse
from imagekin.testing.engines import check_engine

SPECS = [
    ("hnswlib:threads=1", 0.9),
    ("nmslib:threads=1", 0.9),
    ("usearch:threads=1", 0.9),
    ("usearch:dtype=f32,threads=1", 0.9),
    ("usearch:dtype=bf16,threads=1", 0.9),
    ("voyager:threads=1", 0.9),
    ("voyager:dtype=e4m3,threads=1", 0.9),
]


def need(engine: str) -> None:
    """Skip where the engine's package is not installed, unless all of them have to be."""
    if not ENGINES[engine].installed() and os.environ.get("IMAGEKIN_ALL_ENGINES") != "1":
        pytest.skip(f"{engine} is not installed")


@pytest.mark.parametrize(("spec", "recall"), SPECS)
def test_conformance(spec: str, recall: float, tmp_path: Path) -> None:
    need(parse(spec)[0])
    check_engine(lambda dim, metric: create(spec, dim, metric), tmp_path, recall=recall)
