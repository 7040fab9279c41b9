"""The section on the default engine measures what it says; what it measured is never a test's business."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # the benchmarks are not installed with the package

from benchmarks import clusters, defaults, pictures, report

GIVEN = {"images": None, "collection": None, "queries": 8, "rounds": 2}


@pytest.mark.skipif(not hasattr(__import__("os"), "sched_setaffinity"), reason="one core is chosen by affinity")
def test_a_small_size_goes_through_every_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "DEFAULT", tmp_path / "absent")
    monkeypatch.setattr(defaults, "FAST_ROWS", 0)
    figures = defaults.run(argparse.Namespace(sizes="1200x24", **GIVEN), tmp_path)
    found = figures["sizes"]["1200x24"]
    assert found["build"]["spec"] == "exact"
    assert found["search"]["recall@10 exact"] == 1.0
    assert {share: row["recall"] for share, row in found["filters"].items()} == {
        "50 %": 1.0, "10 %": 1.0, "1 %": 1.0, "0.1 %": 1.0
    }  # fmt: skip
    assert found["search"]["all_cores_ms"]["default"]["queries"] == 8
    assert not list(tmp_path.iterdir())
    page = "\n".join(report.summary("defaults", figures))
    assert "| 1200x24 | `exact` |" in page
    assert "| 1200x24 | 0.1 % | 1.0000 |" in page


def test_the_fast_mode_is_compared_at_the_same_recall(tmp_path: Path) -> None:
    pytest.importorskip("hnswlib")
    settings = {"folder": str(tmp_path), "base": "", "rows": 1500, "dim": 16, "queries": 20, "rounds": 1}
    defaults.make(settings)
    figures = json.loads(json.dumps(defaults.fast(settings)))
    assert figures["recall"]["hnswlib, bare"] >= defaults.FAST
    assert figures["singles"]["hnswlib, bare"]["times"]["median"] == 1.0
    assert set(figures["recall"]) == set(figures["singles"]) == set(figures["batches"])


def test_shortened_embeddings_keep_their_angles_where_nothing_is_lost() -> None:
    random = np.random.default_rng(0)
    flat = random.standard_normal((300, 12)) @ random.standard_normal((12, 40))  # 40 elements, 12 directions
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    whole = clusters.Clusters(flat.astype(np.float32), np.arange(300) % 5)
    short = clusters.shortened(whole, 12)
    assert short.base.shape == (300, 12)
    centred = flat - flat.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(short.base @ short.base.T, centred @ centred.T, atol=1e-4)
    assert clusters.shortened(whole, 40) is whole
