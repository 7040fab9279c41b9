"""Backbones of timm (PyTorch Image Models) by name, with the preprocessing that belongs to their weights."""

from __future__ import annotations

import difflib
import importlib
import math
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagekin.embed import torch_weights
from imagekin.embed.asked import PRETRAINED, Asked
from imagekin.embed.base import Recipe
from imagekin.embed.exported import ExportedEmbedder
from imagekin.embed.steps import Steps
from imagekin.errors import InputError, ModelError, UnknownNameError

if TYPE_CHECKING:
    from imagekin.embed.torch_network import Network

POOLINGS: Final = ("avg", "max", "token", "mean")

_SIDES: Final = {"dinov2": 224}
"""Inputs of networks whose configuration says the size of their last steps of training (518), at six times the work."""

_SAFE: Final = ("model.safetensors", "open_clip_model.safetensors")

SEED: Final = 0
"""Of random weights."""


class TimmEmbedder(ExportedEmbedder):
    """A backbone of timm without its classifier: ``timm:resnet50.tv_in1k``.

    The vector is what timm's classifier would be given, but for networks with hidden layers before it that see places
    apart (VGG), where it is the mean of the last features, and for those trained to a space of their own with texts
    (CLIP), where it is in that space.  ``pooling`` chooses otherwise: ``avg``, ``max`` or ``token`` are timm's own,
    ``mean`` is the mean of the last features.  See `ExportedEmbedder` for the other options.
    """

    scheme = "timm"

    @staticmethod
    def _pinned(model: str) -> str:
        return pinned(model)

    @staticmethod
    def _network(asked: Asked) -> Network:
        return network(asked)


def pinned(model: str) -> str:
    """A network's name with the tag of its weights; one without gets what timm prefers today.

    Raises:
        InputError: it is no name of timm's.
        UnknownNameError: timm has no such network; the message has names like it.
    """
    if ":" in model or "/" in model:
        raise InputError(f"timm:{model} is not a name of timm's; networks from the hub are hub:owner/name.")
    if "." in model:
        return model
    timm = _library()
    if not timm.is_model(model):
        raise _unknown(timm, model)
    with warnings.catch_warnings(action="ignore"), importlib.import_module("torch").device("meta"):
        # a former name has no configuration of its own, but what it makes has
        known = timm.get_pretrained_cfg(model)
        config = timm.create_model(model).pretrained_cfg if known is None else vars(known)
    name = config.get("architecture") or model
    return f"{name}.{config['tag']}" if config.get("tag") else name


def network(asked: Asked) -> Network:
    """The network that is asked for, with its weights.

    Raises:
        UnknownNameError: timm does not have it, or not with this tag.
        InputError: an option that it does not take.
        ModelError: it cannot be made, or its weights cannot be had.
    """
    from imagekin.embed.torch_network import Features, Network

    timm, torch = _library(), importlib.import_module("torch")
    config = _config(timm, asked.model)
    pooling = asked.pooling or _pooling(asked.model)
    if pooling not in (None, *POOLINGS):
        raise InputError(f"pooling must be one of {', '.join(POOLINGS)} for {asked.name}, not {pooling!r}.")
    given: dict[str, Any] = {
        "num_classes": None if _projects(config) and asked.pooling is None else 0,
        "global_pool": None if pooling == "mean" else pooling,
    }
    if asked.weights == PRETRAINED and (file := _downloaded(asked, config)) is not None:
        given["pretrained_cfg_overlay"] = {"file": str(file), "custom_load": False}
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"):
        torch.manual_seed(SEED)
        module = _created(timm, asked, given)
    if isinstance(asked.weights, Path):
        convert = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
        torch_weights.fill(module, torch_weights.read(asked.weights, trust=asked.trust), str(asked.weights), convert)
    data = timm.data.resolve_model_data_config(module)
    size = _wanted(asked) or tuple(data["input_size"][1:])
    return Network(
        Features(module) if pooling == "mean" else module,
        steps(data, (size[0], size[1])),
        tuple(data["mean"]),
        tuple(data["std"]),
        {"licence": getattr(config, "license", None) or "", "weights": str(asked.weights)},
    )


def _created(timm: Any, asked: Asked, given: Mapping[str, Any]) -> Any:
    """The module, told of the size that is wanted if it has to know it."""
    given = {"pretrained": asked.weights == PRETRAINED, "exportable": True, **given}
    size = _wanted(asked)
    try:
        try:
            return timm.create_model(asked.model, img_size=size, **given)
        except TypeError as error:
            if size is None or "img_size" not in str(error):
                raise
            return timm.create_model(asked.model, **given)  # any size will do for it
    except Exception as error:  # whatever the network's own code, a download or a file raises
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{asked.name} cannot be made ({type(error).__name__}: {reason}).") from error


