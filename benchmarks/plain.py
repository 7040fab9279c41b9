"""The plain loop of the usual kind: open, decode in full, resize, scale to float, run the network, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from imagekin.embed.builtin import read_layers
from imagekin.embed.efficientnet import LITE, MIDDLE
from imagekin.embed.graph import float_graph
from imagekin.types import Vectors

SIDE = LITE[0].side
PREPROCESSING = 3
"""Nodes at the head of the product's float graph that take bytes: Cast, Sub, Transpose."""


def usual_graph() -> bytes:
    """The built-in network as it is usually exported: float32 ``(n, 3, 224, 224)``, scaled to −1 … 1."""
    layers = read_layers()
    layers[0] = replace(layers[0], weight=layers[0].weight * np.float32(MIDDLE))
    model = onnx.load_from_string(float_graph(layers))
    graph = model.graph
    name = graph.node[PREPROCESSING - 1].output[0]
    unused = {word for node in graph.node[:PREPROCESSING] for word in node.input}
    del graph.node[:PREPROCESSING]
    for constant in [each for each in graph.initializer if each.name in unused]:
        graph.initializer.remove(constant)
    del graph.input[:]
    graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 3, SIDE, SIDE]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class PlainLoop:
    """What most scripts do.  ONNX Runtime has its default options, so that it uses every core for each picture."""

    def __init__(self) -> None:
        self.session: Any = onnxruntime.InferenceSession(usual_graph())
        self.input = self.session.get_inputs()[0].name

    def __call__(self, paths: Sequence[str]) -> Vectors:
        """The vectors of the pictures, not scaled to length 1, and nothing written."""
        return np.stack([self.session.run(None, {self.input: self.tensor(path)})[0][0] for path in paths])

    def tensor(self, path: str) -> Vectors:
        """One picture as the network takes it."""
        with Image.open(path) as image:
            small = image.convert("RGB").resize((SIDE, SIDE))
        scaled = np.asarray(small, np.float32) / np.float32(MIDDLE) - np.float32(1)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
