"""Settings that a built index can change: one build serves a whole curve of recall against speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imagekin.index.base import Index
from imagekin.index.faiss import Faiss
from imagekin.index.tuned import Tuned

Settings = Mapping[str, Any]
"""An engine's parameters by name, of those that act when it searches."""


def names(engine: type[Index]) -> frozenset[str]:
    """The parameters of an engine that may be changed after it is built; none for engines of others."""
    if issubclass(engine, Faiss):
        return frozenset({"nprobe", "ef", "rerank"})
    return frozenset({engine.knob, "rerank"}) & engine.options.keys() if issubclass(engine, Tuned) else frozenset()


def adjust(index: Index, settings: Settings) -> None:
    """Let a built index search with these settings from now on, as if it had been built with them."""
    if not settings:
        return
    index.parameters.update(settings)
    rerank = {} if settings.get("rerank") is None else {"rerank": int(settings["rerank"])}
    if isinstance(index, Tuned):
        width = settings.get(index.knob)
        widths = {} if width is None else {"width": width, "wide": width}
        index.tuned = replace(index.tuned, **widths, **rerank, recall=None, hopeless=False)
        index._widen(index._built)
    elif isinstance(index, Faiss):
        width = settings.get("nprobe", settings.get("ef"))
        index.tuned = replace(index.tuned, **({} if width is None else {"width": int(width)}), **rerank)
