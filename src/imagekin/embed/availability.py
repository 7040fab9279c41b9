"""What stands between a model and its use here: a package, a download, or nothing.  Loads and fetches nothing."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagekin.embed import EMBEDDERS, SCHEMES, parse
from imagekin.embed.cache import cache_folder
from imagekin.errors import UnknownNameError

READY: Final = "ready"
FETCH: Final = "to be downloaded"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a model could be used now.

    Attributes:
        installed: whether every package it needs is there.
        cached: whether its weights are; None where it has none, or brings them itself.
        missing: what to do first, or "".
    """

    installed: bool
    cached: bool | None
    missing: str = ""

    def __str__(self) -> str:
        """In words, for a table."""
        return self.missing or (FETCH if self.cached is False else READY)


def of(spec: str) -> Availability:
    """Whether the model that *spec* names could be used now, by what lies in the caches of the libraries that fetch."""
    name = parse(spec)[0]
    scheme, _, rest = name.partition(":")
    row = scheme if scheme in SCHEMES else name
    try:
        entry = EMBEDDERS[row]
    except UnknownNameError:
        return Availability(False, None, "not in this version")
    local = scheme == "hub" and os.path.isdir(os.path.expanduser(rest))
    missing = scheme == "hub" and not local and importlib.util.find_spec("huggingface_hub") is None
    if missing or not entry.installed():
        return Availability(False, _cached(scheme, rest), f'pip install "imagekin[{entry.extra}]"')
    return Availability(True, _cached(scheme, rest))


def _cached(scheme: str, rest: str) -> bool | None:
    if scheme == "hub" and os.path.isdir(os.path.expanduser(rest)):
        return None
    if scheme == "hub":
        return _in_hub(rest.partition("@")[0])
    if scheme == "timm":
        return _in_hub(f"timm/{rest}") or _derived(f"timm-{rest}")
    if scheme == "torchvision":
        return _in_torch(rest) or _derived(f"torchvision-{rest}")
    return None


def _in_hub(repository: str) -> bool:
    """Whether a snapshot of a repository lies in the cache of ``huggingface_hub``, which several programs share."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    folder = Path(os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")).expanduser()
    return _any(folder / f"models--{repository.replace('/', '--')}" / "snapshots", "")


def _in_torch(name: str) -> bool:
    """Whether torch keeps weights of this name."""
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "torch")
    return _any(Path(home).expanduser() / "hub" / "checkpoints", f"{name}-")


def _derived(name: str) -> bool:
    """Whether a network that was made from this model is kept; it needs no download any more."""
    return _any(cache_folder() / "models", name)


def _any(folder: Path, start: str) -> bool:
    try:
        return any(entry.startswith(start) for entry in os.listdir(folder))
    except OSError:
        return False
