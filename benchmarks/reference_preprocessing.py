"""Writes what transformers makes of a few pictures, by which tests compare imagekin's own preprocessing.

    python -m benchmarks.reference_preprocessing

Needs transformers and torchvision (``pip install transformers torchvision``); the tests need neither.  The processors
on Pillow are taken where there are both, as those on torchvision round otherwise.  Of each prepared picture 12 x 12
pixels are kept.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DATA: Final = Path(__file__).parents[1] / "tests" / "data"
CONFIGURATIONS: Final = DATA / "preprocessors.json"
EXPECTED: Final = DATA / "preprocessed.npz"
KEPT: Final = 12
SIZES: Final = ((500, 375), (257, 331), (120, 90), (1000, 333))


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """Noise of all frequencies over a slope, the same everywhere."""
    random = np.random.default_rng(width)
    slope = np.linspace(0, 120, width)[None, :, None] + np.linspace(0, 60, height)[:, None, None]
    return (slope + random.integers(0, 76, (height, width, 3))).astype(np.uint8)


def sampled(values: NDArray[Any]) -> NDArray[np.float32]:
    """Of ``(rows, columns, 3)`` the pixels of an even grid that has the corners: ``(12, 12, 3)``."""
    rows, columns = (np.linspace(0, side - 1, KEPT).round().astype(int) for side in values.shape[:2])
    kept: NDArray[np.float32] = values[np.ix_(rows, columns)].astype(np.float32)
    return kept


def reference(name: str, config: dict[str, Any]) -> Any:
    """The class called *name* of transformers, on Pillow if it can be."""
    transformers = importlib.import_module("transformers")

    make = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    return make(**{key: value for key, value in config.items() if not key.endswith("_type")})


def main() -> None:
    """Write the file that the tests read."""
    expected: dict[str, Any] = {}
    for title, entry in json.loads(CONFIGURATIONS.read_text("utf-8")).items():
        processor = reference(entry["class"], entry["config"])
        for size in SIZES:
            answer = processor(Image.fromarray(picture(*size), "RGB"), return_tensors="np")["pixel_values"]
            expected[f"{title} {size[0]}x{size[1]}"] = sampled(np.asarray(answer[0]).transpose(1, 2, 0))
        print(title, type(processor).__name__, np.shape(answer[0]))
    np.savez_compressed(EXPECTED, **expected)


if __name__ == "__main__":
    main()
