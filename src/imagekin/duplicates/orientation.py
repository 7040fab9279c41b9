"""The eight ways in which a picture can lie: as it is or mirrored, and turned by quarters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_TURN: Final = {
    1: Image.Transpose.ROTATE_90,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True, slots=True)
class Orientation:
    """Mirrored left to right or not, and then turned to the left by *turns* quarters."""

    mirrored: bool
    turns: int

    @property
    def name(self) -> str:
        """For people; empty for a picture that lies as it is."""
        turned = f"turned by {90 * self.turns}°" if self.turns else ""
        return " and ".join(filter(None, ["mirrored" if self.mirrored else "", turned]))

    def image(self, picture: Image.Image) -> Image.Image:
        """The picture laid like this."""
        shown = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.mirrored else picture
        return shown.transpose(_TURN[self.turns]) if self.turns else shown

    def array(self, values: NDArray[Any]) -> NDArray[Any]:
        """Rows and columns of an array ``(height, width)`` laid like this."""
        return np.rot90(values[:, ::-1] if self.mirrored else values, self.turns)

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a picture that lies like this."""
        return (size[1], size[0]) if self.turns % 2 else size

    def points(self, points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Where points ``(n, 2)``, x and y from the top left of a picture of *size*, come to lie."""
        width, height = size
        x, y = points[:, 0], points[:, 1]
        if self.mirrored:
            x = width - x
        for _ in range(self.turns):
            x, y = y, width - x
            width, height = height, width
        return np.stack([x, y], axis=1)


ORIENTATIONS: Final = tuple(Orientation(mirrored, turns) for mirrored in (False, True) for turns in range(4))
"""All of them; the first changes nothing."""
