"""What each place of a picture adds to its vector: worked out by hand, and added up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from imagekin.embed import create
from imagekin.errors import ImagekinError, ModelError, UnsupportedError
from imagekin.testing.embedders import check_embedder, synthetic_picture
from tests.onnx_models import Shape, classifier, node, same, write

WEIGHT = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
END = np.random.default_rng(4).normal(size=(5, 4)).astype(np.float32)
BIAS = np.array([3, -2, 1, 0.5], np.float32)
EVEN: dict[str, Any] = {"crop_fraction": 1.0, "resample": "nearest", "mean": 0.0, "std": 1.0}
"""Pixels of an 8 x 8 picture reach the network as they are, divided by 255."""


def features(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What ``local`` makes of each pixel: ``(rows, columns, 5)``."""
    return np.maximum(pixels / 255 @ WEIGHT.T.astype(np.float64), 0)


def local(path: Path, end: Sequence[Any], gives: Shape = ("m", "d"), **how: Any) -> Path:
    """A network whose features at a place are made of the pixel there alone, and then *end*."""
    weights = {"w": WEIGHT[:, :, None, None], "w2": END, "b": BIAS, **how.pop("weights", {})}
    nodes = [node("Conv", "x w", "conv"), node("Relu", "conv", "f"), *end]
    return write(path, nodes, {"y": gives}, weights=weights, **how)


