"""Tiny ONNX models, made by the tests that use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from imagekin.embed.base import Embedder
from imagekin.embed.onnx_model import IMAGENET_MEAN, IMAGENET_STD

Shape = Sequence[int | str]
Node = tuple[Any, ...]
COLOUR = (200, 100, 50)


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    outputs: Mapping[str, Shape],
    *,
    shape: Shape = ("n", 3, 8, 8),
    kind: int = TensorProto.FLOAT,
    weights: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    pictures = helper.make_tensor_value_info("x", kind, shape)
    given = TensorProto.FLOAT16 if kind == TensorProto.FLOAT16 else TensorProto.FLOAT
    results = [helper.make_tensor_value_info(name, given, dims) for name, dims in outputs.items()]
    constants = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(list(nodes), "test", [pictures], results, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), output.split(), name=output, **attributes)


def same(path: Path, shape: Shape = ("n", 3, 8, 8), kind: int = TensorProto.FLOAT) -> Path:
    """A model that gives back its input, so that the vector is the mean colour after scaling."""
    if kind == TensorProto.UINT8:
        return write(path, [node("Cast", "x", "y", to=TensorProto.FLOAT)], {"y": shape}, shape=shape, kind=kind)
    return write(path, [node("Identity", "x", "y")], {"y": shape}, shape=shape, kind=kind)


def classifier(path: Path, batch: int | str = "n", *, seed: int = 7) -> Path:
    """Convolution, pooling, a hidden layer, a classifier and a softmax, the same whoever asked for one before."""
    random = np.random.default_rng(seed)
    weights = {
        "w1": random.normal(size=(5, 3, 3, 3)).astype(np.float32),
        "w2": random.normal(size=(5, 6)).astype(np.float32),
        "b2": random.normal(size=6).astype(np.float32),
        "w3": random.normal(size=(4, 6)).astype(np.float32),
        "b3": random.normal(size=4).astype(np.float32),
    }
    nodes = [
        node("Conv", "x w1", "conv", pads=[1, 1, 1, 1]),
        node("Relu", "conv", "features"),
        node("GlobalAveragePool", "features", "pool"),
        node("Flatten", "pool", "flat"),
        node("MatMul", "flat w2", "product"),
        node("Add", "product b2", "hidden"),
        node("Gemm", "hidden w3 b3", "logits", transB=1),
        node("Softmax", "logits", "y"),
    ]
    return write(path, nodes, {"y": (batch, 4)}, shape=(batch, 3, 8, 8), weights=weights)


def unit(values: Any) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    return np.asarray(array / np.linalg.norm(array))


def colour(embedder: Embedder) -> NDArray[Any]:
    return np.asarray(embedder.embed([np.full((20, 30, 3), COLOUR, np.uint8)])[0])


def imagenet(channels: Sequence[float] = COLOUR) -> NDArray[np.float64]:
    return unit((np.array(channels) / 255 - IMAGENET_MEAN) / IMAGENET_STD)
