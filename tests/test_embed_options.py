"""Options of a model that make no sense, models that the runtime refuses, and a file that is not the expected one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import imagekin
from imagekin.embed import create, onnx_model
from imagekin.errors import InputError, ModelError
from tests.onnx_models import same, write
from tests.pictures import folder, picture


@pytest.mark.parametrize(
    "options",
    [
        "cut='a'",
        "cut=1.5",
        "threads='x'",
        "threads=0",
        "threads=1000000",
        "size='a'",
        "size=8.5",
        "size=(8, 'b')",
        "crop_fraction='x'",
        "resample=[1]",
        "stretch=None",
        "fill='x'",
        "fill=(1, 2)",
        "fill=(1, 2, 300)",
        "scale='x'",
        "output=5",
        "pooling=1",
        "layout=3",
        "side=3",
    ],
)
def test_an_option_of_an_onnx_model_that_makes_no_sense_is_one_sentence(tmp_path: Path, options: str) -> None:
    path = same(tmp_path / "m.onnx")
    with pytest.raises(InputError) as caught:
        create(f"{path}({options})")
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "spec",
    ["pixels(side='a')", "pixels(side=2.5)", "pixels(side=None)", "efficientnet-lite0(threads='x')",
     "efficientnet-lite0(threads=100000)", "efficientnet-lite0(precision=5)", "onnx", "onnx(path=5)"],
)  # fmt: skip
def test_an_option_of_the_other_models_that_makes_no_sense_is_one_sentence(spec: str) -> None:
    with pytest.raises(InputError) as caught:
        create(spec)
    assert "\n" not in str(caught.value)


def refused(tmp_path: Path, **version: Any) -> Path:
    """A model with one operator, whose file claims other versions than there are."""
    pictures = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 8, 8))
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", "d"))
    shape = numpy_helper.from_array(np.array([7, 11]), "s")
    kind = "Reshape" if version.get("reshape") else version.get("kind", "Flatten")
    node = helper.make_node(kind, ["x", "s"] if kind == "Reshape" else ["x"], ["y"])
    graph = helper.make_graph([node], "g", [pictures], [result], [shape] if kind == "Reshape" else [])
    opset = [helper.make_opsetid("", version.get("opset", 17))]
    model = helper.make_model(graph, opset_imports=opset, ir_version=version.get("ir", 9))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ({"ir": 99}, "Unsupported model IR version: 99"),
        ({"opset": 99}, "ONNX Runtime only"),
        ({"kind": "Nope"}, "No Op registered for Nope"),
        ({"reshape": True}, "input tensor cannot be reshaped"),
    ],
    ids=str,
)
def test_what_the_runtime_refuses_is_told_without_its_own_files(
    tmp_path: Path, version: dict[str, Any], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError) as caught:
        create(str(refused(tmp_path, **version)))
    text = str(caught.value)
    assert reason in text and text.endswith(".") and "\n" not in text
    assert not any(word in text for word in ("onnxruntime_src", "::", ".cc:", "ONNXRuntimeError"))
    assert capfd.readouterr().err == ""


def test_a_model_that_a_collection_names_is_run_only_if_it_is_the_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, path = folder(tmp_path / "photos", ["a.png", "b.png"]), same(tmp_path / "m.onnx")
    with imagekin.open(tmp_path / "c", model=str(path)) as photos:
        photos.index(root)
    with imagekin.open(tmp_path / "c") as photos:
        assert photos.search(picture(1), k=1)[0].path == str(root / "b.png")
    write(path, [helper.make_node("Neg", ["x"], ["y"])], {"y": ("n", 3, 8, 8)})
    opened: list[object] = []
    monkeypatch.setattr(onnx_model, "open_session", lambda *_: opened.append(1))
    with imagekin.open(tmp_path / "c") as photos:
        with pytest.raises(ModelError, match="is not the model that made the collection") as caught:
            photos.search(picture(1))
        assert str(path) in str(caught.value)
        assert photos.search(id=1, k=1)[0].id == 2  # what needs no model still works
    assert opened == []


def test_a_fingerprint_that_is_expected_is_no_part_of_the_spec(tmp_path: Path) -> None:
    path = same(tmp_path / "m.onnx")
    plain = create(str(path))
    again = create(str(path), fingerprint=plain.fingerprint)
    assert (again.spec, again.fingerprint) == (plain.spec, plain.fingerprint)
    with pytest.raises(ModelError):
        create(str(path), fingerprint="onnx/0")
    assert create("pixels", fingerprint="another").name == "pixels"  # built in: nothing of a stranger's is run


def test_the_runtime_begins_no_session_of_its_own(tmp_path: Path) -> None:
    program = (
        "import numpy as np, imagekin\n"
        "imagekin.ImageEmbedder(model='pixels').fit_transform([np.zeros((9, 9, 3), np.uint8)])\n"
        "imagekin.ImageEmbedder().fit_transform([np.zeros((9, 9, 3), np.uint8)])\n"
    )
    place = {**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    place.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", program], env=place, check=True)
    assert list(tmp_path.iterdir()) == []  # the runtime's telemetry keeps the id of its session there
