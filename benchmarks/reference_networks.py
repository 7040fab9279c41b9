"""Compares embeddings of hub models with transformers' own, for networks of the published kinds with random weights.

    python -m benchmarks.reference_networks

Needs torch, torchvision, transformers and the extra ``hub``.  Each network is small, is exported to ONNX as published
ones are, laid into a folder of the same layout and opened by ``hub:``; its 8-bit variant is made too.  What is compared
is everything together: preparation, which answer is taken, pooling, the layers that are cut off, tokens and padding.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.reference_preprocessing import CONFIGURATIONS, SIZES, picture, reference
from imagekin.embed import create

PUBLISHED: Final = json.loads(CONFIGURATIONS.read_text("utf-8"))
WORDS: Final = ("<pad>", "</s>", "<s>", "<unk>", "a", "dog", "cat", "red", "green", "blue")
TEXTS: Final = ("a dog", "Red green blue cat")
PICTURES: Final = [Image.fromarray(picture(*size), "RGB") for size in SIZES[:2]]

_VIT: Final = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_MAPS: Final = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_labels": 7}
_CLASSES: Final = {**_VIT, "image_size": 224, "patch_size": 32, "num_labels": 7}

NETWORKS: Final[Mapping[str, tuple[str, Mapping[str, Any], Sequence[str], str, str]]] = {
    # class of the network, its configuration, outputs, published preprocessing, what is the vector
    "vit": ("ViTForImageClassification", _CLASSES, ["logits"], "Xenova/vit-base-patch16-224", "vit first"),
    "deit": ("DeiTForImageClassification", _CLASSES, ["logits"], "facebook/deit-tiny-patch16-224", "deit first"),
    "beit": ("BeitForImageClassification", _CLASSES, ["logits"], "microsoft/beit-base-patch16-224-pt22k", "beit"),
    "dinov2": (
        "Dinov2Model", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 224},
        ["last_hidden_state"], "onnx-community/dinov2-small", "",
    ),
    "dinov3_vit": (
        "DINOv3ViTModel", {**_VIT, "image_size": 224, "patch_size": 16, "num_register_tokens": 4},
        ["last_hidden_state", "pooler_output"], "onnx-community/dinov3-vits16-pretrain-lvd1689m-ONNX", "",
    ),
    "clip": (
        "CLIPVisionModelWithProjection", {**_VIT, "image_size": 224, "patch_size": 32, "projection_dim": 16},
        ["image_embeds"], "Xenova/clip-vit-base-patch32", "image_embeds",
    ),
    "siglip": (
        "SiglipVisionModel", {**_VIT, "image_size": 224, "patch_size": 32}, ["last_hidden_state", "pooler_output"],
        "Xenova/siglip-base-patch16-224", "",
    ),
    "resnet": (
        "ResNetForImageClassification", {**_MAPS, "embedding_size": 8}, ["logits"], "Xenova/resnet-50", "resnet",
    ),
    "convnext": ("ConvNextForImageClassification", _MAPS, ["logits"], "Xenova/resnet-50", "convnext"),
    "swin": (
        "SwinForImageClassification", {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "num_labels": 7},
        ["logits"], "Xenova/vit-base-patch16-224", "swin",
    ),
}  # fmt: skip


def unit(values: Any) -> NDArray[np.float32]:
    array = np.asarray(values, np.float32).reshape(len(values), -1)
    lengths: NDArray[np.float32] = np.linalg.norm(array, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = array / lengths
    return scaled


def export(network: Any, inputs: Mapping[str, Any], outputs: Sequence[str], path: Path) -> None:
    """As published networks are exported: named inputs and outputs, any number of rows and tokens."""
    torch = importlib.import_module("torch")

    class Named(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *given: Any) -> Any:
            answer = self.network(**dict(zip(inputs, given, strict=True)))
            return tuple(answer[name] for name in outputs)

    path.parent.mkdir(parents=True, exist_ok=True)
    axes: dict[str, dict[int, str]] = {name: {0: "batch_size"} for name in outputs}
    axes |= {name: {0: "batch_size", **({1: "tokens"} if name.endswith("ids") else {})} for name in inputs}
    torch.onnx.export(
        Named().eval(), tuple(inputs.values()), str(path), input_names=list(inputs), output_names=list(outputs),
        dynamic_axes=axes, dynamo=False, opset_version=17,
    )  # fmt: skip


def made(name: str) -> Any:
    """A network with random weights, the same each time."""
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    torch.manual_seed(0)
    make = getattr(transformers, NETWORKS[name][0])
    return make(make.config_class(**NETWORKS[name][1])).eval()


def pictures(name: str, folder: Path) -> tuple[float, float]:
    """The largest difference of any number of a vector at fp32, and the smallest cosine of the 8-bit variant."""
    torch = importlib.import_module("torch")
    quantization = importlib.import_module("onnxruntime.quantization")
    _, _, outputs, published, inner = NETWORKS[name]
    network, entry = made(name), PUBLISHED[published]
    processor = reference(entry["class"], entry["config"])
    prepared = [np.asarray(processor(each, return_tensors="np")["pixel_values"]) for each in PICTURES]
    given = torch.from_numpy(np.concatenate(prepared).astype(np.float32))
    path = folder / "onnx" / ("vision_model.onnx" if name in ("clip", "siglip") else "model.onnx")
    export(network, {"pixel_values": given}, outputs, path)
    quantization.quantize_dynamic(path, path.with_name(f"{path.stem}_quantized.onnx"))
    (folder / "config.json").write_text(
        json.dumps({"model_type": name, "num_register_tokens": 4 * (name == "dinov3_vit")})
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(entry["config"]))
    part, _, first = inner.partition(" ")
    with torch.no_grad():
        answer = (getattr(network, part) if hasattr(network, part) else network)(given)
    expected = unit(answer.last_hidden_state[:, 0] if first else answer[part if part in answer else "pooler_output"])
    exact, small = (create(str(folder), precision=each).embed(PICTURES) for each in ("fp32", "int8"))
    return float(np.abs(exact - expected).max()), float((small * expected).sum(axis=1).min())


def texts(name: str, folder: Path) -> float:
    """The largest difference of any number of a text's vector."""
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    torch.manual_seed(0)
    config = {**_VIT, "vocab_size": len(WORDS), "pad_token_id": 1, "eos_token_id": 1, "bos_token_id": 2}
    length = 64 if name == "siglip" else 77
    if name == "clip":
        network = transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**config, projection_dim=16))
    else:
        network = transformers.SiglipTextModel(transformers.SiglipTextConfig(**config, max_position_embeddings=length))
    output = "text_embeds" if name == "clip" else "pooler_output"
    network.eval()
    rows = [
        [*([2] if name == "clip" else []), *(WORDS.index(word) for word in text.lower().split()), 1] for text in TEXTS
    ]
    rows = [row + [1] * (length - len(row)) for row in rows] if name == "siglip" else rows
    with torch.no_grad():
        expected = unit(np.concatenate([network(input_ids=torch.tensor([row]))[output].numpy() for row in rows]))
    export(network, {"input_ids": torch.tensor([rows[0]])}, [output], folder / "onnx" / "text_model.onnx")
    (folder / "tokenizer.json").write_text(tokenizer(begins=name == "clip"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "</s>", "eos_token": "</s>"}))
    return float(np.abs(create(str(folder)).embed_text(TEXTS) - expected).max())


def tokenizer(*, begins: bool) -> str:
    """Words parted by spaces, with the tokens that a text begins and ends with."""
    made = importlib.import_module("tokenizers")
    words = made.Tokenizer(made.models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.normalizer, words.pre_tokenizer = made.normalizers.Lowercase(), made.pre_tokenizers.Whitespace()
    single = "<s> $A </s>" if begins else "$A </s>"
    words.post_processor = made.processors.TemplateProcessing(single=single, special_tokens=[("<s>", 2), ("</s>", 1)])
    return str(words.to_str())


def main(names: Sequence[str]) -> int:
    """Print a line a network; 1 where one differs."""
    worst = 0.0
    for name in names or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            gap, cosine = pictures(name, Path(folder))
            line = f"{name:12} pictures differ by {gap:.1e}, int8 has cosine {cosine:.4f}"
            if name in ("clip", "siglip"):
                words = texts(name, Path(folder))
                gap, line = max(gap, words), f"{line}, texts differ by {words:.1e}"
        print(line, flush=True)
        worst = max(worst, gap)
    return int(worst > 1e-3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
