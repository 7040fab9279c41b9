"""Small networks of timm and torchvision with weights that spread their answers, for tests that need PyTorch."""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.photographs import photograph


def need(*packages: str) -> list[Any]:
    """The packages, or a skip where one is missing unless everything has to be here."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("IMAGEKIN_ALL_ENGINES") != "1":
        pytest.skip(f"{', '.join(missing)} is not installed, and IMAGEKIN_ALL_ENGINES is not 1")
    return [importlib.import_module(name) for name in packages]


def lively(module: Any, seed: int = 3) -> Any:
    """A network whose batch norms and scales are drawn too, so that pictures are told apart by it; for evaluation."""
    torch = importlib.import_module("torch")
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not tensor.dtype.is_floating_point:
                continue
            noise = torch.rand(tensor.shape, generator=draw)
            if name.endswith("running_var"):
                tensor.copy_(0.5 + noise)
            elif tensor.ndim < 2:
                tensor.copy_(0.6 * noise + (0.7 if name.endswith("weight") or "gamma" in name else -0.3))
    return module.eval()


def saved(module: Any, path: Path) -> Path:
    """The network's tensors in a safetensors file."""
    tensors = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    importlib.import_module("safetensors.torch").save_file(tensors, str(path))
    return path


def pictures() -> list[Image.Image]:
    """Of several shapes, odd sides among them, smaller and larger than networks' inputs."""
    return [photograph(seed, *size) for seed, size in enumerate([(361, 240), (120, 90), (231, 501), (640, 427)])]


def unit(vectors: Any) -> NDArray[np.float64]:
    array = np.asarray(vectors, np.float64)
    return np.asarray(array / np.linalg.norm(array, axis=-1, keepdims=True))
