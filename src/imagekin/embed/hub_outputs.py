"""Which of a published network's answers is the picture's vector: by names, shapes and the kind of model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import onnx

from imagekin.embed.onnx_cut import describe, input_of_layer
from imagekin.embed.onnx_model import Reading
from imagekin.errors import InputError, ModelError

_PLAIN: Final = ("vit", "deit", "vit_mae", "vit_msn")
"""Kinds whose pooler may never have been trained, so that the first token is taken instead."""

_FIRST: Final = frozenset(
    (*_PLAIN, "dinov2", "dinov2_with_registers", "dinov3_vit", "dinov3_convnext", "beit", "data2vec-vision", "clip",
     "clip_vision_model", "chinese_clip", "metaclip_2", "owlvit", "blip", "nomic_bert", "jina_clip")
)  # fmt: skip
"""Kinds whose first token stands for the whole picture."""

_MEAN: Final = frozenset(("swin", "swinv2", "levit", "hiera", "ijepa", "aimv2", "pvt", "pvt_v2"))
"""Kinds that have no such token and were trained on the mean."""

_UNKNOWN: Final = 0
"""The rank of an answer whose shape the file does not say."""


def chosen(graph: onnx.GraphProto, config: Mapping[str, Any], asked: Mapping[str, Any]) -> Reading:
    """How the network is read.

    Args:
        graph: whose outputs are chosen from.
        config: the content of ``config.json``.
        asked: ``output``, ``cut``, ``pooling`` and ``layout`` that were given, which win.

    Raises:
        ModelError: nothing says which answer is the vector; the message lists them.
    """
    kind = _kind(config)
    outputs = {value.name: value for value in graph.output}
    output, cut = asked.get("output"), asked.get("cut", 0)
    if output is None:
        output, cut = _output(graph, kind, cut)
    rank, pooling = _ranks(graph).get(output), asked.get("pooling")
    if pooling is None and rank in (3, _UNKNOWN) and not cut:
        pooling = "cls" if kind in _FIRST else "mean" if kind in _MEAN else None
        if pooling is None and rank == 3:
            raise ModelError(
                f"{output!r} gives tokens, {describe(outputs[output])}, and of a model of the kind {kind!r} it is not "
                "known which stands for the picture; give pooling='cls' or pooling='mean'."
            )
    return Reading(output, cut, pooling, asked.get("layout") or _layout(graph), _prefix(config, kind))


def _output(graph: onnx.GraphProto, kind: str, cut: int) -> tuple[str, int]:
    """The tensor's name, and how many layers before it to stop."""
    ranks = _ranks(graph)
    if "image_embeds" in ranks:
        return "image_embeds", cut
    if kind in _PLAIN and ranks.get("last_hidden_state") in (3, _UNKNOWN):
        return "last_hidden_state", cut
    if "pooler_output" in ranks:
        return "pooler_output", cut
    if ranks.get("logits") in (2, _UNKNOWN) and "last_hidden_state" not in ranks:
        return "logits", cut or _cut(graph)
    flat = [name for name, rank in ranks.items() if rank == 2 and name != "logits"]
    if len(flat) == 1:
        return flat[0], cut
    if "last_hidden_state" in ranks or len(ranks) == 1:
        return ("last_hidden_state" if "last_hidden_state" in ranks else next(iter(ranks))), cut
    listed = ", ".join(f"{value.name} {describe(value)}" for value in graph.output)
    raise ModelError(f"the model has several outputs, choose one with output=...: {listed}.")


def _ranks(graph: onnx.GraphProto) -> dict[str, int]:
    """How many axes each output has, as far as the file says it."""
    return {value.name: len(value.type.tensor_type.shape.dim) for value in graph.output}


def _cut(graph: onnx.GraphProto) -> int:
    """1 where what goes into a classifier's last layer can be taken."""
    try:
        input_of_layer(graph, "logits", 1)
    except InputError as error:
        raise ModelError(
            f"the model gives nothing but its classes, and what goes into its last layer cannot be told ({error})"
        ) from error
    return 1


def _kind(config: Mapping[str, Any]) -> str:
    """The kind of model, in lower case; that of the pictures' tower where there are two."""
    vision = config.get("vision_config")
    inner = vision.get("model_type") if isinstance(vision, Mapping) else None
    return str(config.get("model_type") or inner or "").lower()


def _prefix(config: Mapping[str, Any], kind: str) -> int:
    """Tokens before those of the places: the first one, and registers."""
    registers = config.get("num_register_tokens", 0)
    if isinstance(registers, bool) or not isinstance(registers, int) or not 0 <= registers <= 64:
        raise ModelError(f"num_register_tokens in config.json is {str(registers)[:60]}, and must be 0 … 64.")
    return 1 + registers if kind in _FIRST else 0


def _layout(graph: onnx.GraphProto) -> Any:
    """Where the colours are: last if the pictures' input says so, else first as in all that PyTorch exports."""
    for value in graph.input:
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if len(dims) == 4 and dims[3] == 3 and dims[1] != 3:
            return "NHWC"
    return "NCHW"
