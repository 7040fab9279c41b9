"""The study of the lecture notes: what is timed answers rightly, and the page holds what was measured."""

from __future__ import annotations

import argparse
import json
import re

import numpy as np
import pytest
from benchmarks import record, study, study_page

from tests.installed_engines import need


def test_contestants_find_what_is_there_at_both_lengths() -> None:
    for spec in filter(None, study.ENGINES.values()):
        need(spec)
    vectors = np.random.default_rng(0).standard_normal((400, 200)).astype(np.float32)
    found = study.latencies(vectors, argparse.Namespace(queries=20, rounds=2))
    assert list(found) == [f"{name}, {length}" for length in ("200", "pca:150") for name in study.ENGINES]
    for name, one in found.items():
        assert one["ms"]["median"] > 0
        assert one["recall"] == 1 if name.startswith(("exact", "scikit")) else one["recall"] > 0.85


def test_the_page_is_that_of_the_newest_record_and_states_what_the_notes_have() -> None:
    newest = record.newest().get("study")
    if newest is None:
        pytest.fail("no record of the study is kept")
    page = study_page.render(newest)
    assert (record.ROOT / "docs" / study_page.NAME).read_text("utf-8") == page
    accuracy = newest["figures"]["accuracy"]["value"]
    assert f"| accuracy of the original features | 87.0 % | {100 * accuracy:.2f} % (" in page
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) % \| ([\d.]+) %", page, re.MULTILINE)
    assert {int(dim): float(theirs) for dim, theirs, _ in rows} == {
        dim: pytest.approx(100 * share) for dim, share in study_page.NOTES["sweep"].items()
    }
    assert json.dumps(newest)  # plain data
