"""Derived model files: built once, verified, and never in the way."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from imagekin.embed import create
from imagekin.embed.cache import cache_folder, open_or_build

DATA = b"a model, so to speak" * 100


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


class Builder:
    def __init__(self, data: bytes = DATA) -> None:
        self.data, self.calls = data, 0

    def __call__(self) -> bytes:
        self.calls += 1
        return self.data


def test_the_folder_is_the_platforms_unless_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("IMAGEKIN_CACHE")
    assert cache_folder().name.lower() in ("imagekin", "cache") and cache_folder().is_absolute()
    monkeypatch.setenv("IMAGEKIN_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"


def test_it_is_built_once_and_named_by_its_bytes(folder: Path) -> None:
    build = Builder()
    assert open_or_build("net", "abc", build) == open_or_build("net", "abc", build) == DATA
    assert build.calls == 1
    assert os.listdir(folder) == [f"net-abc.{hashlib.sha256(DATA).hexdigest()}.onnx"]


def test_another_key_is_another_file() -> None:
    assert open_or_build("net", "abc", Builder(b"one")) == b"one"
    assert open_or_build("net", "abd", Builder(b"two")) == b"two"
    assert open_or_build("net", "ab", Builder(b"three")) == b"three"
    assert open_or_build("net", "abc", Builder(b"four")) == b"one"


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA[:100] + b"\0" + DATA[101:], DATA + b"!"])
def test_a_damaged_copy_is_built_again(folder: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    open_or_build("net", "abc", Builder())
    (path,) = folder.iterdir()
    path.write_bytes(damage)
    build = Builder()
    assert open_or_build("net", "abc", build) == DATA
    assert build.calls == 1 and "damaged" in caplog.text
    assert [file.read_bytes() for file in folder.iterdir()] == [DATA]


def test_a_cache_that_cannot_be_written_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "file"))
    build = Builder()
    assert open_or_build("net", "abc", build) == open_or_build("net", "abc", build) == DATA
    assert build.calls == 2 and "cannot be kept" in caplog.text


def test_a_write_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert open_or_build("net", "abc", Builder()) == DATA
    assert os.listdir(folder) == []


def test_a_build_that_fails_leaves_nothing(folder: Path) -> None:
    def broken() -> bytes:
        raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        open_or_build("net", "abc", broken)
    assert not folder.exists()


def test_many_builders_at_once_agree(folder: Path) -> None:
    builders = [Builder() for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda build: open_or_build("net", "abc", build), builders))
    assert results == [DATA] * 16
    assert len(os.listdir(folder)) == 1


def test_processes_at_once_build_one_model(tmp_path: Path, folder: Path) -> None:
    code = "from imagekin import embed; import numpy as np; print(embed.create(precision='int8')._embed("
    code += "np.zeros((1, 224, 224, 3), np.uint8)).tobytes().hex()[:4000])"
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(set(outputs)) == 1 and len(outputs[0]) > 1000
    assert len([name for name in os.listdir(folder) if name.endswith(".onnx")]) == 1


def test_the_built_in_model_works_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        vectors = create(precision="int8").embed([np.full((40, 30, 3), 200, np.uint8)])
    assert vectors.shape == (1, 1280) and "built again at each start" in caplog.text
