"""EfficientNet-Lite as data: its block table, and its convolutions with the batch norms folded in.

Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019), in the Lite
variant of TensorFlow's TPU models: no squeeze-and-excitation, ReLU6 for swish, stem and head not scaled, nor the number
of the first and the last blocks.  The published weights were trained by TensorFlow, hence batch norm with epsilon 1e-3,
``SAME`` padding, which puts the odd row and column at the end, and inputs scaled as x / 127.5 − 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import ModelError

DIM: Final = 1280
EPSILON: Final = 1e-3
MIDDLE: Final = 127.5
STEM: Final = 32

BLOCKS: Final = (
    # expansion, channels, repeats, stride of the first, kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How a network is larger than the smallest of its kind.

    Attributes:
        name: of the network.
        side: rows and columns of its input.
        width: factor for the blocks' channels, which are rounded to multiples of 8.
        depth: factor for their repeats, rounded up.
    """

    name: str
    side: int
    width: float = 1.0
    depth: float = 1.0

    def channels(self, count: int) -> int:
        """So many channels, scaled; never by more than a tenth below."""
        wanted = count * self.width
        rounded = max(8, int(wanted + 4) // 8 * 8)
        return rounded if rounded >= 0.9 * wanted else rounded + 8

    def blocks(self) -> list[tuple[int, int, int, int, int]]:
        """`BLOCKS`, scaled."""
        last = len(BLOCKS) - 1
        return [
            (
                expansion,
                self.channels(out),
                repeats if at in (0, last) else math.ceil(repeats * self.depth),
                stride,
                kernel,
            )
            for at, (expansion, out, repeats, stride, kernel) in enumerate(BLOCKS)
        ]


LITE: Final = (
    Scale("efficientnet-lite0", 224),
    Scale("efficientnet-lite1", 240, 1.0, 1.1),
    Scale("efficientnet-lite2", 260, 1.1, 1.2),
)

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution with what follows it.

    Attributes:
        name: of its output.
        source: name of its input.
        weight: ``(out, in / groups, k, k)`` float32, batch norm folded in.
        bias: ``(out,)`` float32.
        stride: of both axes.
        groups: 1, or the number of channels for a depthwise convolution.
        pads: rows and columns of padding: top, left, bottom, right.
        relu6: whether the output is clipped to 0 … 6.
        residual: name of an earlier output that is added to the result, or "".
    """

    name: str
    source: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    stride: int
    groups: int
    pads: tuple[int, int, int, int]
    relu6: bool
    residual: str = ""


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """TensorFlow's ``SAME``: the output has ⌈side / stride⌉ rows, and an odd row of padding goes to the end."""
    total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    before = total // 2
    return before, before, total - before, total - before


def fold(weight: NDArray[Any], norm: Tensors) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A convolution's weight and the batch norm behind it as one weight and bias."""
    scale = norm["weight"].astype(np.float64) / np.sqrt(norm["running_var"].astype(np.float64) + EPSILON)
    bias = norm["bias"] - norm["running_mean"] * scale
    return (weight * scale[:, None, None, None]).astype(np.float32), bias.astype(np.float32)


def convolutions(state: Tensors, scale: Scale = LITE[0]) -> list[Conv]:
    """The network's convolutions in the order they run, from the published state dict.

    The stem's weight is divided by 127.5, so that its input is x − 127.5.

    Raises:
        ModelError: a tensor is absent or has another shape.
    """
    reader = _Reader(state, scale)
    reader.add("_conv_stem", "_bn0", 3, stride=2, shape=(STEM, 3, 3, 3))
    number, channels = 0, STEM
    for expansion, out, repeats, stride, kernel in scale.blocks():
        for repeat in range(repeats):
            widths = channels, expansion * channels, out
            reader.block(number, widths, kernel=kernel, stride=stride if repeat == 0 else 1)
            number, channels = number + 1, out
    reader.add("_conv_head", "_bn1", 1, shape=(DIM, channels, 1, 1))
    first = reader.layers[0]
    reader.layers[0] = Conv(
        first.name, "centred", first.weight / np.float32(MIDDLE), first.bias, first.stride, 1, first.pads, relu6=True
    )
    return reader.layers


class _Reader:
    """Walks the network, keeping the name and size of the output so far."""

    def __init__(self, state: Tensors, scale: Scale) -> None:
        self.state = state
        self.network = scale.name
        self.layers: list[Conv] = []
        self.side = scale.side

    def block(self, number: int, channels: tuple[int, int, int], *, kernel: int, stride: int) -> None:
        """An inverted residual: expand (unless the factor is 1), depthwise, project; add the input if it fits."""
        narrow, wide, out = channels
        at, entry = f"_blocks.{number}.", self.layers[-1].name
        if wide != narrow:
            self.add(f"{at}_expand_conv", f"{at}_bn0", 1, shape=(wide, narrow, 1, 1))
        self.add(
            f"{at}_depthwise_conv", f"{at}_bn1", kernel, stride=stride, shape=(wide, 1, kernel, kernel), groups=wide
        )
        residual = entry if stride == 1 and narrow == out else ""
        self.add(f"{at}_project_conv", f"{at}_bn2", 1, shape=(out, wide, 1, 1), relu6=False, residual=residual)

    def add(
        self,
        conv: str,
        norm: str,
        kernel: int,
        *,
        shape: tuple[int, ...],
        stride: int = 1,
        groups: int = 1,
        relu6: bool = True,
        residual: str = "",
    ) -> None:
        names = ("weight", "bias", "running_mean", "running_var")
        norms = {name: self._tensor(f"{norm}.{name}", shape[:1]) for name in names}
        weight, bias = fold(self._tensor(f"{conv}.weight", shape), norms)
        source = self.layers[-1].name if self.layers else ""
        pads = same_padding(self.side, kernel, stride)
        name = conv.removeprefix("_").removesuffix("_conv").replace("blocks.", "block").replace("._", ".")
        self.layers.append(Conv(name, source, weight, bias, stride, groups, pads, relu6, residual))
        self.side = math.ceil(self.side / stride)

    def _tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        tensor = self.state.get(name)
        if tensor is None or tensor.shape != shape:
            found = "absent" if tensor is None else f"of shape {tensor.shape}"
            raise ModelError(f"the weights are not those of {self.network}: {name} is {found}, and should be {shape}.")
        return tensor
