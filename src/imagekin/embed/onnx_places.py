"""Takes an ONNX graph apart where it averages its features over the places of the picture.

Behind the mean only steps may come that are linear, or add a constant: of such a rest, what it makes of the mean is the
mean of what it makes of each place.  Quantising and straight back (QuantizeLinear, DequantizeLinear) is rounding and is
left out; so is a last scaling to length 1, as vectors are scaled anyway.  Whoever uses the parts sees whether they add
up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import onnx
from onnx import numpy_helper

from imagekin.embed.onnx_cut import constants, keep_only, reads
from imagekin.errors import UnsupportedError

_LINEAR: Final[Mapping[str, tuple[int, ...]]] = {
    **dict.fromkeys(("Identity", "Dropout", "Flatten", "Squeeze", "Unsqueeze", "Reshape", "Transpose"), (0,)),
    **dict.fromkeys(("Cast", "Gemm", "Conv", "BatchNormalization", "Div", "Neg", "DequantizeLinear"), (0,)),
    **dict.fromkeys(("MatMul", "Add", "Sub", "Mul"), (0, 1)),
}
"""Operators, and by which of their inputs the features may come in; the others must be constant."""

_ON_THE_WAY: Final = frozenset({"Clip", "Max", "Add", "Expand"})
"""What may stand between a vector's length and the division by it."""

_REAL: Final = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)

