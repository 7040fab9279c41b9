"""A small network for small grey pictures: two convolutions and two full layers, the second of which is the vector."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from imagekin.embed.steps import Steps
from imagekin.errors import InputError

if TYPE_CHECKING:
    from imagekin.embed.torch_network import Network

torch: Any = importlib.import_module("torch")

_CHANNELS: Final = (32, 64)
_FULL: Final = 256
_GREY: Final = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in what the eye calls light (ITU-R BT.601)."""

_LARGEST: Final = 512


class Small(torch.nn.Module):  # type: ignore[misc]
    """3 × 3 convolutions with 32 and 64 channels, each halved by a maximum; a full layer of 256; one of *fc2*."""

    def __init__(self, side: int, channels: int, fc2: int) -> None:
        super().__init__()
        layers, before, left = torch.nn, channels, side
        self.grey = channels == 1
        self.register_buffer("shares", torch.tensor(_GREY).reshape(1, 3, 1, 1), persistent=False)
        for number, count in enumerate(_CHANNELS, 1):
            parts = (layers.Conv2d(before, count, 3, padding=1), layers.BatchNorm2d(count), layers.ReLU())
            self.add_module(f"conv{number}", layers.Sequential(*parts, layers.MaxPool2d(2)))
            before, left = count, left // 2
        self.fc1 = layers.Sequential(layers.Flatten(), layers.Linear(before * left * left, _FULL), layers.ReLU())
        self.fc2 = layers.Linear(_FULL, fc2)

    def forward(self, scaled: Any) -> Any:
        """Scaled pictures ``(n, 3, side, side)`` to vectors ``(n, fc2)``."""
        if self.grey:
            scaled = (scaled * self.shares).sum(1, keepdim=True)
        return self.fc2(self.fc1(self.conv2(self.conv1(scaled))))


def network(fc2: int = 128, side: int = 28, channels: int = 1) -> Network:
    """The network with random weights, by PyTorch's present seed.

    Args:
        fc2: numbers of the vector.
        side: rows and columns of its pictures, which are squashed to that.
        channels: 1 for grey, 3 for colours.

    Raises:
        InputError: a number out of range.
    """
    from imagekin.embed.torch_network import Network

    for name, value, least, most in (
        ("fc2", fc2, 1, 1 << 16),
        ("side", side, 8, _LARGEST),
        ("channels", channels, 1, 3),
    ):
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or not least <= value <= most
            or (name, value) == ("channels", 2)
        ):
            raise InputError(f"{name} of the network cnn must be a whole number from {least} to {most}, not {value!r}.")
    recipe = Steps(side, side, resample="bilinear", resize=(side, side))
    return Network(Small(side, channels, fc2), recipe, (0.5,) * 3, (0.5,) * 3, {"licence": "", "weights": "random"})
