"""Weights of a network from a file that the user has: safetensors, or with the user's word for it a torch pickle."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from imagekin.errors import ModelError

_CHUNK: Final = 1 << 22

_WRAPPERS: Final = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Names under which training programs file the weights away, beside their own notes."""


def absolute(path: str | Path) -> Path:
    """The file's path from any folder.

    Raises:
        ModelError: it is not there.
    """
    found = Path(path).expanduser().absolute()
    if not found.is_file():
        raise ModelError(f"the weights {found} are not there; give weights='pretrained', or a .safetensors file.")
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; raises ModelError where it cannot be read."""
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_CHUNK):
                total.update(block)
    except OSError as error:
        raise ModelError(f"the weights {path} cannot be read ({error.strerror or error}).") from error
    return total.hexdigest()


def untrusted(what: str) -> str:
    """What is said of a pickle that nobody has vouched for."""
    return (
        f"{what}, which may hold more than weights; take a .safetensors file (weights='FILE.safetensors'), or say that "
        "you trust it: --trust (trust=True)."
    )


def unfetched(name: str, *, pickled: bool = False) -> str:
    """What is said where only a collection's file asks for a model whose weights are not here."""
    return (
        f"the weights of {name} are not here, and nothing is fetched because a collection names it; name the model "
        f"yourself: --model {name}{' --trust' if pickled else ''}."
    )


def read(path: Path, *, trust: bool) -> dict[str, Any]:
    """The tensors in a file by name.

    Args:
        path: ends in ``.safetensors``, or is a file of ``torch.save``.
        trust: read a pickle too, which PyTorch then lets build tensors and nothing else (``weights_only``).

    Raises:
        ModelError: it is a pickle and not trusted, damaged, or no weights.
    """
    try:
        if path.suffix == ".safetensors":
            tensors: Any = importlib.import_module("safetensors.torch").load_file(str(path))
        elif trust:
            tensors = importlib.import_module("torch").load(path, map_location="cpu", weights_only=True)
        else:
            raise ModelError(untrusted(f"the weights {path} are a pickle"))
    except ModelError:
        raise
    except Exception as error:  # both readers raise classes of their own
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"the weights {path} cannot be read ({reason}).") from error
    return _unwrapped(path, tensors)


def _unwrapped(path: Path, found: Any) -> dict[str, Any]:
    for name in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    if not isinstance(found, Mapping) or not found or not all(hasattr(value, "shape") for value in found.values()):
        raise ModelError(f"{path} holds no weights by name; give a file that holds a network's state dict.")
    return {str(name).removeprefix("module.").removeprefix("_orig_mod."): value for name, value in found.items()}


def fill(module: Any, tensors: Mapping[str, Any], source: str, convert: Callable[..., Any] | None = None) -> None:
    """Put tensors into a network, all of whose own must be among them; what it has no place for is left out.

    Args:
        module: the network.
        tensors: by name.
        source: what they come from, for messages.
        convert: makes the network's own names and shapes of those of whoever trained it.

    Raises:
        ModelError: some are missing, or have another shape: these are the weights of another network.
    """
    try:
        given = dict(convert(dict(tensors), module)) if convert is not None else dict(tensors)
        wanted = {name for name in module.state_dict() if not name.endswith("num_batches_tracked")}
        missing = sorted(wanted - given.keys())
        if not missing:
            module.load_state_dict(given, strict=False)
            return
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{source} holds the weights of another network ({reason}).") from error
    raise ModelError(
        f"{source} holds the weights of another network: {len(missing)} of {len(wanted)} tensors are not in it, such "
        f"as {missing[0]!r}."
    )
