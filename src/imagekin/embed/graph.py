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
from dataclasses import replace
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from imagekin.embed.efficientnet import DIM, LITE, MIDDLE, Conv

Ranges = Mapping[str, Sequence[float]]
"""Smallest and largest value of every output, by name; ``name + "+"`` after a residual is added."""

INPUT: Final = "pictures"
OUTPUT: Final = "features"
ZERO_POINT: Final = 128
_IR_VERSION: Final = 9
_OPSET: Final = 17


_SIGNED: Final = np.int8(0)


class _Writer:
    """Collects the nodes and constants of a graph; quantised weights have the type and zero point of *weight_zero*."""

    def __init__(self, side: int, weight_zero: np.uint8 | np.int8 = _SIGNED) -> None:
        self.side = side
        self.weight_zero = weight_zero
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def model(self, outputs: Mapping[str, Sequence[int | str]]) -> bytes:
        pictures = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", self.side, self.side, 3])
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "imagekin", [pictures], results, list(self.constants.values()))
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="imagekin")
        return bytes(model.SerializeToString())


def output_of(layer: Conv) -> str:
    """The name of a layer's result, after the residual if it has one."""
    return f"{layer.name}+" if layer.residual else layer.name


def float_graph(layers: Sequence[Conv], *, side: int = LITE[0].side, inner: bool = False) -> bytes:
    """The network in float32.

    Args:
        layers: in the order they run.
        side: rows and columns of the pictures.
        inner: also give every layer's output, for calibration.
    """
    out = _Writer(side)
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
    out.node("ReduceMean", [results[layers[-1].name]], OUTPUT, axes=[2, 3], keepdims=0)
    return out.model({OUTPUT: ["n", DIM], **(shapes if inner else {})})


def integer_graph(layers: Sequence[Conv], ranges: Ranges, *, side: int = LITE[0].side, unsigned: bool = False) -> bytes:
    """The network in 8-bit integers, from the ranges that its outputs have on real pictures.

    Args:
        layers: in the order they run.
        ranges: of every layer's output.
        side: rows and columns of the pictures, a multiple of 4.
        unsigned: write the same weights as unsigned bytes with zero point 128, for processors that add the products of
            signed and unsigned bytes in 16 bits and would saturate.  The answers are the same.

    The first layer reads the picture's bytes with zero point 128 instead of 127.5; the half that is missing is added to
    its bias, which is exact everywhere but at the padded border (an error of half a grey level there).
    """
    out = _Writer(side, weight_zero=np.uint8(ZERO_POINT) if unsigned else _SIGNED)
    results = {layers[0].name: _stem(out, layers[0], _quantum(ranges[layers[0].name]))}
    for layer in layers[1:]:
        result = _convolve(out, layer, results[layer.source], _quantum(ranges[layer.name]))
        if layer.residual:
            result = _add(out, output_of(layer), (result, results[layer.residual]), _quantum(ranges[output_of(layer)]))
        results[layer.name] = result
    out.node("DequantizeLinear", _scaled(out, results[layers[-1].name]), "head.real")
    out.node("ReduceMean", ["head.real"], OUTPUT, axes=[1, 2], keepdims=0)
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


def _stem(out: _Writer, stem: Conv, quantum: tuple[float, int]) -> _Quantized:
    """The first layer, over cells of four pixels: the same numbers in little more than half the time.

    Four RGB pixels in a row are a cell of twelve channels, and two output columns a cell of twice the channels; both
    are the same bytes under another shape.  The runtime's kernels are made for more channels than three.
    """
    channels = len(stem.bias)
    bias = stem.bias + np.float32(ZERO_POINT - MIDDLE) * stem.weight.sum(axis=(1, 2, 3))
    weight = np.zeros((2 * channels, 12, 3, 2), np.float32)
    for column, tap in ((column, tap) for column in range(2) for tap in range(3)):
        cell, pixel = divmod(2 * column + tap, 4)
        weight[column * channels : (column + 1) * channels, 3 * pixel : 3 * pixel + 3, :, cell] = stem.weight[..., tap]
    wide = replace(stem, name="stem.cells", weight=weight, bias=np.tile(bias, 2))
    out.node("Reshape", [INPUT, out.constant("stem.in", np.array([0, out.side, out.side // 4, 12]))], "cells")
    _convolve(out, wide, ("cells", 1.0, ZERO_POINT), quantum, strides=(2, 1))
    shape = out.constant("stem.out", np.array([0, out.side // 2, out.side // 2, channels]))
    return out.node("Reshape", [wide.name, shape], stem.name), *quantum


def _convolve(
    out: _Writer,
    layer: Conv,
    source: _Quantized,
    quantum: tuple[float, int],
    *,
    strides: tuple[int, int] | None = None,
) -> _Quantized:
    result = (layer.name, *quantum)
    step, weight, bias = _quantized_weight(layer, source[1])
    zeros = np.full(len(step), out.weight_zero)
    stored = (weight.astype(np.int16) + out.weight_zero).astype(zeros.dtype)
    inputs = [*_scaled(out, source), out.constant(f"{layer.name}.w", stored), out.constant(f"{layer.name}.ws", step)]
    inputs += [out.constant(f"{layer.name}.wz", zeros), *_scaled(out, result)[1:]]
    out.node(
        "QLinearConv",
        [*inputs, out.constant(f"{layer.name}.b", bias)],
        layer.name,
        domain="com.microsoft",
        channels_last=1,
        strides=strides or (layer.stride, layer.stride),
        group=layer.groups,
        pads=layer.pads,
        kernel_shape=layer.weight.shape[2:],
    )
    return result


def _quantized_weight(
    layer: Conv, source_scale: float
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.int32]]:
    """One scale a channel, the weight in signed bytes, and the bias in units of both scales.

    Some channels are dead (all weights zero); a scale that left no room for their bias would change what they give.
    """
    room = np.abs(layer.bias.astype(np.float64)) / (source_scale * 2**30)
    step = np.maximum(np.abs(layer.weight).max(axis=(1, 2, 3)) / 127, np.maximum(room, 1e-12)).astype(np.float32)
    weight = np.rint(layer.weight / step[:, None, None, None]).astype(np.int8)
    bias = np.rint(layer.bias / (step.astype(np.float64) * source_scale)).astype(np.int32)
    return step, weight, bias


def _add(out: _Writer, name: str, terms: tuple[_Quantized, _Quantized], quantum: tuple[float, int]) -> _Quantized:
    result = (name, *quantum)
    inputs = [*_scaled(out, terms[0]), *_scaled(out, terms[1]), *_scaled(out, result)[1:]]
    out.node("QLinearAdd", inputs, name, domain="com.microsoft")
    return result
