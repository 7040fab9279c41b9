"""Reads an ONNX file that somebody else made, with the checks that a file from a stranger needs.

A model is data, but its file may name other files (external weights) and operators that only a plug-in library brings.
Weights are read from inside the model's own folder only, and no plug-in is ever loaded.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import onnx

from imagekin.errors import ModelError

MAX_BYTES: Final = 2**31 - 1
"""What one protobuf message can hold; weights in other files count."""

MOST_PIXELS: Final = 1 << 26
"""Of all the pictures that one call takes: 800 MB as floats."""

MOST_NUMBERS: Final = 1 << 20
"""Of a vector; the longest of common models have 25,088."""

_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})


def read_model(path: Path, within: Path | None = None) -> tuple[onnx.ModelProto, str]:
    """The model in *path* with its external weights loaded, and the SHA-256 of all that was read.

    Args:
        path: the model's file.
        within: a folder that files of external weights may be links into, as in the cache of a hub; None for no links.

    Raises:
        ModelError: absent, too large, not ONNX, weights outside the folder, or operators of a plug-in.
    """
    reader = _Reader(path, within)
    try:
        model = onnx.load_model_from_string(reader.read(path))
    except ModelError:
        raise
    except Exception as error:  # protobuf's own class, which differs between its versions
        raise ModelError(f"{path} is not an ONNX model ({error}); give the file that an exporter wrote.") from error
    if not model.graph.node:
        raise ModelError(f"{path} is not an ONNX model: it holds no operators; give the file that an exporter wrote.")
    _check_operators(path, model)
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            reader.load_external(tensor)
    return model, reader.digest.hexdigest()


def check_numbers(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse what no model of pictures takes or gives: a file can ask for more memory than there is.

    Args:
        path: the model's file.
        shape: pictures of a call with their rows and columns, or the first vectors ``(n, dim)``.

    Raises:
        ModelError: one call takes more than `MOST_PIXELS` pixels, or a vector has none or more than `MOST_NUMBERS`.
    """
    if len(shape) == 3 and not 1 <= math.prod(shape) <= MOST_PIXELS:
        asked = " x ".join(f"{side:,}" for side in shape)
        raise ModelError(
            f"{path} takes {asked} pixels at once (pictures, rows, columns); at most {MOST_PIXELS:,} can be."
        )
    if len(shape) == 2 and not 1 <= shape[1] <= MOST_NUMBERS:
        raise ModelError(f"{path} gives vectors of {shape[1]:,} numbers; 1 to {MOST_NUMBERS:,} can be compared.")


class _Reader:
    """Reads a model's files, keeping the hash of all bytes read and how many more may be."""

    def __init__(self, path: Path, within: Path | None) -> None:
        self.path = path
        self.within = within
        self.digest = hashlib.sha256()
        self.room = MAX_BYTES

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        try:
            if path.exists() and not path.is_file():
                raise ModelError(f"{path} is not a file; give the path of a model.")
            with path.open("rb") as file:
                wanted = os.fstat(file.fileno()).st_size - offset if length is None else length
                if wanted > self.room:
                    raise ModelError(f"{path} needs {wanted} bytes, and at most {self.room} more can be read.")
                file.seek(offset)
                data = file.read(max(wanted, 0))
        except OSError as error:
            raise ModelError(f"the model file {path} cannot be read ({error.strerror or error}).") from error
        if len(data) != wanted:
            raise ModelError(f"{path} is truncated: {wanted} bytes at {offset} are expected; copy it again.")
        self.digest.update(data)
        self.room -= len(data)
        return data

    def load_external(self, tensor: onnx.TensorProto) -> None:
        """Move one tensor's bytes from the file that it names into the model."""
        facts = {entry.key: entry.value for entry in tensor.external_data}
        target = self._inside(facts.get("location", ""))
        try:
            offset, length = int(facts.get("offset", 0)), int(facts["length"]) if "length" in facts else None
        except ValueError as error:
            raise ModelError(f"{self.path} is damaged: the place of {tensor.name!r} is not a number.") from error
        if offset < 0 or (length is not None and length < 0):
            raise ModelError(f"{self.path} is damaged: the place of {tensor.name!r} is negative.")
        tensor.raw_data = self.read(target, offset, length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]

    def _inside(self, location: str) -> Path:
        """The path of a file that the model names, which must lie in the model's folder, links not followed."""
        parts = Path(location).parts
        plain = bool(parts) and not Path(location).is_absolute() and ".." not in parts and "\\" not in location
        steps = [self.path.parent.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
        linked = any(step.is_symlink() for step in steps)
        known = self.within is not None and plain and steps[-1].resolve().is_relative_to(self.within.resolve())
        if not plain or (linked and not known):
            raise ModelError(
                f"{self.path} asks for weights in {location!r}; only plain files in its own folder are read, no links."
            )
        return steps[-1]


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
