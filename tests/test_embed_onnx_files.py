"""ONNX files from strangers: which are read, and which are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from imagekin.embed import create
from imagekin.embed.onnx_model import IMAGENET_MEAN, IMAGENET_STD
from imagekin.errors import ImagekinError, InputError, ModelError
from tests.onnx_models import COLOUR, classifier, colour, node, same, unit, write


def external(path: Path, location: str, **facts: str) -> Path:
    """A model whose weight ``w`` (three channels that are weighed 1, 2, 3) lies in another file."""
    weights = {"w": np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)}
    write(path, [node("Mul", "x w", "y")], {"y": ("n", 3, 8, 8)}, weights=weights)
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **facts}.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


def test_external_weights_inside_the_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    data = b"skip" + np.array([1, 2, 3], np.float32).tobytes() + b"rest"
    (tmp_path / "parts" / "w.bin").write_bytes(data)
    path = external(tmp_path / "m.onnx", "parts/w.bin", offset="4", length="12")
    embedder = create(str(path))
    raw = (np.array(COLOUR) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(colour(embedder), unit(raw * [1, 2, 3]), atol=1e-5)
    (tmp_path / "parts" / "w.bin").write_bytes(b"skip" + np.array([1, 2, 4], np.float32).tobytes())
    assert create(str(path)).fingerprint != embedder.fingerprint


@pytest.mark.parametrize(
    ("location", "facts", "message"),
    [
        ("../w.bin", {}, "only plain files in its own folder"),
        ("a/../../w.bin", {}, "only plain files in its own folder"),
        ("{outside}/w.bin", {}, "only plain files in its own folder"),
        ("link.bin", {}, "no links"),
        ("linked/w.bin", {}, "no links"),
        ("", {}, "only plain files"),
        ("..\\w.bin", {}, "only plain files"),
        ("absent.bin", {}, "cannot be read"),
        ("short.bin", {"length": "12"}, "truncated"),
        ("short.bin", {"offset": "-1"}, "negative"),
        ("short.bin", {"offset": "x"}, "not a number"),
        ("short.bin", {"length": "99999999999999"}, "at most"),
        ("fifo", {"length": "12"}, "not a file"),
    ],
)
def test_external_weights_elsewhere_are_refused(
    tmp_path: Path, location: str, facts: dict[str, str], message: str
) -> None:
    outside, folder = tmp_path, tmp_path / "model"
    (folder / "a").mkdir(parents=True)
    (outside / "w.bin").write_bytes(np.array([1, 2, 3], np.float32).tobytes())
    (folder / "short.bin").write_bytes(b"1234")
    (folder / "link.bin").symlink_to(outside / "w.bin")
    (folder / "linked").symlink_to(outside)
    os.mkfifo(folder / "fifo")
    path = external(folder / "m.onnx", location.format(outside=outside), **facts)
    with pytest.raises(ModelError, match=message):
        create(str(path))


def test_operators_of_a_plug_in_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Evil", "x", "y", domain="my.plugin")], {"y": ("n", 3, 8, 8)})
    with pytest.raises(ModelError, match=r"the operator my.plugin.Evil of a plug-in library"):
        create(str(path))
    body = helper.make_graph(
        [node("Evil", "x", "z", domain="my.plugin")], "body", [], [helper.make_empty_tensor_value_info("z")]
    )
    nodes = [node("If", "yes", "y", then_branch=body, else_branch=body)]
    path = write(tmp_path / "n.onnx", nodes, {"y": ("n", 3, 8, 8)}, weights={"yes": np.array(True)})
    with pytest.raises(ModelError, match="my.plugin.Evil"):
        create(str(path))


def test_what_an_inner_graph_reads_is_kept(tmp_path: Path) -> None:
    body = helper.make_graph([node("Mul", "twice w", "z")], "body", [], [helper.make_empty_tensor_value_info("z")])
    nodes = [node("Add", "x x", "twice"), node("If", "yes", "y", then_branch=body, else_branch=body)]
    weights = {"yes": np.array(True), "w": np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)}
    path = write(tmp_path / "m.onnx", nodes, {"y": ("n", 3, 8, 8)}, weights=weights)
    raw = (np.array(COLOUR) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(colour(create(str(path))), unit(raw * [1, 2, 3]), atol=1e-5)


def two_inputs(path: Path) -> None:
    write(path, [node("Identity", "x", "y")], {"y": ("n", 3, 8, 8)})
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ("n", 8)))
    onnx.save(model, path)


def rank_five(path: Path) -> None:
    unsqueeze = [node("Unsqueeze", "x a", "y")]
    write(path, unsqueeze, {"y": ("n", 1, 3, 8, 8)}, weights={"a": np.array([1])})


def whole_numbers(path: Path) -> None:
    write(path, [node("Cast", "x", "y", to=TensorProto.INT32)], {})
    model = onnx.load(path)
    model.graph.output.append(helper.make_tensor_value_info("y", TensorProto.INT32, ("n", 3, 8, 8)))
    onnx.save(model, path)


def rows_that_are_not_pictures(path: Path) -> None:
    write(path, [node("Reshape", "x a", "y")], {"y": (3, 64)}, weights={"a": np.array([3, -1])})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.mkdir(), "not a file"),
        (lambda path: path.write_bytes(b""), "not an ONNX model"),
        (lambda path: path.write_bytes(b"\x89PNG not a model at all"), "not an ONNX model"),
        (lambda path: path.write_bytes(classifier(path).read_bytes()[:-40]), "not an ONNX model"),
        (lambda path: same(path, ("n", 3)), r"rank 4.*x \(n, 3\)"),
        (two_inputs, r"it has: x \(n, 3, 8, 8\), mask \(n, 8\)"),
        (lambda path: same(path, ("n", "a", "b", "c")), r"\(n, a, b, c\): give layout"),
        (lambda path: same(path, ("n", 1, 8, 8)), r"\(n, 1, 8, 8\): give layout"),
        (lambda path: same(path, (2, 3, 8, 8), TensorProto.DOUBLE), "cannot open|takes tensor"),
        (lambda path: write(path, [node("ReduceMean", "x", "y", keepdims=0)], {"y": ()}), r"shape \(\)"),
        (rank_five, "not a vector"),
        (whole_numbers, "is int32, and must be real"),
        (rows_that_are_not_pictures, "for 1 pictures"),
    ],
)
def test_what_is_no_image_model_is_refused(tmp_path: Path, make: Callable[[Path], Any], message: str) -> None:
    make(tmp_path / "m.onnx")
    with pytest.raises(ImagekinError, match=message) as caught:
        create(str(tmp_path / "m.onnx"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 9}, "size=9 does not fit"),
        ({"size": (8, 8, 8)}, "size must be one number or two"),
        ({"size": 8.5}, "size must be one number or two .* not 8.5"),
        ({"size": []}, r"size must be one number or two .* not \[\]"),
        ({"mean": []}, r"not mean \[\], std"),
        ({"layout": "NHWC"}, "layout='NHWC' does not fit"),
        ({"std": 0.0}, "std positive"),
        ({"mean": (1, 2)}, "one number or three"),
        ({"mean": "grey"}, "one number or three"),
        ({"channels": "RGBA"}, "RGB or BGR"),
        ({"mode": "zoom"}, "recipe"),
        ({"zoom": 2}, "no option 'zoom'"),
        ({"precision": "int8"}, "no option 'precision'"),
        ({"threads": 0}, "threads must be a whole number from 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create(str(same(tmp_path / "m.onnx")), **options)


@pytest.mark.parametrize("shape", [(1, 3, 200_000, 200_000), (10**8, 3, 8, 8)])
def test_a_file_that_asks_for_too_much_memory(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="pixels at once"):
        create(str(same(tmp_path / "huge.onnx", shape)))


@pytest.mark.parametrize("times", [0, 1 << 20])
def test_vectors_of_no_length_or_too_many_numbers(tmp_path: Path, times: int) -> None:
    nodes = [
        node("GlobalAveragePool", "x", "pool"),
        node("Flatten", "pool", "flat"),
        node("Tile", "flat times", "y"),
    ]
    path = write(tmp_path / "long.onnx", nodes, {"y": ("n", "m")}, weights={"times": np.array([1, times])})
    with pytest.raises(ModelError, match=f"gives vectors of {3 * times:,} numbers"):
        create(str(path))
