"""Which precision suits which processor."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekin.embed import processor
from imagekin.embed.builtin import EfficientNetLite0
from imagekin.embed.processor import default_precision


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    default_precision.cache_clear()
    yield
    default_precision.cache_clear()


@pytest.mark.parametrize(
    ("text", "precision", "reason"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse avx2 avx512f avx512_vnni\n", "int8", "AVX-512 VNNI"),
        ("flags : fpu avx2 avx_vnni\n", "int8", "AVX-VNNI"),
        ("Features\t: fp asimd crc32 asimddp\n", "fp32", "not been measured on Arm"),
        ("flags : fpu sse avx2 avx512f\n", "fp32", "no VNNI"),
        ("model name : avx512_vnni\nflags : fpu\n", "fp32", "no VNNI"),
        ("", "fp32", "not known"),
    ],
)
def test_the_precision_follows_the_instructions(
    text: str, precision: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    read = processor._features
    monkeypatch.setattr(processor, "_features", lambda: read(str(path)))
    chosen, why = default_precision()
    assert chosen == precision and reason in why
    assert EfficientNetLite0().precision == precision
    assert EfficientNetLite0(precision="fp32").precision == "fp32"


@pytest.mark.parametrize(
    ("machine", "features", "expected"),
    [("x86_64", {"avx2"}, True), ("AMD64", set(), True), ("x86_64", {"avx_vnni"}, False), ("aarch64", set(), False)],
)
def test_x86_without_vnni_saturates(
    machine: str, features: set[str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "_features", lambda: frozenset(features))
    assert processor.saturates() is expected


def test_a_system_without_cpuinfo_is_unknown(tmp_path: Path) -> None:
    assert processor._features(str(tmp_path / "absent")) == frozenset()
