"""Folders of measurements that somebody else has been in: crafted records, and files that are not ours."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.benchmark import Report, figure, of_vectors, page
from imagekin.benchmark.records import Folder
from imagekin.benchmark.workspace import Workspace

SCRIPT = "<script>alert(1)</script>"
WHOLE: dict[str, Any] = {
    "format": 1,
    "engine": "exact",
    "parameters": {},
    "settings": {},
    "data": {"name": "x", "rows": 100, "dim": 4, "metric": "cosine", "queries": 10, "k": 10, "fingerprint": "f"},
    "versions": {},
    "machine": {},
    "figures": {"recall": 1.0, "single_qps": 1000.0, "p50_ms": 1.0, "batch_qps": 10.0},
    "reason": "",
    "date": "2026",
    "key": "k",
}


def read(folder: Path, **parts: Any) -> Any:
    """The record that *folder* makes of a file with these parts replaced; an object's members are."""
    record = {name: {**value, **parts.get(name, {})} if isinstance(value, dict) else parts.get(name, value)
              for name, value in WHOLE.items()}  # fmt: skip
    (folder / "k.json").write_text(json.dumps(record))
    return Folder(folder).get("k")


@pytest.mark.parametrize(
    "figures",
    [
        {"recall": math.nan},
        {"recall": None},
        {"recall": -5},
        {"recall": 1.1},
        {"recall": True},
        {"single_qps": math.inf},
        {"single_qps": 0},
        {"single_qps": 10**400},
        {"pace_ms": 10**400},
        {"p50_ms": -math.inf},
    ],
)
def test_figures_that_no_chart_can_place_are_no_record(tmp_path: Path, figures: dict[str, Any]) -> None:
    assert read(tmp_path, figures=figures) is None


@pytest.mark.parametrize(
    "data", [{"name": None}, {"rows": SCRIPT}, {"k": SCRIPT}, {"k": [SCRIPT]}, {"dim": True}, {"metric": 3}]
)
@pytest.mark.parametrize("reason", ["", "it crashed"])
def test_data_of_the_wrong_kind_are_no_record(tmp_path: Path, data: dict[str, Any], reason: str) -> None:
    assert read(tmp_path, data=data, reason=reason) is None


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"data": {"name": SCRIPT, "metric": SCRIPT, "fingerprint": SCRIPT}},
        {"engine": SCRIPT},
        {"parameters": {"a": {"b": [SCRIPT]}}},
        {"machine": {"processor": SCRIPT, "cores": [SCRIPT]}},
        {"versions": {SCRIPT: SCRIPT}},
        {"date": SCRIPT},
        {"reason": SCRIPT},
    ],
)
def test_what_is_a_record_can_be_shown_and_does_not_act(tmp_path: Path, parts: dict[str, Any]) -> None:
    record = read(tmp_path, **parts)
    assert record is not None
    assert SCRIPT not in page.page(Report([record]))
    if not record.failed:
        figure([record])


def test_a_page_lets_only_its_own_script_act(tmp_path: Path) -> None:
    text = page.page(Report([read(tmp_path)]))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    own = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{own}'\"" in text
    assert "'unsafe-inline'" not in text.partition("script-src")[2][:200]


def test_files_of_the_user_stay_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("years of work")
    (tmp_path / ".imagekin-bench-killed").mkdir()  # what a killed measurement leaves
    data = of_vectors(np.random.default_rng(0).standard_normal((200, 4)), name="x", queries=20)
    with Workspace(data, 5, tmp_path) as space:
        assert (space.work / "train.npy").is_file()
        assert space.work.parent == tmp_path
        assert not (tmp_path / ".imagekin-bench-killed").exists()
    assert not space.work.exists()
    assert (tmp_path / "work" / "thesis.tex").read_text() == "years of work"
