"""The benchmark of networks runs each of them in every way, and its page says what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import embedding
from benchmarks.__main__ import parser
from benchmarks.sections import SECTIONS

from tests.torch_networks import need


def test_every_way_is_measured_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("torch", "timm", "torchvision")
    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "cache"))
    words = ["embedding", "--models", "test_resnet.r160_in1k", "--rounds", "2", "--batch", "4"]
    figures = embedding.run(parser().parse_args(words), tmp_path)
    found = figures["networks"]["test_resnet.r160_in1k"]
    assert {"eager", "bare", "exported", "int8"} <= found["ms"].keys()
    assert found["times_eager"]["eager"]["median"] == 1.0
    assert all(spread["median"] > 0 for spread in found["ms"].values())
    page = "\n".join(SECTIONS["embedding"][1](figures))
    assert "| `test_resnet.r160_in1k` |" in page
    assert "int8" in page


def test_without_pytorch_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    figures = embedding.run(parser().parse_args(["embedding"]), tmp_path)
    assert "needs PyTorch" in "\n".join(SECTIONS["embedding"][1](figures))
