"""Chooses what to take out of an ONNX graph: an output, an inner tensor, or what goes into the last layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import onnx

from imagekin.errors import InputError, ModelError

_LAYERS: Final = frozenset(
    {"Gemm", "MatMul", "Conv", "QGemm", "QLinearMatMul", "QLinearConv", "FusedMatMul", "MatMulInteger", "ConvInteger"}
)
_WEIGHT_AT: Final = {"QLinearMatMul": 3, "QLinearConv": 3, "QGemm": 3}


def constants(graph: onnx.GraphProto) -> set[str]:
    """Names of the tensors that do not depend on the picture."""
    names = {tensor.name for tensor in graph.initializer} | {tensor.values.name for tensor in graph.sparse_initializer}
    for node in graph.node:
        if all(name in names for name in reads(node) if name):
            names.update(node.output)
    return names


def pictures_input(graph: onnx.GraphProto) -> onnx.ValueInfoProto:
    """The one input that takes pictures.

    Raises:
        ModelError: there is not exactly one input of rank 4; the message lists what there is.
    """
    fixed = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in fixed]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        found = ", ".join(f"{value.name} {describe(value)}" for value in inputs) or "none"
        raise ModelError(f"the model must have exactly one input, of rank 4, for pictures; it has: {found}.")
    picture: onnx.ValueInfoProto = inputs[0]
    return picture


def drop_unread(graph: onnx.GraphProto) -> None:
    """Take away the inputs that nothing reads any more, as those of another tower's."""
    read = {name for node in graph.node for name in reads(node)}
    _replace(graph.input, [value for value in graph.input if value.name in read])


def describe(value: onnx.ValueInfoProto) -> str:
    """A tensor's declared shape for a person, such as ``(n, 3, 224, 224)``."""
    dims = value.type.tensor_type.shape.dim
    return f"({', '.join(str(dim.dim_value) if dim.HasField('dim_value') else dim.dim_param or '?' for dim in dims)})"


def input_of_layer(graph: onnx.GraphProto, output: str, cut: int) -> str:
    """The tensor that goes into the *cut*-th layer from the end, counting layers with weights back from *output*.

    Raises:
        InputError: there are not that many layers, or the graph branches before.
    """
    fixed = constants(graph)
    makers = {name: node for node in graph.node for name in node.output}
    at = output
    for done in range(cut):
        while True:
            node = makers.get(at)
            varying = [name for name in node.input if name and name not in fixed] if node is not None else []
            if node is None or not varying:
                raise InputError(f"cut={cut} is too much: {done} layers with weights lie before the output {output!r}.")
            weight = _WEIGHT_AT.get(node.op_type, 1)
            layer = node.op_type in _LAYERS and len(node.input) > weight and node.input[weight] in fixed
            if len(varying) > 1 and not layer and (product := _scaled_product(node, makers)):
                at = product  # of bytes, times the scales that they were made bytes with
                continue
            if len(varying) > 1 and not layer:
                raise InputError(
                    f"cut={cut} meets a branch ({node.op_type} of {', '.join(varying)}) before the layer; "
                    "name the tensor instead: output=..."
                )
            at = varying[0]
            if layer:
                break
        if at in makers and makers[at].op_type == "DynamicQuantizeLinear":
            at = makers[at].input[0]
    return at


def _scaled_product(node: onnx.NodeProto, makers: Mapping[str, onnx.NodeProto]) -> str:
    """Which of a product's factors comes from a layer in whole numbers, or "" if none does."""
    for name in node.input if node.op_type == "Mul" else ():
        cast = makers.get(name)
        before = makers.get(cast.input[0]) if cast is not None and cast.op_type == "Cast" else None
        if before is not None and before.op_type in ("MatMulInteger", "ConvInteger"):
            return str(name)
    return ""


def keep_only(model: onnx.ModelProto, output: str) -> None:
    """Make *output* the model's only output, and drop the operators and weights that it does not need.

    Raises:
        InputError: no tensor is called *output*, or it does not depend on the picture.
    """
    graph = model.graph
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output}
    if output not in makers or output in constants(graph):
        known = ", ".join(value.name for value in graph.output)
        raise InputError(f"the model has no tensor {output!r} that depends on the picture; its outputs are: {known}.")
    needed, waiting = set(), [makers[output]]
    while waiting:
        index = waiting.pop()
        if index not in needed:
            needed.add(index)
            waiting.extend(makers[name] for name in reads(graph.node[index]) if name in makers)
    nodes = [node for index, node in enumerate(graph.node) if index in needed]
    read = {name for node in nodes for name in reads(node)}
    weights = [tensor for tensor in graph.initializer if tensor.name in read]
    declared = [value for value in graph.output if value.name == output]
    _replace(graph.node, nodes)
    _replace(graph.initializer, weights)
    _replace(graph.output, declared or [onnx.ValueInfoProto(name=output)])


def _replace(field: object, values: Iterable[object]) -> None:
    copies = list(values)
    del field[:]  # type: ignore[attr-defined]
    field.extend(copies)  # type: ignore[attr-defined]


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """What a node reads, including what graphs inside it take from outside."""
    yield from node.input
    for attribute in node.attribute:
        inner = [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else attribute.graphs
        for graph in inner:
            for child in graph.node:
                yield from reads(child)
            yield from (value.name for value in graph.output)
