"""How a picture's bytes become the numbers that a network was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Scaling:
    """How bytes become the numbers a network was trained on: ``(x · scale − mean) / std``, channel by channel.

    Attributes:
        scale: factor for bytes, 1/255 for most models.
        mean: subtracted, one number or three in the order of *channels*.
        std: divided by, one number or three in the order of *channels*.
        channels: ``RGB``, or ``BGR`` for models from Caffe and OpenCV.
    """

    scale: float = 1 / 255
    mean: float | Sequence[float] = IMAGENET_MEAN
    std: float | Sequence[float] = IMAGENET_STD
    channels: Literal["RGB", "BGR"] = "RGB"

    def __post_init__(self) -> None:
        try:
            values = [np.broadcast_to(np.asarray(value, np.float64), 3) for value in (self.mean, self.std, self.scale)]
        except (ValueError, TypeError):
            values = []
        if not values or not np.isfinite(values).all() or (values[1] <= 0).any() or self.channels not in ("RGB", "BGR"):
            raise InputError(
                f"mean and std must be one number or three, std positive, channels RGB or BGR; not mean "
                f"{str(self.mean)[:60]}, std {str(self.std)[:60]}, scale {str(self.scale)[:60]}, channels "
                f"{str(self.channels)[:60]}."
            )

    def apply(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """``(n, height, width, 3)`` RGB, 0 … 255, to float32 in the network's order of channels."""
        factor = np.asarray(self.scale / np.asarray(self.std, np.float64), np.float32)
        shift = np.asarray(-np.asarray(self.mean, np.float64) / np.asarray(self.std, np.float64), np.float32)
        ordered = batch if self.channels == "RGB" else batch[..., ::-1]
        scaled: NDArray[np.float32] = ordered * factor + shift
        return scaled
