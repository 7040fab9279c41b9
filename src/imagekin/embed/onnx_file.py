"""Reads an ONNX file that somebody else made, with the checks that a file from a stranger needs.

A model is data, but its file may name other files (external weights) and operators that only a plug-in library brings.
Weights are read from inside the model's own folder only, and no plug-in is ever loaded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import onnx

from imagekin.errors import ModelError

MAX_BYTES: Final = 2**31 - 1
"""What one protobuf message can hold; weights in other files count."""

_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})


def read_model(path: Path) -> tuple[onnx.ModelProto, str]:
    """The model in *path* with its external weights loaded, and the SHA-256 of all that was read.

    Raises:
        ModelError: absent, too large, not ONNX, weights outside the folder, or operators of a plug-in.
    """
    digest = hashlib.sha256()
    data = _read(path, 0, MAX_BYTES, digest)
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own class, which differs between its versions
        raise ModelError(f"{path} is not an ONNX model ({error}); give the file that an exporter wrote.") from error
    if not model.graph.node:
        raise ModelError(f"{path} is not an ONNX model: it holds no operators; give the file that an exporter wrote.")
    _check_operators(path, model)
    room = MAX_BYTES - len(data)
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            room -= _load_external(path, tensor, room, digest)
    return model, digest.hexdigest()


def _read(path: Path, offset: int, limit: int, digest: Any, length: int | None = None) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path} is not a file; give the path of a model.")
        with path.open("rb") as file:
            wanted = os.fstat(file.fileno()).st_size - offset if length is None else length
            if wanted > limit:
                raise ModelError(f"{path} needs {wanted} bytes, and at most {limit} can be read for one model.")
            file.seek(offset)
            data = file.read(wanted)
    except OSError as error:
        raise ModelError(f"the model file {path} cannot be read ({error.strerror or error}).") from error
    if len(data) != wanted:
        raise ModelError(f"{path} is truncated: {wanted} bytes at {offset} are expected; copy it again.")
    digest.update(data)
    return data


def _load_external(path: Path, tensor: onnx.TensorProto, room: int, digest: Any) -> int:
    """Read one tensor's bytes into the model; returns how many."""
    facts = {entry.key: entry.value for entry in tensor.external_data}
    location = facts.get("location", "")
    target = path.parent / location
    parts = Path(location).parts
    plain = bool(parts) and not Path(location).is_absolute() and ".." not in parts and "\\" not in location
    inside = [path.parent.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
    if not plain or any(step.is_symlink() for step in inside):
        raise ModelError(
            f"{path} asks for weights in {location!r}; only plain files inside its own folder are read, no links."
        )
    try:
        offset, length = int(facts.get("offset", 0)), int(facts["length"]) if "length" in facts else None
    except ValueError as error:
        raise ModelError(f"{path} is damaged: the place of the tensor {tensor.name!r} is not a number.") from error
    if offset < 0 or (length is not None and length < 0):
        raise ModelError(f"{path} is damaged: the place of the tensor {tensor.name!r} is negative.")
    tensor.raw_data = _read(target, offset, room, digest, length)
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]
    return len(tensor.raw_data)


def _graphs(model: onnx.ModelProto) -> Iterator[Any]:
    """The main graph, the functions, and every graph inside an attribute."""
    waiting: list[Any] = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                waiting.extend([attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else attribute.graphs)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in _graphs(model):
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield sparse.values
                yield sparse.indices
        for node in graph.node:
            for attribute in node.attribute:
                yield from [attribute.t] if attribute.type == onnx.AttributeProto.TENSOR else attribute.tensors


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for graph in _graphs(model):
        for node in graph.node:
            if node.domain not in _DOMAINS and (node.domain, node.op_type) not in own:
                raise ModelError(
                    f"{path} uses the operator {node.domain}.{node.op_type} of a plug-in library, and none is loaded; "
                    "export it with standard operators."
                )
