"""The benchmark of adapters asks each library as its adapter does, and tells apart what is added."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.distance import normalized
from imagekin.index import ENGINES
from imagekin.index.tuned import Tuned
from imagekin.testing.answers import clustered
from tests.installed_engines import built, quick

sys.path.insert(0, str(Path(__file__).parents[1]))  # the benchmarks are not installed with the package

from benchmarks import adapters

QUICK = [name for name in adapters.LIBRARIES if name not in ("pynndescent", "scann")]


def test_every_engine_of_the_extra_that_is_tuned_has_its_library_measured() -> None:
    names = {name for name in ENGINES if ENGINES[name].extra == "engines" and ENGINES[name].installed()}
    tuned = {name for name in names - {"pynndescent"} if issubclass(ENGINES.load(name), Tuned)}
    assert tuned <= set(adapters.LIBRARIES)


@pytest.mark.parametrize("name", QUICK)
def test_the_library_is_asked_for_as_many_hits_as_the_adapter_asks(name: str) -> None:
    rows, queries = np.split(normalized(clustered(700, 64)), [690])
    index, asked = built(quick(name), rows), dict[str, list[tuple[Any, ...]]]()
    library, bare = index._index, adapters.LIBRARIES[name](index)
    for who, search in (("adapter", lambda batch: index.search(batch, adapters.K)), ("library", bare)):
        index._index = Listening(library, asked.setdefault(who, []))
        search(queries[:1])
        search(np.ascontiguousarray(queries))
    assert [numbers(call) for call in asked["library"]] == [numbers(call) for call in asked["adapter"]]


class Listening:
    """A library's index that writes down what it is asked."""

    def __init__(self, library: Any, heard: list[tuple[Any, ...]]) -> None:
        self._library, self._heard = library, heard

    def __len__(self) -> int:
        return len(self._library)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._library, name)
        if not callable(found):
            return found

        def call(*words: Any, **named: Any) -> Any:
            if name != "set_ef":
                self._heard.append((name, *words, *named.values()))
            return found(*words, **named)

        return call


def numbers(call: tuple[Any, ...]) -> tuple[Any, ...]:
    """The method, and the numbers of hits and candidates among its arguments: those of 10 and more."""
    return call[0], sorted(word for word in call[1:] if type(word) is int and word >= adapters.K)


def test_a_run_reports_each_engine_and_one_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(quick("hnswlib"), clustered(64, 8))
    monkeypatch.setattr(type(ENGINES["lorann"]), "installed", lambda self: "lorann" not in self.target)
    words = argparse.Namespace(rows=600, dim=16, queries=5, batch=20, rounds=2, engines="hnswlib,lorann")
    figures = adapters.run(words, tmp_path)
    assert figures["engines"]["lorann"] == {"missing": True}
    assert set(figures["engines"]["hnswlib"]["us"]) == {"adapter", "library", "rerank"}
    assert figures["engines"]["hnswlib"]["us"]["adapter"]["queries"] == 5
    assert figures["engines"]["hnswlib"]["batch_times"]["rounds"] == 2
