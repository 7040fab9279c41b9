"""Tiny models in the layout of transformers.js, with the configurations that the published ones have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tokenizers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import models, normalizers, pre_tokenizers, processors

from tests.onnx_models import Shape, node

PIXELS: Shape = ("batch_size", "num_channels", "height", "width")
WORDS = ("<pad>", "</s>", "<s>", "<unk>", "a", "dog", "cat", "red", "green", "blue")

PUBLISHED: Mapping[str, Any] = json.loads((Path(__file__).parent / "data" / "preprocessors.json").read_text("utf-8"))
CLIP: Mapping[str, Any] = PUBLISHED["Xenova/clip-vit-base-patch32"]["config"]
DINOV2: Mapping[str, Any] = PUBLISHED["onnx-community/dinov2-small"]["config"]
DINOV3: Mapping[str, Any] = PUBLISHED["onnx-community/dinov3-vits16-pretrain-lvd1689m-ONNX"]["config"]
RESNET: Mapping[str, Any] = PUBLISHED["Xenova/resnet-50"]["config"]


def network(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, Shape],
    weights: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    given = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    constants = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(list(nodes), "tiny", given, results, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


MEAN_COLOUR = [node("GlobalAveragePool", "pixel_values", "pool"), node("Flatten", "pool", "colour")]
PICTURES = {"pixel_values": (TensorProto.FLOAT, PIXELS)}


def vectors(path: Path, output: str = "image_embeds", *, weight: float = 1) -> Path:
    """A network whose answer is the mean colour of what it is given, times *weight*."""
    nodes = [*MEAN_COLOUR, node("Mul", "colour w", output)]
    return network(path, nodes, PICTURES, {output: ("batch_size", 3)}, {"w": np.array(weight, np.float32)})


def tokens(path: Path, outputs: Mapping[str, Shape] | None = None, *, prefix: int = 1) -> Path:
    """Tokens as of a transformer: the first one is the mean colour, then registers of 100s, then the four quarters.

    ``pooler_output`` is the mean colour backwards, so that it can be told which was taken.
    """
    others = np.full((1, prefix - 1, 3), 100, np.float32)
    nodes = [
        *MEAN_COLOUR,
        node("Unsqueeze", "colour one", "first"),
        node("Expand", "pool wide", "grid"),
        node("Reshape", "grid shape", "lines"),
        node("Transpose", "lines", "quarters", perm=[0, 2, 1]),
        node("Concat", f"first {'others ' if prefix > 1 else ''}quarters", "last_hidden_state", axis=1),
        node("Gather", "colour back", "pooler_output", axis=1),
    ]
    weights = {
        "one": np.array([1]), "others": others, "shape": np.array([0, 3, 4]), "wide": np.array([1, 3, 2, 2]),
        "back": np.array([2, 1, 0]),
    }  # fmt: skip
    given = outputs or {"last_hidden_state": ("batch_size", "tokens", 3), "pooler_output": ("batch_size", 3)}
    return network(path, nodes, PICTURES, given, weights)


def classes(path: Path, *, quantized: bool = False) -> Path:
    """A classifier with nothing but ``logits``; what goes into its last layer is the mean colour, twice."""
    weight = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 1, 2, 3]], np.float32)
    twice = [*MEAN_COLOUR, node("Mul", "colour two", "features")]
    weights: dict[str, NDArray[Any]] = {"two": np.array(2, np.float32), "b": np.zeros(4, np.float32)}
    if quantized:
        last = [
            node("DynamicQuantizeLinear", "features", "q qs qz"),
            node("MatMulInteger", "q w qz wz", "product"),
            node("Cast", "product", "real", to=TensorProto.FLOAT),
            node("Mul", "qs ws", "scale"),
            node("Mul", "real scale", "scaled"),
            node("Add", "b scaled", "logits"),
        ]
        weights |= {"w": weight.astype(np.int8), "wz": np.array(0, np.int8), "ws": np.array(1, np.float32)}
    else:
        last = [node("Gemm", "features w b", "logits")]
        weights["w"] = weight
    return network(path, [*twice, *last], PICTURES, {"logits": ("batch_size", 4)}, weights)


def texts(
    path: Path, *, length: int | str = "sequence_length", mask: bool = False, kind: int = TensorProto.INT64
) -> Path:
    """A text tower: the sum of the words' own vectors, those of the colours at the end being red, green and blue."""
    table = np.zeros((len(WORDS), 3), np.float32)
    table[-3:] = np.eye(3)
    table[0] = 0.01  # so that padding can be seen
    inputs = {"input_ids": (kind, ("batch_size", length))}
    nodes = [node("Gather", "table input_ids", "words")]
    weights: dict[str, NDArray[Any]] = {"table": table, "along": np.array([1])}
    if mask:
        inputs["attention_mask"] = (kind, ("batch_size", length))
        nodes += [
            node("Cast", "attention_mask", "real", to=TensorProto.FLOAT),
            node("Unsqueeze", "real end", "column"),
            node("Mul", "words column", "seen"),
        ]
        weights["end"] = np.array([2])
    nodes.append(node("ReduceSum", f"{'seen' if mask else 'words'} along", "text_embeds", keepdims=0))
    return network(path, nodes, inputs, {"text_embeds": ("batch_size", 3)}, weights)


