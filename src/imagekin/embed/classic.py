"""What the classical descriptors share: each describes one picture at a time, by arithmetic and without weights."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imagekin.embed.base import Embedder
from imagekin.errors import InputError
from imagekin.types import Pixels


class Descriptor(Embedder):
    """An embedder that writes ``_describe``, which makes one vector of one prepared picture.

    A picture without any structure may have nothing to describe; where ``blank`` is set, one last number tells it: 1
    for such a picture and 0 for all others, so that blank pictures are alike and like nothing else.
    """

    blank: ClassVar[bool] = False

    def _named(self, name: str, **options: Any) -> None:
        """Set name and fingerprint from the options; the name tells those that are not the class's defaults."""
        parameters = inspect.signature(type(self)).parameters
        changed = [f"{key}={value!r}" for key, value in options.items() if value != parameters[key].default]
        self.name = f"{name}({', '.join(changed)})" if changed else name
        self.fingerprint = f"{name}/1/" + ",".join(f"{key}={value}" for key, value in sorted(options.items()))

    @abstractmethod
    def _describe(self, pixels: Pixels) -> NDArray[Any]:
        """The numbers of one prepared picture, ``(dim,)``, or one fewer where ``blank`` is set."""

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        vectors = np.zeros((len(batch), self.dim), np.float32)
        for row, pixels in zip(vectors, batch, strict=True):
            row[: self.dim - self.blank] = self._describe(pixels)
            if self.blank:
                row[-1] = not row.any()
        return vectors


def whole_number(option: str, value: Any, low: int, high: int) -> int:
    """*value* if it is a whole number within *low* … *high*.

    Raises:
        InputError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{option} must be a whole number from {low} to {high}, not {value!r}.")
    return value


def one_of(option: str, value: Any, known: tuple[str, ...]) -> str:
    """*value* if it is one of *known*.

    Raises:
        InputError: it is not; the message lists them.
    """
    if value not in known:
        raise InputError(f"{option} must be one of {', '.join(known)}; not {value!r}.")
    return str(value)


def cells(plane: NDArray[Any], grid: int) -> list[NDArray[Any]]:
    """A square picture cut into ``grid × grid`` cells, row by row; sides that do not divide differ by a pixel."""
    return [cell for rows in np.array_split(plane, grid) for cell in np.array_split(rows, grid, axis=1)]
