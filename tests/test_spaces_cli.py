"""Several models of one collection on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from imagekin.cli.app import app
from imagekin.store.models import differing, title
from tests.onnx_models import classifier
from tests.pictures import folder

OTHER = "pixels(side=4)"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on a collection of six pictures and two models."""

    def invoke(*arguments: object, **options: Any) -> Result:
        return CliRunner().invoke(app, ["-c", str(tmp_path / "c"), *map(str, arguments)], **options)

    root = folder(tmp_path / "p", [f"{name}/{number}.png" for name in "ab" for number in range(3)])
    assert invoke("index", root, "--model", "pixels").exit_code == 0
    added = invoke("index", "--model", OTHER)
    assert "6 unchanged, 6 embedded by further models" in added.output and added.exit_code == 0
    return invoke


def test_a_model_is_chosen_by_every_command_that_looks_at_vectors(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "p/a/0.png"
    hits = [json.loads(run("search", picture, "--json", *chosen).output) for chosen in ([], ["--model", OTHER])]
    assert [len(each) for each in hits] == [6, 6] and hits[0][0]["id"] == hits[1][0]["id"] == 1
    assert [hit["distance"] for hit in hits[0]] != [hit["distance"] for hit in hits[1]]
    assert json.loads(run("info", "--json", "--model", OTHER).output)["embedder"]["dim"] == 49
    assert f", {OTHER}, cosine" in run("evaluate", "--model", OTHER, "--k", "1").output
    assert run("map", "--model", OTHER, "--out", tmp_path / "map.npz").exit_code == 0
    assert run("export", tmp_path / "out.csv", "--vectors", "--model", OTHER).exit_code == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()[1].split(",")) > 49
    assert run("compare", picture, tmp_path / "p/b/2.png", "--model", OTHER).exit_code == 0
    absent = run("search", picture, "--model", "pixels(side=2)")
    assert absent.exit_code != 0 and f"only those of pixels and {OTHER}" in absent.output
    assert "index --model 'pixels(side=2)'" in absent.output


def test_models_are_listed_where_there_are_several(run: Run, tmp_path: Path) -> None:
    for command in ("info", "doctor"):
        lines = [" ".join(line.split()) for line in run(command).output.splitlines()]
        assert "pixels, 193 numbers, 6 images" in lines
        assert f"{OTHER}, 49 numbers, 6 images" in lines
    assert run("remove", "--model", OTHER, "-y").exit_code == 0
    assert "models\n" not in run("info").output


def test_models_are_fused(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "p/a/0.png"
    found = run("search", picture, "--fuse", f"pixels,{OTHER}:0.5", "--fuse-by", "score", "-k", "4", "--json")
    hits = json.loads(found.output)
    assert len(hits) == 4 and hits[0]["id"] == 1
    wrong = run("search", picture, "--fuse-by", "rank")
    assert wrong.exit_code != 0 and "name them with --fuse" in wrong.output
    alone = run("search", picture, "--fuse", "pixels")
    assert alone.exit_code != 0 and "at least two models" in alone.output


def test_a_model_is_taken_out_after_asking(run: Run) -> None:
    asked = run("remove", "--model", OTHER, input="n\n")
    assert asked.exit_code == 1 and "6 pictures" in asked.output
    assert run("remove", "--model", OTHER, "1").exit_code == 2
    done = run("remove", "--model", OTHER, "-y", "--json")
    assert json.loads(done.output) == {"removed": 6}
    again = run("remove", "--model", OTHER, "-y")
    assert again.exit_code == 1 and "has no vectors of" in again.output
    first = run("remove", "--model", "pixels", "-y")
    assert first.exit_code == 1 and "is the first model" in first.output
    assert "6 images" in run("index").output


def test_precisions_of_one_network_are_told_apart(tmp_path: Path) -> None:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["-c", str(tmp_path / "c"), *arguments])

    root = folder(tmp_path / "p", ["a/0.png", "b/1.png"])
    names = [f"efficientnet-lite0(precision='{precision}')" for precision in ("fp32", "int8")]
    assert invoke("index", str(root), "--model", names[0]).exit_code == 0
    assert invoke("index", "--model", "efficientnet-lite0", "--precision", "int8").exit_code == 0
    found = [json.loads(invoke("search", str(root / "a/0.png"), "--json", "--model", name).output) for name in names]
    assert found[0][1]["distance"] != found[1][1]["distance"]
    assert invoke("search", "--id", "1", "--fuse", ",".join(names)).exit_code == 0
    assert "is the first model" in invoke("remove", "--model", names[0], "-y").output
    assert invoke("remove", "--model", names[1], "-y").exit_code == 0
    assert [each["precision"] for each in json.loads(invoke("info", "--json").output)["models"]] == ["fp32"]


def test_models_of_one_name_are_told_apart_by_their_options(run: Run, tmp_path: Path) -> None:
    file = classifier(tmp_path / "m.onnx")
    assert run("index", "--model", f"{file}(mode='squash')").exit_code == 0
    assert run("index", "--model", f"{file}(cut=1)").exit_code == 0
    told = [line for line in run("info").output.splitlines() if "m.onnx" in line]
    assert ["m.onnx mode squash, " in told[0], "m.onnx cut 1, " in told[1]] == [True, True]
    assert f", {OTHER}, cosine" in run("evaluate", "--model", OTHER, "--k", "1").output


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"name": "a", "precision": "int8"}, "a (int8)"),
        ({"name": "a", "precision": "", "spec": "a(size=(96, 64), pooling='max', weights='/x/y')"},
         "a (pooling max, size (96, 64))"),
        ({"name": "a(size=8)", "precision": "fp32", "spec": "a(size=8)"}, "a(size=8) (fp32)"),
        ({"name": "a", "spec": "a(size=" + 90 * "1" + ")"}, f"a (size {40 * '1'})"),
        ({"name": "a", "spec": "a(size=open())"}, "a"),
    ],
)  # fmt: skip
def test_titles(facts: dict[str, Any], told: str) -> None:
    assert title(facts) == told
    assert all(each in told for each in differing(facts))