def joint(path: Path) -> Path:
    """Both towers in one graph, as ``model.onnx`` of a dual encoder has them."""
    nodes = [
        *MEAN_COLOUR,
        node("Identity", "colour", "image_embeds"),
        node("Gather", "table input_ids", "words"),
        node("ReduceSum", "words along", "text_embeds", keepdims=0),
        node("Transpose", "text_embeds", "columns", perm=[1, 0]),
        node("MatMul", "image_embeds columns", "logits_per_image"),
    ]
    table = np.zeros((len(WORDS), 3), np.float32)
    table[-3:] = np.eye(3)
    inputs = {**PICTURES, "input_ids": (TensorProto.INT64, ("texts", "tokens"))}
    outputs: dict[str, Shape] = {
        "logits_per_image": ("batch_size", "texts"),
        "text_embeds": ("texts", 3),
        "image_embeds": ("batch_size", 3),
    }
    return network(path, nodes, inputs, outputs, {"table": table, "along": np.array([1])})


def tokenizer(*, ends: bool = True, begins: bool = False, pad: int | None = None) -> str:
    """Words of `WORDS` parted by spaces, in lower case; ``</s>`` behind a text and ``<s>`` before it if wanted."""
    words = tokenizers.Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.add_special_tokens(list(WORDS[:4]))
    single = f"{'<s> ' if begins else ''}$A{' </s>' if ends else ''}"
    words.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("<s>", 2), ("</s>", 1)])
    if pad is not None:
        words.enable_padding(pad_id=pad, pad_token=WORDS[pad])
    return str(words.to_str())


def write(folder: Path, files: Mapping[str, Any]) -> Path:
    """A folder of files: texts, and anything else as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder


def clip(folder: Path, more: Mapping[str, Any] | None = None, *, size: int = 8) -> Path:
    """A dual encoder like Xenova/clip-vit-base-patch32, of pictures of *size* pixels."""
    vectors(folder / "onnx" / "vision_model.onnx")
    vectors(folder / "onnx" / "vision_model_quantized.onnx", weight=2)
    texts(folder / "onnx" / "text_model.onnx", mask=True)
    files = {
        "config.json": {"model_type": "clip", "projection_dim": 3},
        "preprocessor_config.json": {**CLIP, "size": size, "crop_size": size},
        "tokenizer.json": tokenizer(begins=True),
        "tokenizer_config.json": {"model_max_length": 77, "pad_token": "</s>", "tokenizer_class": "CLIPTokenizer"},
    }
    return write(folder, {**files, **(more or {})})
