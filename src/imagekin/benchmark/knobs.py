"""Settings that a built index can change: one build serves a whole curve of recall against speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imagekin.index.approximate import Approximate
from imagekin.index.base import Index
from imagekin.index.faiss import Faiss
from imagekin.index.tuned import Tuned

Settings = Mapping[str, Any]
"""An engine's parameters by name, of those that act when it searches."""


def names(engine: type[Index]) -> frozenset[str]:
    """The parameters of an engine that may be changed after it is built; none for engines of others."""
    if issubclass(engine, Faiss):
        return frozenset({"nprobe", "ef", "rerank"})
    if issubclass(engine, Approximate):
        return frozenset({engine.width_option, "rerank"}) & engine.options.keys()
    return frozenset({engine.knob}) & engine.options.keys() if issubclass(engine, Tuned) else frozenset()


def split(engine: type[Index], parameters: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters that an index is built with, and those that it can change afterwards."""
    later = names(engine)
    build = {name: value for name, value in parameters.items() if name not in later}
    return build, {name: value for name, value in parameters.items() if name in later and value is not None}


def adjust(index: Index, settings: Settings) -> None:
    """Let a built index search with these settings from now on, as if it had been built with them."""
    if not settings:
        return
    if isinstance(index, Tuned):
        index._set(settings[index.knob])
    elif isinstance(index, Approximate):
        known = {"width": settings.get(index.width_option), "rerank": settings.get("rerank")}
        given = {name: int(value) for name, value in known.items() if value is not None}
        index.tuned = replace(index.tuned, **given, hopeless=False, recall=None)
    elif isinstance(index, Faiss):
        known = {"width": settings.get("nprobe", settings.get("ef")), "rerank": settings.get("rerank")}
        given = {name: int(value) for name, value in known.items() if value is not None}
        index.tuned = replace(index.tuned, **given)
    index.parameters.update(settings)
