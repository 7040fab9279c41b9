"""The section on the server in small: it starts one, asks it everything, and what it says fits together."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest
from benchmarks import report
from benchmarks import server as server_section

from tests.pictures import folder


@pytest.mark.skipif(sys.platform != "linux", reason="memory and processor time are read from /proc")
def test_the_server_is_measured_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "pictures", [f"{number:02}.jpg" for number in range(12)])
    monkeypatch.setattr(server_section, "SLOW", 12)
    given = argparse.Namespace(images=root, count=0, queries=3, seconds=0.4, soak=1.0)
    figures = server_section.run(given, tmp_path)
    assert figures["pictures"] == 12
    assert {row["queries"] for row in figures["ms"].values()} == {3}
    speeds = {name: row["median"] for name, row in figures["per_second"].items()}
    assert set(figures["share_of"]) == set(speeds) - {"server"}
    assert all(speed > 0 for speed in speeds.values())
    assert figures["soak"]["failures"] == 0
    assert figures["soak"]["answers"] > 8
    assert 0 < figures["thumbnail_processor_ms"] < 100
    text = "\n".join(report.summary("server", figures))
    for goal in ("≤ 5 ms", "≥ 85 %", "≥ 1,500", "≤ 100 ms", "< 5 %"):
        assert goal in text
