"""Networks of floats made into networks of bytes: static quantisation by ONNX Runtime, weights per channel."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.embed.processor import saturates
from imagekin.errors import ModelError
from imagekin.types import Vectors

Ranges: TypeAlias = Mapping[str, tuple[float, float]]
"""Least and largest value of each tensor of a network, over the pictures it was calibrated on."""

_PLAIN: Final = ("Conv", "Gemm", "MatMul", "Add", "Mul", "Concat", "MaxPool", "AveragePool", "Clip", "Relu")
"""Operators that have bytes for floats, but for the mean over places that ends a network: its rounding would stay."""

_ATTENDING: Final = ("Conv", "Gemm", "MatMul")
"""Those of networks with attention, in which what lies between needs its floats."""

_MOST: Final = 1 << 22
"""Bytes of a state at the most."""

_LARGEST: Final = float(np.finfo(np.float32).max)
"""What a tensor of a network of floats can hold."""


def calibrate(model: bytes, batches: Iterable[NDArray[np.uint8]]) -> dict[str, tuple[float, float]]:
    """The ranges of a network's tensors over prepared pictures.

    Raises:
        ModelError: ONNX Runtime cannot calibrate it.
    """
    with _tools("calibrated") as (quantization, folder):
        path = _written(model, folder)
        plan = quantization.calibrate.create_calibrator(
            str(path), _operators(model), str(folder / "augmented.onnx"), quantization.CalibrationMethod.MinMax
        )
        plan.collect_data(_reader(quantization, batches))
        found = plan.compute_data()
        pairs = {name: tuple(float(np.ravel(end)[0]) for end in found[name].range_value) for name in found}
        return {name: (low, high) for name, (low, high) in pairs.items()}


def quantise(model: bytes, ranges: Ranges) -> bytes:
    """The network with bytes for weights and, within *ranges*, for what lies between its layers.

    Raises:
        ModelError: ONNX Runtime cannot quantise it, or the ranges are another network's.
    """
    with _tools("quantised") as (quantization, folder):
        loaded = quantization.quant_utils.load_model_with_shape_infer(_written(model, folder))
        kinds = quantization.QuantType
        pairs = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
        data = quantization.calibrate.TensorsData(quantization.CalibrationMethod.MinMax, pairs)
        maker = quantization.qdq_quantizer.QDQQuantizer(
            loaded, True, saturates(), kinds.QInt8, kinds.QUInt8, data, [], _kept(loaded), _operators(model), {}
        )
        maker.quantize_model()
        made = maker.model.model
        made.metadata_props.extend(prop for prop in onnx.load_model_from_string(model).metadata_props
                                   if prop.key not in {own.key for own in made.metadata_props})  # fmt: skip
        return bytes(made.SerializeToString())


def loss(exact: Vectors, rounded: Vectors, held: int) -> dict[str, float]:
    """What quantisation costs, on pictures: mean cosine, and how often the nearest picture stays the nearest.

    Args:
        exact: vectors of length 1 by the network of floats, ``(n, dim)``.
        rounded: of the same pictures by the network of bytes.
        held: how many of them, at the end, it was not calibrated on; they are what is asked about.
    """
    cosine = float(np.einsum("ij,ij->i", exact[-held:], rounded[-held:], dtype=np.float64).mean())
    nearest = []
    for vectors in (exact, rounded):
        products = vectors[-held:] @ vectors.T
        products[np.arange(held), len(vectors) - held + np.arange(held)] = -np.inf
        nearest.append(products.argmax(axis=1))
    return {"cosine": round(cosine, 5), "neighbours": round(float((nearest[0] == nearest[1]).mean()), 4)}


def packed(facts: Mapping[str, Any]) -> bytes:
    """A state's bytes."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()


def unpacked(state: bytes) -> dict[str, Any]:
    """A state from bytes that anybody may have written.

    Raises:
        ModelError: they are no state.
    """
    try:
        facts: Any = json.loads(state) if len(state) <= _MOST else None
        ranges, lost = facts["ranges"], facts["loss"]
        pairs = {str(name): (float(low), float(high)) for name, (low, high) in ranges.items()}
        figures = {name: float(lost[name]) for name in ("cosine", "neighbours", "pictures")}
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError, OverflowError) as error:
        raise ModelError("the ranges that int8 was calibrated with are damaged; index the folders again.") from error
    if not all(-_LARGEST <= low <= high <= _LARGEST for low, high in pairs.values()):
        raise ModelError("the ranges that int8 was calibrated with are no numbers; index the folders again.")
    return {"ranges": pairs, "loss": figures}


def unit(values: NDArray[Any]) -> Vectors:
    """Vectors of length 1."""
    return normalized(np.asarray(values, np.float32))


@contextmanager
def _tools(verb: str) -> Iterator[tuple[Any, Path]]:
    """ONNX Runtime's quantiser and a folder for its files; whatever it raises is one sentence."""
    from imagekin.embed.runtime import library

    library()
    try:
        from onnxruntime import quantization
        from onnxruntime.quantization import calibrate, qdq_quantizer, quant_utils  # noqa: F401 - read as attributes

        with tempfile.TemporaryDirectory() as folder:
            yield quantization, Path(folder)
    except ModelError:
        raise
    except Exception as error:  # of its many parts
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(f"the network cannot be {verb} to int8 ({reason}); use precision='fp32'.") from error


def _written(model: bytes, folder: Path) -> Path:
    loaded = onnx.load_model_from_string(model)
    _own_constants(loaded.graph)
    path = folder / "model.onnx"
    path.write_bytes(loaded.SerializeToString())
    return path


def _own_constants(graph: Any) -> None:
    """Give each layer constants of its own: exporters let equal ones share one, which bytes of other scales cannot."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Identity" and node.input[0] in constants]:
        copy = graph.initializer.add()
        copy.CopyFrom(constants[node.input[0]])
        copy.name = node.output[0]
        constants[copy.name] = copy
        graph.node.remove(node)


def _reader(quantization: Any, batches: Iterable[NDArray[np.uint8]]) -> Any:
    """The batches as the calibrator asks for them."""
    source = iter(batches)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            batch = next(source, None)
            return None if batch is None else {"pictures": batch}

    return Reader()


def _operators(model: bytes) -> list[str]:
    graph = onnx.load_model_from_string(model).graph
    attends = any(node.op_type in ("Softmax", "LayerNormalization") for node in graph.node)
    return list(_ATTENDING if attends else _PLAIN)


def _kept(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that stay as they are.

    Those before the first layer with weights scale the picture.  Products of what is computed with what is computed are
    what attention is made of: in bytes they take a tiny network's vectors from cosine 0.999 to 0.81.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
    weighted = [node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in constants for node in model.graph.node]
    first = weighted.index(True) if any(weighted) else len(weighted)
    return [
        node.name
        for place, node in enumerate(model.graph.node)
        if place < first or (node.op_type == "MatMul" and not weighted[place])
    ]