Step = tuple[int, int]
"""The number of a node, and by which of its inputs the features come in."""


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean over places.

    Attributes:
        source: the tensor that is averaged.
        result: the tensor that comes out.
        axes: over which, as the graph has them, perhaps negative; None for all but the first two.
        kernel: rows and columns of a pooling that is a mean over all places only if there are just so many, or None.
        keeps: whether the axes stay, with length 1.
    """

    source: str
    result: str
    axes: tuple[int, ...] | None
    kernel: tuple[int, ...] | None = None
    keeps: bool = True


def take_apart(model: onnx.ModelProto, output: str) -> tuple[Mean, onnx.ModelProto | None]:
    """Cut *model* off before the mean over places that *output* comes from.

    Args:
        model: is changed: afterwards it gives the features, ``mean.source``, and no more.
        output: name of the tensor that is the embedding.

    Returns:
        The mean, and the rest behind it as a model of its own, or None where nothing is; its one input,
        ``mean.result``, has no type yet.

    Raises:
        UnsupportedError: there is no such mean, or a step behind it is not linear.
    """
    mean, steps = _walked(model.graph, output)
    if not any(mean.source in node.output for node in model.graph.node):
        raise _refusal(f"the mean is that of {mean.source!r}, which is no feature")
    rest = _rest(model.graph, mean, steps) if steps else None
    if rest is not None:
        rest.ir_version = model.ir_version
        rest.opset_import.extend(model.opset_import)
        rest.functions.extend(model.functions)
    keep_only(model, mean.source)
    return mean, rest


def _walked(graph: onnx.GraphProto, output: str) -> tuple[Mean, list[Step]]:
    """The mean that *output* comes from, found from its end, and the steps between them in their order."""
    nodes, fixed = list(graph.node), constants(graph)
    makers = {name: number for number, node in enumerate(nodes) for name in node.output}
    steps: list[Step] = []
    at = nodes[makers[output]].input[0] if output in makers and _scales(nodes, makers, output) else output
    for _ in nodes:
        if at not in makers:
            break
        number = makers[at]
        if (mean := _mean(nodes[number], graph)) is not None:
            return mean, steps[::-1]
        place = _features(nodes[number], fixed)
        if place is None or nodes[number].output[0] != at:
            raise _refusal(f"{nodes[number].op_type} comes before its output {output!r}, which is neither")
        before = nodes[number].input[place]
        if nodes[number].op_type != "DequantizeLinear":
            steps.append((number, place))
        elif before in makers and nodes[makers[before]].op_type == "QuantizeLinear":
            before = nodes[makers[before]].input[0]
        else:
            raise _refusal(f"{output!r} comes from quantised steps without a mean between real numbers")
        at = before
    raise _refusal(f"its output {output!r} comes from none")


def _refusal(why: str) -> UnsupportedError:
    return UnsupportedError(
        "where pictures agree can be told only of a network that ends in a mean over places and linear steps; of this "
        f"model, {why}; choose another output (output=, cut=) or another model."
    )


def _mean(node: Any, graph: onnx.GraphProto) -> Mean | None:
    """The mean over places that a node is, or None."""
    if node.domain not in ("", "ai.onnx") or node.op_type not in ("GlobalAveragePool", "AveragePool", "ReduceMean"):
        return None
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    source, result = node.input[0], node.output[0]
    if node.op_type == "GlobalAveragePool":
        return Mean(source, result, None)
    if node.op_type == "AveragePool":
        return Mean(source, result, None, tuple(given.get("kernel_shape", ())))
    axes = given.get("axes", ())
    if len(node.input) > 1 and node.input[1]:
        axes = _values(node.input[1], graph)
    return Mean(source, result, tuple(int(axis) for axis in axes), keeps=bool(given.get("keepdims", 1)))


def _values(name: str, graph: onnx.GraphProto) -> list[int]:
    """A constant list of whole numbers, empty where it is not one."""
    tensors = [tensor for tensor in graph.initializer if tensor.name == name]
    for node in graph.node:
        if node.op_type == "Constant" and name in node.output:
            tensors += [attribute.t for attribute in node.attribute if attribute.name == "value"]
    values = numpy_helper.to_array(tensors[0]) if tensors else None
    return [] if values is None or values.dtype.kind != "i" else [int(value) for value in values.ravel()[:8]]


def _scales(nodes: Sequence[Any], makers: Mapping[str, int], output: str) -> bool:
    """Whether *output* is vectors scaled to length 1: by an operator, or divided by their lengths."""
    node = nodes[makers[output]]
    given = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "LpNormalization":
        return given.get("p", 2) == 2 and given.get("axis", -1) in (1, -1)
    below = node.input[1] if node.op_type == "Div" and len(node.input) == 2 else ""
    for _ in _ON_THE_WAY:
        maker = nodes[makers[below]] if below in makers else node
        if maker.op_type == "ReduceL2":
            return bool(maker.input[0] == node.input[0])
        if maker.op_type not in _ON_THE_WAY:
            return False
        below = maker.input[0]
    return False


def _features(node: Any, fixed: set[str]) -> int | None:
    """By which input features come into a linear step, or None if it is none."""
    if node.domain not in ("", "ai.onnx") or node.op_type not in _LINEAR:
        return None
    varying = [at for at, name in enumerate(node.input) if name and name not in fixed]
    if node.op_type == "Reshape":  # its shape may be asked of the features
        varying = varying[:1]
    if node.op_type == "Cast" and not any(attribute.i in _REAL for attribute in node.attribute):
        return None
    return varying[0] if len(varying) == 1 and varying[0] in _LINEAR[node.op_type] else None


def _rest(graph: onnx.GraphProto, mean: Mean, steps: Sequence[Step]) -> onnx.ModelProto:
    """The steps behind the mean as a model of their own, with the constants that they need."""
    nodes, fixed, at = list(graph.node), constants(graph), mean.result
    makers = {name: number for number, node in enumerate(nodes) for name in node.output}
    needed: dict[int, onnx.NodeProto] = {}
    for number, place in steps:
        needed[number] = _step(nodes[number], place, at, fixed)
        at = nodes[number].output[0]
    waiting = [name for node in needed.values() for name in reads(node) if name in fixed]
    read = {*waiting}
    while waiting:
        name = waiting.pop()
        if name in makers and makers[name] not in needed:
            needed[makers[name]] = nodes[makers[name]]
            waiting.extend(reads(nodes[makers[name]]))
            read.update(reads(nodes[makers[name]]))
    rest = onnx.ModelProto()
    rest.graph.name = "rest"
    rest.graph.node.extend(needed[number] for number in sorted(needed))
    rest.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in read)
    rest.graph.sparse_initializer.extend(each for each in graph.sparse_initializer if each.values.name in read)
    rest.graph.input.add(name=mean.result)
    rest.graph.output.add(name=at)
    return rest


def _step(node: onnx.NodeProto, place: int, source: str, fixed: set[str]) -> onnx.NodeProto:
    """A linear step that reads *source*; of a place there is one row, whatever shape the graph works out for it."""
    if node.op_type == "Reshape" and not fixed.issuperset(node.input[1:]):
        return onnx.helper.make_node("Flatten", [source], [node.output[0]], name=node.name)
    step = onnx.NodeProto()
    step.CopyFrom(node)
    step.input[place] = source
    return step
