"""Networks of torchvision by name, with the preprocessing that belongs to their weights."""

from __future__ import annotations

import difflib
import importlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagekin.embed import torch_weights
from imagekin.embed.asked import PRETRAINED, Asked
from imagekin.embed.exported import ExportedEmbedder
from imagekin.embed.steps import Steps
from imagekin.errors import InputError, ModelError, UnknownNameError

if TYPE_CHECKING:
    from imagekin.embed.torch_network import Network

_HEADS: Final = ("fc", "classifier", "heads", "head")
"""What torchvision calls its classifiers."""

_CONVOLUTIONS: Final = ("vgg", "alexnet", "squeezenet")
"""Networks whose classifier sees places apart: their vector is the mean of the last convolution's features."""

_TRANSFORMS: Final = ("googlenet", "inception_v3")
"""Networks that take their pictures scaled in another way, and change the scale themselves if told so."""

SEED: Final = 0


class TorchvisionEmbedder(ExportedEmbedder):
    """A network of torchvision without its classifier: ``torchvision:googlenet``.

    The name may say which weights: ``resnet50.IMAGENET1K_V2``.  They are published as pickles, so that they need
    ``trust``.  The vector is what the last layer would be given, or the mean of the last convolution's features for
    VGG, AlexNet and SqueezeNet.  See `ExportedEmbedder` for the other options.
    """

    scheme = "torchvision"

    @staticmethod
    def _pinned(model: str) -> str:
        return model if "." in model else f"{model}.{_published(model).DEFAULT.name}"

    @staticmethod
    def _network(asked: Asked) -> Network:
        return network(asked)


def network(asked: Asked) -> Network:
    """The network that is asked for, with its weights.

    Raises:
        UnknownNameError: torchvision does not have it, or not with these weights.
        InputError: an option that it does not take.
        ModelError: its weights cannot be had, or are another network's.
    """
    from imagekin.embed.torch_network import Network

    if asked.pooling is not None:
        raise InputError(f"{asked.name} has no choice of pooling; leave pooling={asked.pooling!r} out.")
    name, _, tag = asked.model.partition(".")
    published = _published(name)
    if tag not in published.__members__:
        known = ", ".join(published.__members__)
        raise UnknownNameError(f"torchvision has no weights {tag!r} for {name}; it has: {known}.")
    chosen = published[tag]
    module = _made(name)
    if isinstance(asked.weights, Path):
        _fill(module, name, torch_weights.read(asked.weights, trust=asked.trust), str(asked.weights))
    elif asked.weights == PRETRAINED:
        _fill(module, name, _downloaded(asked, chosen), asked.name)
    preset = chosen.transforms()
    size = asked.size or (preset.crop_size[0], preset.crop_size[0])
    resize = round(preset.resize_size[0] * max(size) / preset.crop_size[0])
    recipe = Steps(size[0], size[1], resample=preset.interpolation.value, resize=resize)
    notes = {"licence": "BSD-3-Clause", "weights": str(asked.weights), "top1": _top1(chosen)}
    return Network(_headless(name, module), recipe, tuple(preset.mean), tuple(preset.std), notes)


def _published(model: str) -> Any:
    """The published weights of a network that classifies pictures, by their tags."""
    models = _library()
    name, known = model.partition(".")[0], models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"it has: {', '.join(known)}."
        raise UnknownNameError(f"torchvision has no network called {name!r}; {hint}")
    return models.get_model_weights(name)


def _made(name: str) -> Any:
    """The whole network with random weights, which are always the same."""
    torch = importlib.import_module("torch")
    given = {"aux_logits": False, "init_weights": False, "transform_input": True} if name in _TRANSFORMS else {}
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"):
        torch.manual_seed(SEED)
        return _library().get_model(name, weights=None, **given)


def _fill(module: Any, name: str, tensors: Mapping[str, Any], source: str) -> None:
    """Weights into a network; a file without the classifier will do, which is taken off anyway."""
    heads = () if name.startswith(_CONVOLUTIONS) else tuple(f"{head}." for head in _HEADS)
    own = {key: value for key, value in module.state_dict().items() if key.startswith(heads)} if heads else {}
    torch_weights.fill(module, {**own, **tensors}, source)


def _downloaded(asked: Asked, chosen: Any) -> Any:
    if not asked.fetch:
        raise ModelError(torch_weights.unfetched(asked.name, pickled=True))
    if not asked.trust:
        raise ModelError(torch_weights.untrusted(f"the weights of {asked.name} are published as a pickle only"))
    try:
        return chosen.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # of whatever makes the connection, or reads the file
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"the weights of {asked.name} cannot be had ({reason}); where there is no network, copy {chosen.url} here "
            "and give weights='FILE'."
        ) from error


def _library() -> Any:
    with warnings.catch_warnings(action="ignore"):
        return importlib.import_module("torchvision.models")


def _headless(name: str, module: Any) -> Any:
    """The network up to what its last layer would be given."""
    torch = importlib.import_module("torch")
    if name.startswith(_CONVOLUTIONS):
        return module.features
    head = next(each for each in _HEADS if hasattr(module, each))
    layers = [path for path, layer in getattr(module, head).named_modules() if isinstance(layer, torch.nn.Linear)]
    path = f"{head}.{layers[-1]}".rstrip(".") if layers else head
    module.set_submodule(path, torch.nn.Identity())
    return module


def _top1(chosen: Any) -> float | None:
    try:
        return float(chosen.meta["_metrics"]["ImageNet-1K"]["acc@1"])
    except (KeyError, TypeError, ValueError):
        return None
