"""The command line over folders that come and go."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import imagekin
from imagekin.cli.app import app
from imagekin.types import Report
from tests.pictures import folder


def invoke(place: Path, *arguments: object, **options: str) -> Result:
    return CliRunner().invoke(app, ["-c", str(place / "c"), *map(str, arguments)], **options)  # type: ignore[arg-type]


def test_a_dead_folder_is_told_of_and_can_be_forgotten(tmp_path: Path) -> None:
    dead, alive = folder(tmp_path / "dead", ["a.png"]), folder(tmp_path / "alive", ["b.png", "c.png"])
    assert invoke(tmp_path, "index", dead, alive, "--model", "pixels").exit_code == 0
    shutil.rmtree(dead)
    invoke(tmp_path, "remove", "--under", dead)
    done = invoke(tmp_path, "index")
    assert done.exit_code == 0
    assert "imagekin remove --root FOLDER" in done.stdout
    assert str(dead) in invoke(tmp_path, "info", "--skipped").stdout
    assert invoke(tmp_path, "remove", "--root", dead).stdout.startswith("Removed 0 pictures")
    assert invoke(tmp_path, "info", "--skipped").stdout == ""
    assert "could not be indexed" not in invoke(tmp_path, "index").stdout


def test_forgetting_many_pictures_is_asked_first(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", [f"{number:02}.png" for number in range(12)])
    invoke(tmp_path, "index", root, "--model", "pixels")
    refused = invoke(tmp_path, "remove", "--root", root, input="n\n")
    assert refused.exit_code != 0
    assert json.loads(invoke(tmp_path, "info", "--json").stdout)["images"] == 12
    assert json.loads(invoke(tmp_path, "remove", "--root", root, "--yes", "--json").stdout) == {"removed": 12}
    again = invoke(tmp_path, "remove", "--root", root)
    assert again.exit_code == 1
    assert "not among the indexed folders" in again.stderr


@pytest.mark.parametrize("words", [[], ["7", "--root", "/p"], ["--label", "x", "--root", "/p"]])
def test_root_is_given_alone(tmp_path: Path, words: list[str]) -> None:
    assert invoke(tmp_path, "remove", *words).exit_code == 2


def test_following_prints_the_first_run_whole_and_then_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    rounds = [Report(added=1), Report(unchanged=1), Report(missing=1), Report(missing=1), Report(returned=1)]

    def watch(self: imagekin.Collection, *folders: str, on_report: object, **how: object) -> None:
        assert (folders, how["force"], how["label_from"]) == ((str(root),), True, "none")
        for report in rounds:
            on_report(report)  # type: ignore[operator]

    monkeypatch.setattr(imagekin.Collection, "watch", watch)
    words = ["index", root, "--follow", "--force", "--label-from", "none", "--model", "pixels"]
    done = invoke(tmp_path, *words)
    assert done.exit_code == 130
    assert done.stdout.splitlines() == [
        "1 added in 0.0 s",
        "The collection has 0 images.",
        "1 missing in 0.0 s",
        "1 returned in 0.0 s",
    ]
    lines = invoke(tmp_path, *words, "--json").stdout.splitlines()
    assert [json.loads(line)["missing"] for line in lines] == [0, 0, 1, 1, 0]