def _wanted(asked: Asked) -> tuple[int, int] | None:
    """Rows and columns, where they are not to be those of the weights' configuration."""
    side = next((side for name, side in _SIDES.items() if name in asked.model), None)
    return asked.size or ((side, side) if side else None)


def _downloaded(asked: Asked, config: Any) -> Path | None:
    """The published weights' safetensors file, or None where a pickle has to be taken and is trusted."""
    if config is None or not config.has_weights:
        raise ModelError(
            f"no weights are published for {asked.name}; give weights='FILE.safetensors', or a name with a tag, such "
            "as timm:resnet50.tv_in1k."
        )
    found = _from_hub(asked, config) if config.hf_hub_id else None
    if found is None and not asked.fetch:
        raise ModelError(torch_weights.unfetched(asked.name, pickled=True))
    if found is None and not asked.trust:
        raise ModelError(torch_weights.untrusted(f"the weights of {asked.name} are published as a pickle only"))
    return found


def steps(data: Mapping[str, Any], size: tuple[int, int]) -> Recipe:
    """The recipe of a configuration of timm's, as its own evaluation applies it, at an input of *size*.

    Args:
        data: ``crop_pct``, ``crop_mode``, ``interpolation`` and ``mean``.
        size: rows and columns of the input.
    """
    resample = str(data["interpolation"])
    if data["crop_mode"] == "border":  # of the few that are so, none cuts anything off
        red, green, blue = (round(255 * value) for value in data["mean"])
        return Recipe(*size, mode="pad", resample=resample, fill=(red, green, blue))
    scaled = [math.floor(side / data["crop_pct"]) for side in size]
    if data["crop_mode"] == "squash":
        return Steps(*size, resample=resample, resize=(scaled[0], scaled[1]))
    return Steps(*size, resample=resample, resize=max(scaled))


def _library() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    with warnings.catch_warnings(action="ignore"):
        return importlib.import_module("timm")


def _config(timm: Any, model: str) -> Any:
    """What timm knows of a network's weights, or None where it knows the network only."""
    if not timm.is_model(model):
        raise _unknown(timm, model)
    try:
        return timm.get_pretrained_cfg(model)
    except RuntimeError as error:
        known = ", ".join(sorted(name.partition(".")[2] for name in timm.models.get_arch_pretrained_cfgs(model)))
        raise UnknownNameError(f"timm has no {model}; the tags of {model.partition('.')[0]} are: {known}.") from error


def _unknown(timm: Any, model: str) -> UnknownNameError:
    near = difflib.get_close_matches(model.partition(".")[0], timm.list_models(), n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() lists them."
    return UnknownNameError(f"timm {timm.__version__} has no network called {model!r}; {hint}")


def _pooling(model: str) -> str | None:
    """What the network was trained to be pooled by, where timm's default is another."""
    if model.startswith("vgg"):
        return "mean"
    return "token" if model.startswith("vit") and "dinov3" in model else None


def _projects(config: Any) -> bool:
    """Whether what timm calls the classifier is the projection into a space with texts."""
    name, tag = getattr(config, "architecture", None) or "", getattr(config, "tag", None) or ""
    return ("clip" in name or "pe_core" in name) and "in1k" not in tag and "in12k" not in tag


def _from_hub(asked: Asked, config: Any) -> Path | None:
    """The weights' safetensors file, from the hub's cache or the hub; None if there is none."""
    hub = importlib.import_module("huggingface_hub")
    owner, _, revision = str(config.hf_hub_id).partition("@")
    own = (Path(config.hf_hub_filename).with_suffix(".safetensors").name,) if config.hf_hub_filename else ()
    for file in (*own, *_SAFE):
        try:
            return Path(hub.hf_hub_download(owner, file, revision=revision or None, local_files_only=not asked.fetch))
        except hub.errors.LocalEntryNotFoundError as error:
            if not asked.fetch:
                continue
            raise ModelError(_unreached(asked.name, owner, error)) from error
        except hub.errors.EntryNotFoundError:
            continue
        except Exception as error:  # of whichever library makes the connection
            raise ModelError(_unreached(asked.name, owner, error)) from error
    if not asked.fetch:
        raise ModelError(torch_weights.unfetched(asked.name))
    return None


def _unreached(name: str, owner: str, error: Exception) -> str:
    reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
    return (
        f"the weights of {name} cannot be had from the hub ({reason}); where there is no network, copy "
        f"model.safetensors of {owner} here and give weights='model.safetensors'."
    )
