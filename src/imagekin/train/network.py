"""A network that is to be trained: made by its name, its stages in order, exported when it is done."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from imagekin import embed
from imagekin.embed import torch_network
from imagekin.embed.asked import PRETRAINED, RANDOM, Asked, of_options, of_weights
from imagekin.embed.base import Recipe
from imagekin.embed.onnx_about import ABOUT
from imagekin.errors import InputError, ModelError
from imagekin.replacement import failures, replace
from imagekin.train import lite, projection
from imagekin.train.runs import Run, is_run

torch: Any = importlib.import_module("torch")

Stages = list[tuple[str, list[Any]]]

SMALL: Final = "cnn"

_LIBRARIES: Final = ("timm", "torchvision")

_MOST: Final = 0.8
"""Share of a network's numbers in one part of it, from which on that part's own parts are its stages."""


@dataclass
class Network:
    """A network with its preprocessing.

    Attributes:
        spec: what it was made from.
        module: bytes ``(n, rows, columns, 3)`` to vectors ``(n, dim)``, not of length 1, with gradients; the network
            proper is ``module.network``.
        recipe: how a picture becomes such bytes.
        dim: numbers of a vector.
        stages: from input to output, each with its name and parameters; every parameter is in one.
        pretrained: whether its weights come from a training.
        notes: what else is to be known of it.
    """

    spec: str
    module: Any
    recipe: Recipe
    dim: int
    stages: Stages
    pretrained: bool
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the input."""
        return self.recipe.height, self.recipe.width

    def unfreeze(self, last: int | None) -> tuple[str, ...]:
        """Let the *last* stages learn and no others, None for all; gives their names.

        Raises:
            InputError: there are not so many.
        """
        if last is not None and last > len(self.stages):
            names = ", ".join(name for name, _ in self.stages)
            raise InputError(f"{self.spec} has {len(self.stages)} stages to unfreeze ({names}), and not {last}.")
        first = 0 if last is None else len(self.stages) - last
        for number, (_, parameters) in enumerate(self.stages):
            for parameter in parameters:
                parameter.requires_grad_(number >= first)
        return tuple(name for name, _ in self.stages[first:])

    def state(self) -> dict[str, Any]:
        """Its tensors by name, on the processor."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.module.network.state_dict().items()}

    def export(self, path: Path) -> float:
        """Write it as an ONNX file that `imagekin --model` takes, with its preprocessing inside.

        Returns:
            The largest difference between numbers of its vectors, which have length 1, and PyTorch's.

        Raises:
            ModelError: it cannot be exported, or the file answers otherwise than PyTorch (by more than 1e-3).
            InputError: the file cannot be written.
        """
        import onnx

        module = self.module.cpu().float()
        module.eval()
        learning = [each for each in module.parameters() if each.requires_grad]
        for parameter in learning:
            parameter.requires_grad_(False)
        try:
            data, deviation, dim = torch_network.export(module, self.size)
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)
        about = {
            "spec": self.spec,
            "dim": dim,
            "recipe": asdict(self.recipe),
            "notes": {**self.notes, "deviation": deviation},
        }
        made = onnx.load_model_from_string(data)
        onnx.helper.set_model_props(made, {ABOUT: json.dumps(about)})
        with failures(path):
            replace(path, made.SerializeToString())
        return deviation


def network(spec: str, *, seed: int = 0, trust: bool = False) -> Network:
    """The network that *spec* names, ready to be trained.

    Args:
        spec: ``efficientnet-lite0`` (or 1, 2) with ``size`` if wanted; ``timm:NAME`` or ``torchvision:NAME`` with
            ``weights``, ``size``, ``pooling`` and ``trust`` in brackets as those models have them; all of these with
            ``dims`` for a layer of so many numbers behind the last map (see ``projection``); ``cnn(fc2=128, side=28,
            channels=1)``; or the folder of an earlier run, whose weights it goes on from.
        seed: of random weights.
        trust: weights that are published as a pickle only may be read (by ``weights_only``).

    Raises:
        UnknownNameError: there is no such network.
        InputError: an option that it does not take, or a model that is no network of PyTorch.
        MissingPackageError: a package is not installed.
        ModelError: its weights cannot be had.
    """
    name, options = embed.parse(spec)
    dims = options.pop("dims", None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name != SMALL and name not in lite.BY_NAME and is_run(name):
            if taken := list(options if dims is None else {**options, "dims": dims}):
                raise InputError(f"{name} is a training that has its own layers already; leave out {', '.join(taken)}.")
            return _again(Run.open(name))
        if trust and name.partition(":")[0] in _LIBRARIES:
            options["trust"] = True
        source, pretrained = _made(name, options, filled=True)
        source = source if dims is None else projection.projected(source, dims, name)
    return of(source, spec, pretrained=pretrained)


def of(source: torch_network.Network, spec: str, *, pretrained: bool) -> Network:
    """A network of PyTorch with its preprocessing, ready to be trained."""
    whole = torch_network.whole(source)
    empty = np.zeros((1, source.recipe.height, source.recipe.width, 3), source.recipe.dtype)
    dim = torch_network.answer(whole, empty).shape[1]
    return Network(spec, whole, source.recipe, dim, stages(source.module), pretrained, dict(source.notes))


def _made(name: str, options: Mapping[str, Any], *, filled: bool) -> tuple[torch_network.Network, bool]:
    """The network by its name, and whether its weights come from a training."""
    scheme, _, rest = name.partition(":")
    if name == SMALL:
        from imagekin.train import small

        _check(name, options, ("fc2", "side", "channels"))
        return small.network(**options), False
    if name in lite.BY_NAME:
        _check(name, options, ("size",))
        size, _ = of_options(name, options)
        return lite.network(name, filled=filled, size=size), filled
    if scheme not in _LIBRARIES or not rest:
        raise InputError(
            f"{name!r} cannot be trained; what can is: {', '.join(lite.BY_NAME)}, timm:NAME, torchvision:NAME, "
            f"{SMALL}, and the folder of an earlier run."
        )
    return _of_library(scheme, rest, options, filled=filled)


def _of_library(
    scheme: str, rest: str, options: Mapping[str, Any], *, filled: bool
) -> tuple[torch_network.Network, bool]:
    given = dict(options)
    weights = given.pop("weights", PRETRAINED) if filled else RANDOM
    given.pop("weights", None)
    source, _ = of_weights(weights)
    size, pooling = of_options(f"{scheme}:{rest}", given)
    library: Any = importlib.import_module(f"imagekin.embed.{scheme}_model")
    embed.EMBEDDERS.load(scheme)  # which says what is missing
    embedder = {"timm": "TimmEmbedder", "torchvision": "TorchvisionEmbedder"}[scheme]
    pinned = getattr(library, embedder)._pinned(rest)
    asked = Asked(f"{scheme}:{pinned}", pinned, source, size, pooling, trust=given.get("trust", False))
    return library.network(asked), source != RANDOM


def _again(run: Run) -> Network:
    """A network with the weights of an earlier run."""
    from imagekin.embed import torch_weights

    name, options = embed.parse(run.facts["model"])
    dims = options.pop("dims", None)
    source, _ = _made(name, options, filled=False)
    source = source if dims is None else projection.projected(source, dims, name)
    torch_weights.fill(source.module, torch_weights.read(run.weights, trust=False), str(run.folder))
    if (layer := projection.of(source.module)) is not None:
        layer.learned = True
    return of(source, run.facts["model"], pretrained=True)


def _check(name: str, options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for option in options:
        if option not in known:
            raise InputError(f"the network {name} has no option {option!r}; it takes: {', '.join(known) or 'none'}.")


def stages(module: Any) -> Stages:
    """A network's parameters from input to output, as timm groups them or else by the network's own parts."""
    if isinstance(module, projection.Projected):
        layer = [("projection", list(module.layer.parameters()))]
        return [*stages(module.trunk.network), *layer]
    inner = module.module if isinstance(module, torch_network.Features) else module
    prefix = "module." if inner is not module else ""
    named = dict(module.named_parameters())
    if hasattr(inner, "group_matcher"):
        groups = _by_timm(inner)
    else:
        groups = [[name.removeprefix(prefix) for name in names] for names in _by_parts(inner, "")]
    found = [(_title(names), [named[prefix + name] for name in names]) for names in groups if names]
    if sum(len(parameters) for _, parameters in found) != len(named):
        raise ModelError(f"the stages of {type(inner).__name__} cannot be told apart; train another network.")
    return found


def _by_timm(module: Any) -> list[list[str]]:
    """The names of parameters, stage by stage."""
    group = importlib.import_module("timm.models").group_parameters
    found = group(module, module.group_matcher(coarse=True))
    return [found[number] for number in sorted(found)]


def _by_parts(module: Any, start: str) -> list[list[str]]:
    """The same by parts: one that holds most of the network is looked into; norms belong to what is before them."""
    total = sum(parameter.numel() for parameter in module.parameters())
    groups: list[list[str]] = [[start + name for name, _ in module.named_parameters(recurse=False)]]
    for name, child in module.named_children():
        parameters = [(f"{start}{name}.{each}", tensor) for each, tensor in child.named_parameters()]
        size, names = sum(tensor.numel() for _, tensor in parameters), [each for each, _ in parameters]
        if size > _MOST * total and any(True for _ in child.children()):
            groups.extend(_by_parts(child, f"{start}{name}."))
        elif groups[-1] and all(tensor.ndim < 2 for _, tensor in parameters):
            groups[-1].extend(names)
        else:
            groups.append(names)
    return groups


def _title(names: list[str]) -> str:
    """What the parameters' names have in common, or the first one's beginning."""
    parts = [name.split(".")[:-1] or [name] for name in names]
    common = []
    for each in zip(*parts, strict=False):
        if len(set(each)) > 1:
            break
        common.append(each[0])
    return ".".join(common or parts[0][:2]) or re.sub(r"\W", "", names[0])
