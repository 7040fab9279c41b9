"""The PyTorch engine on the processor: conformance, shards, halves, and what it says where there is no GPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.errors import IndexingError, InputError
from imagekin.index import create, scan
from imagekin.index.base import Index
from imagekin.testing.answers import clustered
from imagekin.testing.engines import check_engine
from tests.installed_engines import need

SPECS = (
    "torch(devices='cpu')",
    "torch(devices='cpu', dtype='float16')",
    "torch(devices='cpu,cpu,cpu')",
)


@pytest.fixture(scope="module")
def torch() -> Any:
    need("torch")
    import torch

    return torch


@pytest.fixture
def no_gpu(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("spec", SPECS)
def test_conformance(torch: Any, spec: str, tmp_path: Path) -> None:
    check_engine(lambda dim, metric: create(spec, dim, metric), tmp_path, recall=1.0)


def made(spec: str, metric: str, rows: np.ndarray) -> Index:
    index = create(spec, rows.shape[1], metric)
    index.build(np.random.default_rng(5).permutation(len(rows)), rows)
    return index


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_the_same_ids_as_exact_whatever_the_lengths(torch: Any, metric: str, dtype: str) -> None:
    # longest rows around 10⁵: their products, 10¹⁰, are beyond what halves hold
    rows = clustered(3000, 24) * np.random.default_rng(1).lognormal(5, 2, (3000, 1)).astype(np.float32)
    index, exact = made(f"torch(devices='cpu,cpu', dtype='{dtype}')", metric, rows), made("exact", metric, rows)
    queries = np.concatenate([clustered(3040, 24)[3000:] * np.float32(500), rows[:20]])
    for k in (1, 10, 90):
        ours, true = index.search(queries, k), exact.search(queries, k)
        np.testing.assert_array_equal(ours[0], true[0])
        np.testing.assert_allclose(ours[1], true[1], rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_rows_closer_than_rounding_are_told_apart_by_the_scan(torch: Any, dtype: str) -> None:
    # 400 rows within 1e-4 of each other: halves, and the candidates that are kept, cannot order them
    rows = clustered(1, 32) + np.float32(1e-5) * clustered(400, 32, seed=2)
    rows = np.concatenate([rows, clustered(400, 32, seed=3)])
    index, exact = made(f"torch(devices='cpu', dtype='{dtype}')", "euclidean", rows), made("exact", "euclidean", rows)
    np.testing.assert_array_equal(index.search(rows[7], 30)[0], exact.search(rows[7], 30)[0])


def test_the_scan_is_not_needed_for_ordinary_rows(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clustered(4000, 48)
    index = made("torch(devices='cpu', dtype='float16')", "cosine", rows)
    monkeypatch.setattr(scan, "nearest", None)
    assert index.search(rows[:50], 10)[0][:, 0].tolist() == index.ids[:50].tolist()


def test_blocks_and_batches_change_nothing(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clustered(5000, 16)
    index = made("torch(devices='cpu')", "euclidean", rows)
    before = index.search(rows[:600], 7)
    monkeypatch.setattr("imagekin.index.torch._KEYS", 1024)
    monkeypatch.setattr("imagekin.index.torch._BATCH", 100)
    np.testing.assert_array_equal(index.search(rows[:600], 7)[0], before[0])


def test_more_devices_than_rows_leave_some_idle(torch: Any) -> None:
    index = made(f"torch(devices='{','.join(['cpu'] * 99)}')", "cosine", clustered(70, 8))
    assert sorted(index.search(clustered(1, 8), 60)[0][0].tolist()) != [-1] * 60
    assert len(index._shards) == 70  # type: ignore[attr-defined]


def test_memory_on_the_processor(torch: Any) -> None:
    rows = clustered(1000, 64)
    exact = made("exact", "cosine", rows).memory_bytes()
    sizes = [made(f"torch(devices='cpu', dtype='{dtype}')", "cosine", rows).memory_bytes() - exact
             for dtype in ("float32", "float16")]  # fmt: skip
    assert sizes == [1000 * (64 * 4 + 4), 1000 * (64 * 2 + 4)]


def test_products_in_tf32_are_doubted_more(torch: Any) -> None:
    index: Any = made("torch(devices='cpu')", "cosine", clustered(70, 8))
    sure = float(index._doubt(np.ones(1, np.float32))[0])
    torch.set_float32_matmul_precision("high")
    try:
        assert index._doubt(np.ones(1, np.float32))[0] > 2**-10 > sure
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("given", ["torch", "torch(devices='cuda')", "torch(devices='cuda:0,cuda:1')"])
def test_without_a_gpu_the_message_names_what_works(no_gpu: None, given: str) -> None:
    with pytest.raises(InputError, match=r"PyTorch finds no GPUs? on this machine; .*use the engine exact"):
        create(given, 8)


@pytest.mark.parametrize("given", ["''", "'gpu'", "7", "'cpu;cpu'", "'meta'"])
def test_devices_that_are_none(no_gpu: None, given: str) -> None:
    with pytest.raises(InputError, match=r"devices must be like 'cpu', 'cuda' or 'cuda:0,cuda:1', not"):
        create(f"torch(devices={given})", 8)


def test_another_dtype_is_refused(torch: Any) -> None:
    with pytest.raises(InputError, match=r"dtype must be one of 'float32', 'float16', not 'int8'"):
        create("torch(devices='cpu', dtype='int8')", 8)


@pytest.mark.parametrize("step", ["build", "search"])
def test_a_full_device_is_one_sentence_and_the_rows_stay(
    torch: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    rows = clustered(200, 8)
    index = create("torch(devices='cpu')", 8)
    if step == "build":
        monkeypatch.setattr(torch, "empty", full)
    else:
        index.build(range(200), rows)
        monkeypatch.setattr(torch, "from_numpy", full)
    with pytest.raises(
        IndexingError, match=rf"cpu has no room to {'hold' if step == 'build' else step} 200 x 8"
    ) as told:
        index.build(range(200), rows) if step == "build" else index.search(rows[:1], 3)
    assert "\n" not in str(told.value)
    monkeypatch.undo()
    assert index.search(rows[5], 1)[0].tolist() == [[5]]


def test_other_errors_are_not_taken_for_a_full_device(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    index = made("torch(devices='cpu')", "cosine", clustered(200, 8))

    def broken(*_: Any) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(torch, "from_numpy", broken)
    with pytest.raises(RuntimeError, match="illegal"):
        index.search(clustered(1, 8), 3)


def test_the_best_device_of_this_machine_answers_like_exact(torch: Any) -> None:
    rows = clustered(5000, 64)
    spec = "torch" if torch.cuda.is_available() else "torch(devices='cpu')"
    index, exact = made(spec, "cosine", rows), made("exact", "cosine", rows)
    np.testing.assert_array_equal(index.search(rows[:300], 10)[0], exact.search(rows[:300], 10)[0])


def test_listing_engines_does_not_import_torch() -> None:
    code = "import sys, imagekin.index; imagekin.index.ENGINES['torch']; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
