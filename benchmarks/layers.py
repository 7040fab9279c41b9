"""What each stage of the built-in network sees: its features as they are after every block, and the classes above."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.lessons import STEP
from benchmarks.record import cores
from imagekin.distance import normalized
from imagekin.embed import builtin, graph
from imagekin.embed.efficientnet import LITE, Conv
from imagekin.embed.runtime import open_session
from imagekin.types import Pixels, Vectors

FEATURES: Final = "features"
"""What the model gives: the network without its top."""

TOP: Final = "with the top: classes"
SURE: Final = "with the top: probabilities"


def seen(pixels: Pixels) -> dict[str, Vectors]:
    """Vectors of length 1 by stage, from the first to the top."""
    layers = builtin.read_layers()
    outputs = dict(ends(layers))
    session = open_session(pooled(graph.float_graph(layers), outputs), device="cpu")
    names = [*(f"{output}.mean" for output in outputs.values()), graph.OUTPUT]
    parts = [pixels[at : at + STEP] for at in range(0, len(pixels), STEP)]
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(lambda part: session.run(names, {graph.INPUT: part}), parts))
    stages = [np.concatenate(each) for each in zip(*found, strict=True)]
    weights, bias = top()
    scores = stages[-1] @ weights.T + bias
    sure = np.exp(scores - scores.max(axis=1, keepdims=True))
    every = {**dict(zip((*outputs, FEATURES), stages, strict=True)), TOP: scores - scores.mean(axis=1, keepdims=True)}
    return {name: normalized(vectors.astype(np.float32)) for name, vectors in {**every, SURE: sure}.items()}


def ends(layers: list[Conv]) -> Iterator[tuple[str, str]]:
    """The last block of each stage, and the name of its output."""
    projections = [layer for layer in layers if layer.name.endswith("project")]
    at = -1
    for number, (_, _, repeats, _, _) in enumerate(LITE[0].blocks(), 1):
        at += repeats
        yield f"stage {number}", graph.output_of(projections[at])


def pooled(model: bytes, outputs: dict[str, str]) -> bytes:
    """The network that also gives the means over places of these outputs."""
    made = onnx.load_model_from_string(model)
    for output in outputs.values():
        name = f"{output}.mean"
        made.graph.node.append(onnx.helper.make_node("ReduceMean", [output], [name], axes=[2, 3], keepdims=0))
        made.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", "c"]))
    return bytes(made.SerializeToString())


def top() -> tuple[NDArray[Any], NDArray[Any]]:
    """The classifier that the model leaves out: weights ``(1000, 1280)`` and bias."""
    tensors = builtin.read_tensors()
    return tensors["_fc.weight"], tensors["_fc.bias"]
