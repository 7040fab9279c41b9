"""Writes the convolutions of a network as an ONNX graph, in float or in 8-bit integers.

Both graphs take prepared pictures, ``(n, side, side, 3)`` uint8, and give pooled features, ``(n, dim)`` float32.

The integer graph is written in the operators that ONNX Runtime executes rather than as QuantizeLinear/DequantizeLinear
pairs that it would have to recognise each time it opens the file: ``com.microsoft.QLinearConv`` with the channels last
takes the picture's bytes as they are, so that no transposition, no cast and no activation is left between the layers
(ReLU6 is the range of the output: values outside saturate).  Weights are signed with one scale a channel, activations
unsigned with one scale a layer; per-tensor weights would cost four points of precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from imagekin.embed.efficientnet import DIM, MIDDLE, SIDE, Conv

Ranges = Mapping[str, Sequence[float]]
"""Smallest and largest value of every output, by name; ``name + "+"`` after a residual is added."""

INPUT: Final = "pictures"
OUTPUT: Final = "features"
ZERO_POINT: Final = 128
_IR_VERSION: Final = 9
_OPSET: Final = 17


class _Writer:
    """Collects the nodes and constants of a graph."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def model(self, outputs: Mapping[str, Sequence[int | str]]) -> bytes:
        pictures = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", SIDE, SIDE, 3])
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "imagekin", [pictures], results, list(self.constants.values()))
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="imagekin")
        return bytes(model.SerializeToString())


def output_of(layer: Conv) -> str:
    """The name of a layer's result, after the residual if it has one."""
    return f"{layer.name}+" if layer.residual else layer.name


def float_graph(layers: Sequence[Conv], centre: NDArray[np.float32] | None = None, *, inner: bool = False) -> bytes:
    """The network in float32.

    Args:
        layers: in the order they run.
        centre: subtracted from the features, ``(dim,)``.
        inner: also give every layer's output, for calibration.
    """
    out = _Writer()
    out.node("Cast", [INPUT], "real", to=TensorProto.FLOAT)
    out.node("Sub", ["real", out.constant("middle", np.float32(MIDDLE))], "shifted")
    out.node("Transpose", ["shifted"], "centred", perm=[0, 3, 1, 2])
    limits = [out.constant("zero", np.float32(0)), out.constant("six", np.float32(6))]
    results = {"centred": "centred"}
    shapes: dict[str, Sequence[int | str]] = {}
    for layer in layers:
        inputs = [results[layer.source], out.constant(f"{layer.name}.w", layer.weight)]
        inputs.append(out.constant(f"{layer.name}.b", layer.bias))
        linear = f"{layer.name}.linear" if layer.relu6 else layer.name
        out.node("Conv", inputs, linear, strides=[layer.stride] * 2, group=layer.groups, pads=layer.pads)
        if layer.relu6:
            out.node("Clip", [linear, *limits], layer.name)
        shapes[layer.name] = ["n", len(layer.bias), "h", "w"]
        if layer.residual:
            out.node("Add", [layer.name, results[layer.residual]], output_of(layer))
            shapes[output_of(layer)] = ["n", len(layer.bias), "h", "w"]
        results[layer.name] = output_of(layer)
    out.node("ReduceMean", [results[layers[-1].name]], "pooled", axes=[2, 3], keepdims=0)
    _finish(out, centre)
    return out.model({OUTPUT: ["n", DIM], **(shapes if inner else {})})


def _finish(out: _Writer, centre: NDArray[np.float32] | None) -> None:
    if centre is None:
        centre = np.zeros(DIM, np.float32)
    out.node("Sub", ["pooled", out.constant("centre", centre)], OUTPUT)


def integer_graph(layers: Sequence[Conv], ranges: Ranges, centre: NDArray[np.float32] | None = None) -> bytes:
    """The network in 8-bit integers, from the ranges that its outputs have on real pictures.

    The first layer reads the picture's bytes with zero point 128 instead of 127.5; the half that is missing is added to
    its bias, which is exact everywhere but at the padded border (an error of half a grey level there).
    """
    out = _Writer()
    results = {"centred": (INPUT, 1.0, ZERO_POINT)}
    for layer in layers:
        bias = layer.bias
        if layer.source == "centred":
            bias = bias + np.float32(ZERO_POINT - MIDDLE) * layer.weight.sum(axis=(1, 2, 3))
        result = _convolve(out, layer, bias, (results[layer.source], _quantum(ranges[layer.name])))
        if layer.residual:
            result = _add(out, output_of(layer), (result, results[layer.residual]), _quantum(ranges[output_of(layer)]))
        results[layer.name] = result
    out.node("DequantizeLinear", _scaled(out, results[layers[-1].name]), "head.real")
    out.node("ReduceMean", ["head.real"], "pooled", axes=[1, 2], keepdims=0)
    _finish(out, centre)
    return out.model({OUTPUT: ["n", DIM]})


_Quantized = tuple[str, float, int]
"""Name, scale and zero point of an unsigned tensor."""


def _quantum(span: Sequence[float]) -> tuple[float, int]:
    """Scale and zero point of unsigned bytes that cover *span* and zero exactly."""
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    scale = float(np.float32(max(high - low, 1e-6) / 255))
    return scale, int(np.clip(round(-low / scale), 0, 255))


def _scaled(out: _Writer, tensor: _Quantized) -> list[str]:
    name, scale, zero = tensor
    return [name, out.constant(f"{name}.s", np.float32(scale)), out.constant(f"{name}.z", np.uint8(zero))]


def _convolve(
    out: _Writer, layer: Conv, bias: NDArray[np.float32], ends: tuple[_Quantized, tuple[float, int]]
) -> _Quantized:
    source, (scale, zero) = ends
    result = (layer.name, scale, zero)
    step = np.maximum(np.abs(layer.weight).max(axis=(1, 2, 3)), 1e-9) / np.float32(127)
    weight = np.rint(layer.weight / step[:, None, None, None]).astype(np.int8)
    whole = np.rint(bias / (step.astype(np.float64) * source[1])).clip(-(2**31), 2**31 - 1).astype(np.int32)
    inputs = [*_scaled(out, source), out.constant(f"{layer.name}.w", weight)]
    inputs.append(out.constant(f"{layer.name}.ws", step.astype(np.float32)))
    inputs.append(out.constant(f"{layer.name}.wz", np.zeros(len(step), np.int8)))
    inputs += _scaled(out, result)[1:] + [out.constant(f"{layer.name}.b", whole)]
    out.node(
        "QLinearConv",
        inputs,
        layer.name,
        domain="com.microsoft",
        channels_last=1,
        strides=[layer.stride] * 2,
        group=layer.groups,
        pads=layer.pads,
        kernel_shape=layer.weight.shape[2:],
    )
    return result


def _add(out: _Writer, name: str, terms: tuple[_Quantized, _Quantized], quantum: tuple[float, int]) -> _Quantized:
    result = (name, *quantum)
    inputs = [*_scaled(out, terms[0]), *_scaled(out, terms[1]), *_scaled(out, result)[1:]]
    out.node("QLinearAdd", inputs, name, domain="com.microsoft")
    return result
