"""Engines of the table, for tests that can do without those that are not installed."""

from __future__ import annotations

import os
from typing import Any

import pytest

from imagekin.index import ENGINES, create, parse
from imagekin.types import Vectors


def need(spec: str) -> None:
    """Skip where the engine's package is missing, unless every engine has to be here."""
    name = parse(spec)[0]
    if os.environ.get("IMAGEKIN_ALL_ENGINES") != "1" and not ENGINES[name].installed():
        pytest.skip(f"{name} is not installed, and IMAGEKIN_ALL_ENGINES is not 1")


def make(spec: str, dim: int = 32, metric: str = "cosine") -> Any:
    """An empty index."""
    need(spec)
    return create(spec, dim, metric)


def built(spec: str, vectors: Vectors, metric: str = "cosine") -> Any:
    """An index of *vectors*, under the ids 0, 1, 2…"""
    index = make(spec, vectors.shape[1], metric)
    index.build(range(len(vectors)), vectors)
    return index


def quick(engine: str, **parameters: object) -> str:
    """The engine on one thread, which tests beside others and repeatable answers need."""
    given = parameters if engine == "turbovec" else {**parameters, "threads": 1}
    words = ",".join(f"{name}={value}" for name, value in given.items())
    return f"{engine}:{words}" if words else engine