def expected(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Parts, by a slow loop: what is the mean over places, divided by its length."""
    rows, columns, dim = cells.shape
    whole = np.zeros(dim)
    for row in range(rows):
        for column in range(columns):
            whole += cells[row, column] / (rows * columns)
    return np.asarray(cells / (rows * columns) / np.sqrt((whole**2).sum()))


PICTURE = synthetic_picture(2, 8, 8)

POOLS: dict[str, list[Any]] = {
    "global": [node("GlobalAveragePool", "f", "p"), node("Flatten", "p", "y")],
    "axes": [node("ReduceMean", "f", "y", axes=[2, 3], keepdims=0)],
    "kept, from the end": [node("ReduceMean", "f", "p", axes=[-1, -2]), node("Squeeze", "p two", "y")],
    "a pool as large as the features": [
        node("AveragePool", "f", "p", kernel_shape=[8, 8]),
        node("Reshape", "p flat", "y"),
    ],
    "a shape that is asked for": [
        node("GlobalAveragePool", "f", "p"),
        node("Shape", "p", "s"),
        node("Slice", "s zero one_", "n"),
        node("Concat", "n minus", "to", axis=0),
        node("Reshape", "p to", "y"),
    ],
    "a shape that the picture has": [
        node("GlobalAveragePool", "f", "p"),
        node("Shape", "x", "s"),
        node("Slice", "s zero one_", "n"),
        node("Concat", "n minus", "to", axis=0),
        node("Reshape", "p to", "y"),
    ],
    "channels last": [
        node("Transpose", "f", "l", perm=[0, 2, 3, 1]), node("ReduceMean", "l", "y", axes=[1, 2], keepdims=0),
    ],
    "one line": [
        node("Reshape", "f line", "l"), node("Transpose", "l", "t", perm=[0, 2, 1]),
        node("ReduceMean", "t", "y", axes=[1], keepdims=0),
    ],
    "one line, channels first": [node("Reshape", "f line", "l"), node("ReduceMean", "l", "y", axes=[2], keepdims=0)],
    "scaled to length 1": [
        node("ReduceMean", "f", "p", axes=[2, 3], keepdims=0), node("LpNormalization", "p", "y", axis=-1, p=2),
    ],
    "divided by its length": [
        node("ReduceMean", "f", "p", axes=[2, 3], keepdims=0), node("ReduceL2", "p", "l", axes=[1]),
        node("Clip", "l tiny", "c"), node("Shape", "p", "s"), node("Expand", "c s", "e"), node("Div", "p e", "y"),
    ],
    "averaged outside of the graph": [node("Identity", "f", "y")],
}  # fmt: skip
SHAPES = {
    "two": np.array([2, 3]), "flat": np.array([-1, 5]), "zero": np.array([0]), "one_": np.array([1]),
    "minus": np.array([5]), "line": np.array([0, 5, 64]), "tiny": np.float32(1e-12),
}  # fmt: skip


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_every_way_to_average_over_places(tmp_path: Path, pool: str, batch: int | str) -> None:
    gives: Shape = ("m", 5, 8, 8) if "outside" in pool else ("m", 5)
    path = local(tmp_path / "m.onnx", POOLS[pool], gives, weights=SHAPES, shape=(batch, 3, 8, 8))
    embedder = create(str(path), **EVEN)
    parts = embedder.parts([PICTURE, PICTURE[::-1]])
    assert parts.shape == (2, 8, 8, 5)
    np.testing.assert_allclose(parts[0], expected(features(PICTURE)), atol=1e-6)
    np.testing.assert_allclose(parts[1], parts[0][::-1], atol=1e-6)


@pytest.mark.parametrize("node_of_its_own", [False, True])
def test_axes_may_be_an_input_as_newer_exporters_write_them(tmp_path: Path, node_of_its_own: bool) -> None:
    axes = numpy_helper.from_array(np.array([-2, -1]), "axes")
    constant = [helper.make_node("Constant", [], ["axes"], value=axes)] if node_of_its_own else []
    weights = {} if node_of_its_own else {"axes": np.array([-2, -1])}
    path = local(tmp_path / "m.onnx", [*constant, node("ReduceMean", "f axes", "y", keepdims=0)], weights=weights)
    model = onnx.load(path)
    model.opset_import[0].version = 18
    onnx.save(model, path)
    np.testing.assert_allclose(create(str(path), **EVEN).parts([PICTURE])[0], expected(features(PICTURE)), atol=1e-6)


LINEAR: dict[str, tuple[list[Any], Any]] = {
    "a product and a bias": ([node("MatMul", "p w2", "m"), node("Add", "m b", "y")], lambda f: f @ END + BIAS),
    "a layer": ([node("Gemm", "p w2 b", "y")], lambda f: f @ END + BIAS),
    "a layer, scaled": ([node("Gemm", "p w2 b", "m"), node("Div", "m b_", "y")], lambda f: (f @ END + BIAS) / 4),
    "half the numbers": (
        [node("Gemm", "p w2 b", "m"), node("Cast", "m", "h", to=TensorProto.FLOAT16), node("Cast", "h", "y", to=1)],
        lambda f: f @ END + BIAS,
    ),
    "taken from a constant": ([node("Gemm", "p w2", "m"), node("Sub", "b m", "y")], lambda f: BIAS - f @ END),
}


@pytest.mark.parametrize("end", LINEAR)
def test_linear_steps_behind_the_mean_are_those_of_each_place(tmp_path: Path, end: str) -> None:
    """The mean of what the steps make of places is what they make of the mean; a bias belongs to all of them."""
    steps, meant = LINEAR[end]
    pool = node("ReduceMean", "f", "p", axes=[2, 3], keepdims=0)
    path = local(tmp_path / "m.onnx", [pool, *steps], weights={"b_": np.float32(4)})
    parts = create(str(path), **EVEN).parts([PICTURE])[0]
    np.testing.assert_allclose(parts, expected(meant(features(PICTURE))), atol=1e-3 if "half" in end else 1e-6)


def test_batch_norm_and_a_convolution_behind_the_mean(tmp_path: Path) -> None:
    norms = {name: np.array(values, np.float32) for name, values in {
        "s": [1, 2, 3, 4, 5], "h": [0.1, 0, 0, 0, 0.2], "m": [0.5] * 5, "v": [1, 4, 9, 16, 25]}.items()}  # fmt: skip
    steps = [
        node("GlobalAveragePool", "f", "p"),
        node("BatchNormalization", "p s h m v", "q", epsilon=0.0),
        node("Conv", "q c", "r"),
        node("Dropout", "r", "d"),
        node("Flatten", "d", "y"),
    ]
    path = local(tmp_path / "m.onnx", steps, weights={**norms, "c": END.T[:, :, None, None]})
    cells = (features(PICTURE) - norms["m"]) / np.sqrt(norms["v"]) * norms["s"] + norms["h"]
    np.testing.assert_allclose(create(str(path), **EVEN).parts([PICTURE])[0], expected(cells @ END), atol=1e-5)


def test_rounding_behind_the_mean_is_shared_out_evenly(tmp_path: Path) -> None:
    """A quantised pooling rounds what it gives: the places still add up to the vector, and differ as they did."""
    step = np.float32(0.01)
    quantised = [
        node("ReduceMean", "f", "p", axes=[2, 3], keepdims=0),
        node("QuantizeLinear", "p step none", "q"),
        node("DequantizeLinear", "q step none", "y"),
    ]
    path = local(tmp_path / "m.onnx", quantised, weights={"step": step, "none": np.uint8(0)})
    embedder, cells = create(str(path), **EVEN), features(PICTURE)
    rounded = np.rint(cells.mean(axis=(0, 1)) / step) * step
    whole, parts = embedder.embed([PICTURE])[0], embedder.parts([PICTURE])[0]
    np.testing.assert_allclose(whole, rounded / np.linalg.norm(rounded), atol=1e-6)
    np.testing.assert_allclose(parts.sum(axis=(0, 1)), whole, atol=1e-6)
    assert np.abs(whole - expected(cells).sum(axis=(0, 1))).max() > 1e-4
    np.testing.assert_allclose(np.ptp(parts, axis=(0, 1)), np.ptp(expected(cells), axis=(0, 1)), atol=1e-6)


def test_half_precision(tmp_path: Path) -> None:
    weights = {"w": WEIGHT[:, :, None, None].astype(np.float16), "w2": END.astype(np.float16)}
    nodes = [node("Conv", "x w", "c"), node("Relu", "c", "f"), node("GlobalAveragePool", "f", "p"),
             node("Flatten", "p", "l"), node("MatMul", "l w2", "y")]  # fmt: skip
    path = write(tmp_path / "m.onnx", nodes, {"y": ("n", 4)}, weights=weights, kind=TensorProto.FLOAT16)
    parts = create(str(path), **EVEN).parts([PICTURE])[0]
    np.testing.assert_allclose(parts, expected(features(PICTURE) @ END), atol=2e-3)


@pytest.mark.parametrize("cut", [1, 2])
def test_a_model_conforms_with_its_classifier_cut_off(tmp_path: Path, cut: int) -> None:
    path = str(classifier(tmp_path / "m.onnx"))
    check_embedder(lambda: create(path, cut=cut))
    assert create(path, cut=cut).parts([PICTURE]).shape == (1, 8, 8, {1: 6, 2: 5}[cut])


# -- what cannot be told ---------------------------------------------------------------------------------------

MEAN = node("ReduceMean", "f", "p", axes=[2, 3], keepdims=0)
NOT: dict[str, tuple[list[Any], str]] = {
    "another activation": ([MEAN, node("Relu", "p", "y")], "Relu comes before"),
    "the greatest": ([node("GlobalMaxPool", "f", "p"), node("Flatten", "p", "y")], "GlobalMaxPool comes before"),
    "no pooling": ([node("Flatten", "f", "y")], "Relu comes before"),
    "powers": ([node("Pow", "f three", "c"), node("GlobalAveragePool", "c", "p"), node("Flatten", "p", "l"),
                node("Pow", "l third", "y")], "Pow comes before"),
    "two branches": ([MEAN, node("Neg", "p", "q"),
                      node("Mul", "p q", "y")], "Mul comes before"),
    "a vector that is divided by": ([MEAN, node("Add", "p five", "q"), node("Div", "five q", "y")], "Div comes before"),
    "the length of another": ([MEAN, node("Add", "p five", "q"), node("ReduceL2", "q", "l", axes=[1]),
                               node("Div", "p l", "y")], "Div comes before"),
    "whole numbers": ([MEAN, node("Cast", "p", "i", to=TensorProto.INT32),
                       node("Cast", "i", "y", to=TensorProto.FLOAT)], "Cast comes before"),
    "a plug-in's own name": ([MEAN, helper.make_node(
        "BiasGelu", ["p", "five"], ["y"], domain="com.microsoft")], "BiasGelu comes before"),
    "a mean over rows alone": ([node("ReduceMean", "f", "p", axes=[2], keepdims=0), node("Flatten", "p", "y")],
                               "axes"),
    "a mean over everything": ([node("ReduceMean", "f", "m"), node("Add", "five m", "a"),
                                node("Squeeze", "a ends", "y")], "axes"),
    "a pool of some places": ([node("AveragePool", "f", "p", kernel_shape=[4, 4], strides=[4, 4]),
                               node("Flatten", "p", "y")], "places at a time"),
    "no features": ([node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "y")], "no feature"),
    "bytes to the end": ([node("QuantizeLinear", "f step none", "q"), helper.make_node(
        "QLinearGlobalAveragePool", ["q", "step", "none", "step", "none"], ["g"], domain="com.microsoft"),
        node("DequantizeLinear", "g step none", "d"), node("Flatten", "d", "y")], "quantised"),
}  # fmt: skip
CONSTANTS = {
    "three": np.float32(3), "third": np.float32(1 / 3), "one": np.ones(1, np.int64), "zero": np.array([0]),
    "minus": np.array([-1]), "five": np.ones(5, np.float32), "ends": np.array([0, 1]), "step": np.float32(0.05),
    "none": np.uint8(0),
}  # fmt: skip


@pytest.mark.parametrize("end", NOT)
def test_a_network_that_ends_otherwise_says_so(tmp_path: Path, end: str) -> None:
    steps, words = NOT[end]
    path = local(tmp_path / "m.onnx", steps, weights=CONSTANTS)
    try:
        embedder = create(str(path), **EVEN)
        embedder.embed([PICTURE])
    except ImagekinError as error:
        pytest.fail(f"the model of this case is none: {error}")
    with pytest.raises(UnsupportedError, match=words):
        embedder.parts([PICTURE])
    assert embedder.embed([PICTURE]).shape == (1, embedder.dim)


def test_tokens_are_places_only_where_they_are_a_grid(tmp_path: Path) -> None:
    grid = [node("Reshape", "f line", "l"), node("Transpose", "l", "y", perm=[0, 2, 1])]
    path = str(local(tmp_path / "m.onnx", grid, ("m", 64, 5), weights=SHAPES))
    parts = create(path, pooling="mean", **EVEN).parts([PICTURE])[0]
    np.testing.assert_allclose(parts, expected(features(PICTURE)), atol=1e-6)
    with pytest.raises(UnsupportedError, match="one token"):
        create(path, pooling="cls", **EVEN).parts([PICTURE])
    first = [*grid[:1], node("Transpose", "l", "t", perm=[0, 2, 1]), node("Concat", "t t0", "y", axis=1)]
    weights = SHAPES | {"t0": np.ones((1, 1, 5), np.float32)}
    more = local(tmp_path / "more.onnx", first, (1, 65, 5), weights=weights, shape=(1, 3, 8, 8))
    with pytest.raises(UnsupportedError, match="65 tokens"):
        create(str(more), pooling="mean", **EVEN).parts([PICTURE])


def test_too_many_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"50,176 places"):
        create(str(same(tmp_path / "m.onnx", ("n", 3, 224, 224)))).parts([PICTURE])
    wide = [MEAN, node("Expand", "wide to", "e"), node("MatMul", "p e", "y")]
    weights = {"wide": np.ones((1, 1), np.float32), "to": np.array([5, 600_000])}
    with pytest.raises(UnsupportedError, match=r"64 places apart by 600,000 numbers"):
        create(str(local(tmp_path / "wide.onnx", wide, weights=weights)), **EVEN).parts([PICTURE])
    with pytest.raises(UnsupportedError, match="side=32"):
        create("pixels(side=64)").parts([PICTURE])


def test_a_file_that_was_changed_is_not_taken_apart(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx")
    embedder = create(str(path), cut=2)
    classifier(path, seed=8)
    with pytest.raises(ModelError, match="has changed since it was opened"):
        embedder.parts([PICTURE])
    path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        embedder.parts([PICTURE])


def test_weights_outside_of_the_folder_are_not_read_later_either(tmp_path: Path) -> None:
    """The file is read anew to be taken apart, with the same checks."""
    path = classifier(tmp_path / "m.onnx")
    embedder = create(str(path), cut=2)
    model = onnx.load(path)
    tensor = model.graph.initializer[1]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="only plain files in its own folder"):
        embedder.parts([PICTURE])
