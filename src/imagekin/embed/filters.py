"""Classical descriptors from a bank of Gabor filters: how strongly each direction and size of stripes answers.

OpenCV makes the filters (``getGaborKernel``) and applies them.  A filter of twice the size on a picture is the same
filter on the picture at half its size, so the bank has one size of filters and a pyramid of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from imagekin.embed.base import Recipe
from imagekin.embed.classic import Descriptor, whole_number
from imagekin.errors import InputError
from imagekin.types import Pixels

_SIZE: Final = 13
"""Pixels a filter's side: three standard deviations to each side of its centre."""

_WAVE: Final = 4.0
"""Pixels a wave of the finest filters."""

_SPREAD: Final = 0.56 * _WAVE
"""Standard deviation of the filters: a bandwidth of one octave (Manjunath and Ma)."""

_NOTHING: Final = 1e-3
"""Response, in grey levels, that rounding alone makes."""


class _Bank(Descriptor):
    """Filters of some directions on a pyramid of some levels."""

    blank = True

    def _prepare_bank(self, side: int, scales: int, orientations: int) -> None:
        whole_number("orientations", orientations, 1, 16)
        whole_number("side", side, 32, 512)
        most = int(math.log2(side // 8))
        if isinstance(scales, int) and most < scales <= 6:
            raise InputError(
                f"scales must be a whole number from 1 to {most}, not {scales}, which takes a side of {8 << scales} "
                f"pixels or more, not {side}."
            )
        whole_number("scales", scales, 1, most)
        self._scales = scales
        self._filters = [_pair(math.pi * number / orientations) for number in range(orientations)]
        self.recipe = Recipe(side, side, mode="squash")

    def _responses(self, grey: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """The magnitudes of each filter's answer, level by level, direction by direction: ``(rows, columns)``."""
        for level in range(self._scales):
            if level:
                grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            for pair in self._filters:
                there, beside = (cv2.filter2D(grey, cv2.CV_32F, each, borderType=cv2.BORDER_REFLECT) for each in pair)
                # OpenCV's own magnitude rounds by where an array lies in memory
                magnitude = np.sqrt(there * there + beside * beside)
                magnitude[magnitude < _NOTHING] = 0
                yield magnitude


class GaborTexture(_Bank):
    """What the picture's texture is like, wherever it is: mean and standard deviation of each filter's answer.

    Source: Manjunath and Ma, "Texture Features for Browsing and Retrieval of Image Data" (PAMI 1996).

    Args:
        side: the picture's rows and columns.
        scales: sizes of stripes, each twice the one before.
        orientations: directions within half a turn.

    Raises:
        InputError: an option is out of range.
    """

    def __init__(self, *, side: int = 128, scales: int = 4, orientations: int = 6) -> None:
        self._prepare_bank(side, scales, orientations)
        self.dim = 2 * scales * orientations + 1
        self._named("gabor", side=side, scales=scales, orientations=orientations)

    def _describe(self, pixels: Pixels) -> NDArray[Any]:
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
        moments = [cv2.meanStdDev(answer) for answer in self._responses(grey)]
        return np.sqrt(np.asarray(moments, np.float32).reshape(-1))


class Gist(_Bank):
    """The layout of a scene: each filter's mean answer in each cell of a grid, after local contrast is evened out.

    Source: Oliva and Torralba, "Modeling the Shape of the Scene: A Holistic Representation of the Spatial Envelope"
    (IJCV 2001); with another bank of filters than theirs, hence GIST-like.

    Args:
        side: the picture's rows and columns.
        scales: sizes of stripes, each twice the one before.
        orientations: directions within half a turn.
        grid: cells a side.

    Raises:
        InputError: an option is out of range.
    """

    def __init__(self, *, side: int = 128, scales: int = 4, orientations: int = 8, grid: int = 4) -> None:
        self._prepare_bank(side, scales, orientations)
        self._grid = whole_number("grid", grid, 1, 8)
        self.dim = scales * orientations * grid * grid + 1
        self._named("gist", side=side, scales=scales, orientations=orientations, grid=grid)

    def _describe(self, pixels: Pixels) -> NDArray[Any]:
        grey = _evened(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
        size = (self._grid, self._grid)
        means = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in self._responses(grey)]
        return np.concatenate(means).reshape(-1)


def _pair(angle: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The even and the odd filter of one direction, of which neither answers to plain brightness."""
    made = [
        cv2.getGaborKernel((_SIZE, _SIZE), _SPREAD, angle, _WAVE, 1.0, phase, cv2.CV_32F)
        for phase in (0.0, math.pi / 2)
    ]
    return tuple((each - each.mean()) / np.abs(each).sum() for each in made)


def _evened(grey: Pixels) -> NDArray[np.float32]:
    """Brightness less its neighbourhood's mean, over the neighbourhood's own deviation, in about ±1."""
    logs = np.log1p(grey.astype(np.float32))
    spread = grey.shape[0] / 20
    logs -= cv2.GaussianBlur(logs, (0, 0), spread, borderType=cv2.BORDER_REFLECT)
    deviation = np.sqrt(cv2.GaussianBlur(logs * logs, (0, 0), spread, borderType=cv2.BORDER_REFLECT))
    return np.asarray(logs / (0.2 + deviation), np.float32)
