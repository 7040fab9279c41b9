"""FAISS on GPUs, as far as a machine without one can tell.

What FAISS does on a GPU is not shown here: the stand-in below copies the index and stays on the processor.  It shows
what is asked of FAISS: that searches go to the copy and are told how many lists to visit, that the original is what is
saved, and what a person reads where something is missing.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pytest

from imagekin.errors import IndexingError, InputError
from imagekin.index import create
from imagekin.testing.answers import clustered
from imagekin.testing.engines import check_engine

SPEC = "faiss(factory='IVF16,Flat', gpu=True, threads=1)"


class StandIn:
    """A GPU build of FAISS whose GPUs are the processor; counts the searches of the copies."""

    def __init__(self) -> None:
        self.visited: list[int] = []

    def copy(self, index: Any, co: Any) -> Any:
        assert co.shard
        return faiss.clone_index(index)

    def space(self) -> Any:
        def tell(index: Any, name: str, value: int) -> None:
            assert name == "nprobe"
            index.nprobe = value
            self.visited.append(value)

        return SimpleNamespace(set_index_parameter=tell)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn()
    for name, value in {
        "StandardGpuResources": object,
        "get_num_gpus": lambda: 2,
        "GpuMultipleClonerOptions": SimpleNamespace,
        "index_cpu_to_all_gpus": made.copy,
        "GpuParameterSpace": made.space,
    }.items():
        monkeypatch.setattr(faiss, name, value, raising=False)
    return made


def test_a_build_without_gpu_code_says_so() -> None:
    if hasattr(faiss, "StandardGpuResources"):
        pytest.skip("this FAISS has GPU code")
    with pytest.raises(InputError, match=r"built without GPU code: install a GPU build .* or leave gpu=True out"):
        create("faiss(factory='Flat', gpu=True)", 8)


def test_a_gpu_build_without_a_gpu_says_so(gpus: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    with pytest.raises(InputError, match="finds no GPU on this machine; leave gpu=True out"):
        create("faiss(factory='Flat', gpu=True)", 8)


@pytest.mark.parametrize("factory", ["IVF16,Flat", "Flat"])
def test_conformance_of_the_wiring(gpus: StandIn, factory: str, tmp_path: Path) -> None:
    check_engine(lambda dim, metric: create(f"faiss(factory='{factory}', gpu=True, threads=1)", dim, metric), tmp_path)


def test_the_copy_is_told_how_many_lists_to_visit(gpus: StandIn) -> None:
    index: Any = create("faiss(factory='IVF16,Flat', nprobe=3, gpu=True, threads=1)", 8)
    index.build(range(2000), clustered(2000, 8))
    index.search(clustered(1, 8), 10)
    assert gpus.visited[-1] == 3
    index.search(clustered(1, 8), 100)  # 100 hits need lists that hold 400 rows: 16 x 400 / 2000
    assert gpus.visited[-1] == 3
    index.search(clustered(1, 8), 1000)
    assert gpus.visited[-1] == 32
    before = len(gpus.visited)
    assert index.search(clustered(1, 8), 1999)[0].shape == (1, 1999)
    assert len(gpus.visited) == before + 1


def test_more_hits_than_gpus_can_find_come_from_the_original(gpus: StandIn) -> None:
    index: Any = create(SPEC, 8)
    rows = clustered(4000, 8)
    index.build(range(4000), rows)
    before = len(gpus.visited)
    ids, _ = index.search(rows[5], 3000)
    assert ids[0, 0] == 5
    assert len(gpus.visited) == before


def test_added_rows_wait_and_a_rebuild_takes_them_in(gpus: StandIn) -> None:
    index: Any = create(SPEC, 8)
    rows = clustered(1200, 8)
    index.build(range(1000), rows[:1000])
    index.add(range(1000, 1200), rows[1000:])
    assert index._asked.ntotal == 1000
    assert index.search(rows[1100], 1)[0].tolist() == [[1100]]
    index.rebuild()
    assert index._asked.ntotal == 1200


@pytest.mark.parametrize(
    ("reason", "kind", "sentence"),
    [
        ("This index type is not implemented on GPU.", InputError, "FAISS has no IVF16,Flat for GPUs"),
        ("Error: 'err == cudaSuccess' failed: out of memory", IndexingError, "no room for 2,000 vectors as IVF16,Flat"),
    ],
)
def test_what_faiss_refuses_is_one_sentence(
    gpus: StandIn, reason: str, kind: type[Exception], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(index: Any, co: Any) -> Any:
        raise RuntimeError(f"Error in faiss::ToGpuCloner\nat gpu.cpp:1: {reason}")

    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", refuse)
    index = create("faiss(factory='IVF16,Flat', nprobe=4, gpu=True, threads=1)", 8)
    with pytest.raises(kind, match=sentence) as told:
        index.build(np.arange(2000), clustered(2000, 8))
    assert "\n" not in str(told.value)
