"""A training's plan, its folder, its page, and what is said where PyTorch is missing."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto

from imagekin import embed, train
from imagekin.cli.app import app
from imagekin.embed.onnx_about import ABOUT
from imagekin.errors import InputError, LockedError, MissingPackageError, ModelError, UnknownNameError
from imagekin.train import curves, learning, plan, runs, trials
from imagekin.train.plan import Plan
from imagekin.train.runs import Epoch, Run
from tests.onnx_models import same
from tests.pictures import picture

EPOCHS = (
    Epoch(0, None, 0.5, 0.0, 1.0, 64, True),
    Epoch(1, 2.0, 0.75, 0.01, 2.0, 64, True),
    Epoch(2, 1.0, 0.7, 0.005, 3.5, 32, False),
)
FACTS = {"model": "cnn", "plan": Plan().to_dict(), "labels": ["a", "b"], "images": {"learn": 20}, "k": 4}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"epochs": 0}, "epochs must be a whole number, 1 or more, not 0"),
        ({"batch": 1}, "batch must be a whole number, 2 or more"),
        ({"unfreeze": 0}, "unfreeze must be a whole number, 1 or more"),
        ({"lr": 0}, "lr must be a number above 0"),
        ({"lr": float("nan")}, "lr must be a number above 0"),
        ({"decay": -1}, "decay must be a number 0 or more"),
        ({"minutes": 0}, "minutes must be a number above 0"),
        ({"augment": "twist"}, "augment must be one of none, flip, .*, not .twist."),
        ({"order": "any"}, "order must be one of balanced, shuffled, few"),
        ({"device": "tpu"}, "is no device"),
        ({"device": "openvino"}, "training runs on cpu, cuda or cuda:N"),
        ({"loss": "triplet"}, "the loss triplet compares the pictures of a batch: it needs the order 'few'"),
        ({"options": {"margin": 0.3}}, "the loss softmax has no option 'margin'; it takes: smoothing"),
        ({"options": {"smoothing": 1}}, "smoothing of the loss softmax must be a number 0 or more and below 1"),
    ],
)
def test_a_plan_that_makes_no_sense_is_said(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Plan(**given)


def test_a_plan_is_plain_data_and_back() -> None:
    asked = Plan(loss="triplet", order="few", classes=8, images=3, unfreeze=None, options={"margin": 0.3})
    assert asked.batch == 24
    written = json.loads(json.dumps(asked.to_dict()))
    assert plan.from_dict({**written, "of_a_later_version": 1}) == asked
    with pytest.raises(UnknownNameError, match="no loss is called 'x'"):
        Plan(loss="x")


def test_a_run_keeps_what_it_is_told_whole_or_not_at_all(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "deep" / "run", FACTS)
    run.tell(EPOCHS)
    run.write(state=runs.DONE, figures={"x": 1})
    again = Run.open(run.folder)
    assert again.facts["figures"] == {"x": 1}
    assert again.history == EPOCHS
    assert runs.is_run(run.folder)
    with (run.folder / runs.HISTORY).open("a") as file:
        file.write('{"number": 3, "lo')
    assert again.history == EPOCHS
    with pytest.raises(InputError, match="holds a training already"):
        Run.create(run.folder, FACTS)


def test_a_folder_that_is_taken_or_damaged_is_said(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="is not an empty folder"):
        Run.create(tmp_path, FACTS)
    with pytest.raises(InputError, match="is not an empty folder"):
        Run.create(tmp_path / "photo.jpg", FACTS)
    with pytest.raises(InputError, match="holds no training"):
        Run.open(tmp_path)
    for text in ("{", "[]", '{"format": 2, "model": "cnn"}', "[" * 100_000):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(InputError, match="is damaged, or was written by a later version"):
            Run.open(tmp_path)


def test_what_ended_before_its_first_epoch_can_be_begun_again(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", FACTS).stopped()
    assert Run.create(tmp_path / "run", {**FACTS, "model": "other"}).facts["state"] == runs.RUNNING
    assert Run.open(tmp_path / "run").facts["model"] == "other"
    with Run.open(tmp_path / "run").alone(), pytest.raises(LockedError, match="another process trains into"):
        Run.create(tmp_path / "run", FACTS)
    (tmp_path / "run" / runs.CHECKPOINT).write_bytes(b"epochs")
    with pytest.raises(InputError, match="holds a training already"):
        Run.create(tmp_path / "run", FACTS)


def test_the_page_of_what_was_stopped_says_so(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", FACTS)
    run.tell(EPOCHS)
    assert "refresh" in (run.folder / runs.CURVES).read_text("utf-8")
    run.stopped()
    shown = (run.folder / runs.CURVES).read_text("utf-8")
    assert "refresh" not in shown and "stopped: 20 pictures" in shown


@pytest.mark.parametrize("name", ["number", "loss", "precision", "rate", "seconds", "batch", "best"])
def test_a_history_that_others_wrote_is_no_history(tmp_path: Path, name: str) -> None:
    run = Run.create(tmp_path / "run", FACTS)
    rows = [EPOCHS[0].to_dict(), {**EPOCHS[1].to_dict(), name: "<script>x</script>"}]
    (run.folder / runs.HISTORY).write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert run.history == ()


def test_the_command_says_how_to_go_on_with_what_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept: list[bool] = []

    def learn(folder: Path, *, watch: Any, out: Path, **how: Any) -> None:
        if kept:
            out.mkdir(parents=True)
            (out / runs.CHECKPOINT).write_bytes(b"epochs")
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "finetune", learn)
    words = ["train", "finetune", "photos", "--model", "cnn"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stderr) == (130, "Stopped early, before there was anything to keep.\n")
    kept.append(True)
    done = CliRunner().invoke(app, words)
    wanted = "Stopped early; go on by the same command and --resume --out ./runs/cnn.\n"
    assert (done.exit_code, done.stderr) == (130, wanted)


def test_a_new_run_takes_a_name_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert learning.default_folder("timm:resnet18.a1_in1k") == Path("runs/timm-resnet18.a1-in1k")
    assert learning.default_folder("timm:x(weights='/a/b.safetensors', size=64)") == Path("runs/timm-x")
    (tmp_path / "runs" / "cnn").mkdir(parents=True)
    assert learning.default_folder("cnn") == Path("runs/cnn-2")
    assert learning.default_folder("/elsewhere/runs/mine") == Path("runs/mine")


def test_the_page_shows_the_curves_and_looks_again_while_it_runs() -> None:
    shown = curves.page({**FACTS, "state": runs.RUNNING}, EPOCHS)
    assert 'http-equiv="refresh" content="5"' in shown
    assert "20 pictures of 2 classes to learn from, 2 epochs done; epoch 1 is the best so far, with 75.00%" in shown
    assert shown.count("<polyline") == 2
    assert shown.count('class="dot"') == 5
    assert '<tr class="kept"><td>1</td>' in shown
    assert "refresh" not in curves.page({**FACTS, "state": runs.DONE}, EPOCHS)
    assert "Nothing yet." in curves.page({**FACTS, "state": runs.RUNNING}, EPOCHS[:1])


def test_names_cannot_write_into_the_page() -> None:
    shown = curves.page({**FACTS, "model": "<script>x</script>\x1b[2J", "state": "running"}, EPOCHS)
    assert "<script>" not in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("loss", [1e30, 0.0, 2.0])
def test_a_curve_of_one_loss_of_any_size_is_drawn(loss: float) -> None:
    shown = curves.page(FACTS, (EPOCHS[0], replace(EPOCHS[1], loss=loss), replace(EPOCHS[2], loss=loss)))
    assert shown.count("<polyline") == 2 and "nan" not in shown


def test_a_curve_of_blocks() -> None:
    assert curves.sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert curves.sparkline([0.5]) == "▁"
    assert curves.sparkline([]) == ""


@pytest.mark.parametrize(("low", "high"), [(0, 1), (88.2, 94.6), (-3, 1e6), (0.001, 0.0012)])
def test_the_ticks_of_an_axis_are_few_and_within(low: float, high: float) -> None:
    ticks = curves._ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low <= tick <= high for tick in ticks)
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0], rtol=1e-6)


def test_precision_looks_only_as_far_as_there_can_be_pictures_of_a_class() -> None:
    assert trials.depth(np.repeat([0, 1], 10)) == 4
    assert trials.depth(np.repeat([0, 1, 2], 3)) == 2
    assert trials.depth(np.array([0, 1, 2, 2])) == 1


def test_what_is_missing_is_said_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "timm" else found(name))
    monkeypatch.setattr(learning, "_NEEDED", ("timm",))
    with pytest.raises(MissingPackageError, match=r'needs timm, .* pip install "imagekin\[torch\]"'):
        train.finetune("anywhere")


# the model that a run leaves


def described(path: Path, recipe: Any) -> Path:
    """A model of bytes that says how its pictures are prepared."""
    same(path, ("n", 6, 8, 3), TensorProto.UINT8)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {ABOUT: json.dumps({"recipe": recipe})})
    onnx.save(model, path)
    return path


def test_a_model_brings_its_preprocessing_along(tmp_path: Path) -> None:
    recipe = {"height": 6, "width": 8, "mode": "pad", "fill": [9, 9, 9]}
    path = described(tmp_path / "model.onnx", recipe)
    model = embed.create(str(path))
    assert (model.recipe.mode, model.recipe.fill, model.input_size) == ("pad", (9, 9, 9), (6, 8))
    (tmp_path / "run.json").write_text("{}")
    of_run = embed.create(str(tmp_path))
    assert of_run.spec == str(path)
    assert of_run.fingerprint == model.fingerprint
    assert np.array_equal(of_run.embed([picture(1)]), model.embed([picture(1)]))
    other = embed.create(str(path), mode="squash")
    assert other.recipe.mode == "squash"
    assert other.fingerprint != model.fingerprint


@pytest.mark.parametrize(
    "recipe", [None, 5, {}, {"height": 6}, {"height": 1 << 40, "width": 8}, {"height": 6, "width": 8, "mode": "x"}]
)
def test_a_strangers_preprocessing_is_checked(tmp_path: Path, recipe: Any) -> None:
    path = described(tmp_path / "model.onnx", recipe)
    with pytest.raises(ModelError, match="says how its pictures are prepared, but not in a way that makes sense"):
        embed.create(str(path))


def test_preprocessing_of_another_size_than_the_networks_is_refused(tmp_path: Path) -> None:
    path = described(tmp_path / "model.onnx", {"height": 12, "width": 8})
    with pytest.raises(InputError, match="does not fit"):
        embed.create(str(path))
