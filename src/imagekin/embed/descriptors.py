"""Classical descriptors that count: colours, edges and small patterns, cell by cell.

The histograms' square roots are compared, so that a cosine is the Bhattacharyya coefficient of two histograms and one
large flat area does not drown the rest (Arandjelović and Zisserman, CVPR 2012, for the same step on SIFT).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from imagekin.embed.base import Recipe
from imagekin.embed.classic import Descriptor, cells, one_of, whole_number
from imagekin.errors import InputError
from imagekin.types import Pixels

_SPACES: Final = {
    "hsv": (cv2.COLOR_RGB2HSV, (180, 256, 256)),
    "lab": (cv2.COLOR_RGB2LAB, (256, 256, 256)),
    "rgb": (None, (256, 256, 256)),
}
_CODES: Final = 59
"""Uniform patterns of eight neighbours that keep their direction, and one for all others."""


class ColourHistogram(Descriptor):
    """How much of each colour is where: a joint histogram of three channels in each cell of a grid.

    Source: Swain and Ballard, "Color Indexing" (IJCV 1991), by OpenCV's ``cvtColor`` and ``calcHist``.

    Args:
        space: ``hsv``, ``lab`` or ``rgb``.
        bins: of the three channels.
        grid: cells a side; 1 forgets where a colour was.

    Raises:
        InputError: an option is out of range.
    """

    def __init__(self, *, space: str = "rgb", bins: Sequence[int] = (4, 4, 4), grid: int = 4) -> None:
        self._conversion, limits = _SPACES[one_of("space", space, tuple(_SPACES))]
        if not isinstance(bins, (tuple, list)) or len(bins) != 3:
            raise InputError(f"bins must be three whole numbers, such as (8, 4, 4), not {bins!r}.")
        self._bins = [whole_number("each of bins", count, 1, 32) for count in bins]
        self._grid = whole_number("grid", grid, 1, 8)
        self._ranges = [edge for limit in limits for edge in (0, limit)]
        self.recipe = Recipe(128, 128, mode="squash", resample="bilinear")
        self.dim = int(np.prod(self._bins)) * grid * grid
        self._named("colour", space=space, bins=tuple(bins), grid=grid)

    def _describe(self, pixels: Pixels) -> NDArray[Any]:
        if self._conversion is not None:
            pixels = cv2.cvtColor(pixels, self._conversion)
        counts = [
            cv2.calcHist([np.ascontiguousarray(cell)], [0, 1, 2], None, self._bins, self._ranges).reshape(-1)
            for cell in cells(pixels, self._grid)
        ]
        return np.asarray(np.sqrt(np.concatenate(counts)))


class OrientedGradients(Descriptor):
    """Which way edges run in each cell: the histogram of oriented gradients.

    Source: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR 2005), by scikit-image's
    ``hog`` with blocks of 2 × 2 cells and the L2-Hys norm.

    Args:
        side: the picture's rows and columns.
        cell: pixels a cell's side.
        orientations: bins of half a turn.

    Raises:
        InputError: an option is out of range.
    """

    blank = True

    def __init__(self, *, side: int = 64, cell: int = 16, orientations: int = 9) -> None:
        whole_number("side", side, 16, 512)
        whole_number("cell", cell, 4, side // 2)
        self._options = {
            "orientations": whole_number("orientations", orientations, 2, 36),
            "pixels_per_cell": (cell, cell),
            "cells_per_block": (2, 2),
        }
        self.recipe = Recipe(side, side, mode="squash")
        self.dim = (side // cell - 1) ** 2 * 4 * orientations + 1
        self._named("hog", side=side, cell=cell, orientations=orientations)

    def _describe(self, pixels: Pixels) -> NDArray[Any]:
        from skimage.feature import hog

        found: NDArray[Any] = hog(pixels, channel_axis=-1, block_norm="L2-Hys", **self._options)
        return found


class LocalBinaryPatterns(Descriptor):
    """Which small patterns of lighter and darker neighbours occur in each cell.

    Source: Ojala, Pietikäinen and Mäenpää, "Multiresolution Gray-Scale and Rotation Invariant Texture Classification
    with Local Binary Patterns" (PAMI 2002), by scikit-image's ``local_binary_pattern`` with eight neighbours.

    Args:
        side: the picture's rows and columns.
        radius: how far the neighbours are, in pixels.
        grid: cells a side.

    Raises:
        InputError: an option is out of range.
    """

    def __init__(self, *, side: int = 64, radius: int = 1, grid: int = 4) -> None:
        whole_number("side", side, 16, 512)
        self._radius = whole_number("radius", radius, 1, 16)
        self._grid = whole_number("grid", grid, 1, 16)
        self.recipe = Recipe(side, side, mode="squash")
        self.dim = grid * grid * _CODES
        self._named("lbp", side=side, radius=radius, grid=grid)

    def _describe(self, pixels: Pixels) -> NDArray[Any]:
        from skimage.feature import local_binary_pattern

        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        codes = local_binary_pattern(grey, 8, self._radius, method="nri_uniform").astype(np.intp)
        counts = [np.bincount(cell.reshape(-1), minlength=_CODES) for cell in cells(codes, self._grid)]
        return np.asarray(np.sqrt(np.concatenate(counts)))
