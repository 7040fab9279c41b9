"""The features of each place of a picture, from an ONNX network that averages them.

They come from sessions of their own, opened when somebody asks for the first time, so that those that embed are as
quick and small as without.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from imagekin.embed.onnx_places import Mean, take_apart
from imagekin.embed.runtime import open_session, run_in_steps
from imagekin.errors import UnsupportedError

MOST: Final = 4_096
"""Places of one picture that are told apart at the most."""

_NUMBERS: Final = 1 << 25
"""Numbers that the features of one picture are at the most, all places together."""

_AT_ONCE: Final = 256


class Places:
    """A network taken apart at its mean over places.

    Args:
        model: is changed (see ``take_apart``).
        output: name of the tensor that is the embedding.
        threads: processor threads for one call; None for one.
        step: rows that the network takes at a time, or None for any number.

    Attributes:
        session: gives the features before the mean.
        output: their name in it.

    Raises:
        UnsupportedError: the network does not end in a mean over places and linear steps.
    """

    def __init__(
        self, model: onnx.ModelProto, output: str, *, threads: int | None = None, step: int | None = None
    ) -> None:
        self._mean, self._rest = take_apart(model, output)
        self._step = step
        self._threads = threads
        self.output = self._mean.source
        self.session = open_session(model.SerializeToString(), threads)

    def cells(self, features: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
        """What the embedding would be for each place alone: ``(n, rows, columns, dim)`` from the session's features.

        Args:
            features: of rank 4 or 3, as the session gives them.
            size: rows and columns of the network's input.
        """
        cells = as_cells(features, _axes(self._mean, features.shape), size)
        if self._rest is None:
            return cells
        flat = np.ascontiguousarray(cells.reshape(-1, cells.shape[-1]), features.dtype)
        first = self._ended(flat[:_AT_ONCE], features)
        _check(cells.shape[1] * cells.shape[2], first.shape[1])
        rest = [self._ended(flat[at : at + _AT_ONCE], features) for at in range(_AT_ONCE, len(flat), _AT_ONCE)]
        ends = np.concatenate([first, *rest])
        return ends.reshape(*cells.shape[:3], -1)

    def _ended(self, flat: NDArray[Any], features: NDArray[Any]) -> NDArray[Any]:
        """What the rest of the network makes of features ``(k, channels)``: ``(k, dim)``."""
        if self._mean.keeps:
            axes = _axes(self._mean, features.shape)
            flat = flat.reshape(len(flat), *(1 if axis in axes else -1 for axis in range(1, features.ndim)))
        session = self._session(flat)
        return np.asarray(run_in_steps(session, flat, session.get_outputs()[0].name, self._step)).reshape(len(flat), -1)

    def _session(self, sample: NDArray[Any]) -> Any:
        """The rest's session, opened now that the type of its input is known."""
        if isinstance(self._rest, onnx.ModelProto):
            kind = self._rest.graph.input[0].type.tensor_type
            kind.elem_type = onnx.helper.np_dtype_to_tensor_dtype(sample.dtype)
            kind.shape.CopyFrom(onnx.TensorShapeProto(dim=[onnx.TensorShapeProto.Dimension() for _ in sample.shape]))
            self._rest = open_session(self._rest.SerializeToString(), self._threads)
        return self._rest


def as_cells(features: NDArray[Any], axes: Sequence[int], size: tuple[int, int]) -> NDArray[Any]:
    """Features as ``(n, rows, columns, channels)``.

    Args:
        features: ``(n, channels, rows, columns)``, ``(n, rows, columns, channels)``, or with places in one line.
        axes: which of them are places.
        size: rows and columns of the network's input, which say how a line of places is laid out.

    Raises:
        UnsupportedError: they are laid out otherwise, or too many.
    """
    if features.dtype.kind != "f" or (features.ndim, tuple(axes)) not in (
        (4, (1, 2)),
        (4, (2, 3)),
        (3, (1,)),
        (3, (2,)),
    ):
        raise UnsupportedError(
            f"where pictures agree cannot be told of this model: its mean is over the axes {list(axes)} of "
            f"{features.dtype} numbers of shape {features.shape}, which are not the places of a picture."
        )
    last = np.moveaxis(features, tuple(axes), tuple(range(1, 1 + len(axes))))
    rows, columns = last.shape[1:3] if len(axes) == 2 else _grid(last.shape[1], size)
    _check(rows * columns, last.shape[-1])
    return last.reshape(len(last), rows, columns, last.shape[-1])


def _check(places: int, numbers: int) -> None:
    """Refuse more places, or more numbers for them, than can be shown."""
    if places > MOST or places * numbers > _NUMBERS:
        raise UnsupportedError(
            f"the model tells {places:,} places apart by {numbers:,} numbers each; {MOST:,} places and {_NUMBERS:,} "
            "numbers are the most that is taken."
        )


def _grid(number: int, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of places that come in one line and cover an input evenly."""
    rows = math.isqrt(number * size[0] // size[1])
    columns = number // rows if rows else 0
    if rows * columns != number or not rows or rows * size[1] != columns * size[0]:
        raise UnsupportedError(
            f"where pictures agree cannot be told of this model: its mean is over {number} tokens, which are no "
            f"grid over {size[0]} x {size[1]} pixels, so that some of them stand for no place."
        )
    return rows, columns


def _axes(mean: Mean, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of a mean over features of this shape."""
    if mean.kernel is not None and mean.kernel != shape[2:]:
        raise UnsupportedError(
            f"where pictures agree cannot be told of this model: its last mean is over {mean.kernel} places at a time, "
            f"and the features have {shape[2:]}."
        )
    axes = range(2, len(shape)) if mean.axes is None else mean.axes
    return tuple(sorted(axis % len(shape) for axis in axes))
