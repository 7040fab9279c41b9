"""Corners of a picture at several sizes, each with what it looks like: they find the place of a crop in its original.

Corners are those of Shi and Tomasi (1994); a description is that of Brown, Szeliski and Winder (2005), 8 x 8 blurred
samples less their mean, to length 1, which a change of brightness or contrast leaves alone.  It is kept upright: the
eight orientations are tried by permuting its elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imagekin.duplicates.orientation import Orientation

CELLS: Final = 8
"""Samples a side of a description."""

_STEP: Final = 2 ** (1 / 3)
_LEVELS: Final = 8
_SHORT: Final = 30
_MARGIN: Final = 12
_MOST: Final = 90
"""Corners that are kept of the picture as it is; fewer of the smaller copies, which show less."""

_FEWEST: Final = 24
_LEAST_CONTRAST: Final = 2.0
_CORNERS: Final = np.array([-10, -7, -4, -1, 2, 5, 8, 11])
"""Offsets of the samples, in corners between pixels, so that they lie evenly round the middle of a pixel."""

Points = NDArray[np.float32]
Descriptions = NDArray[np.float16]
"""Halves, so that thousands of pictures' fit into memory."""


@dataclass(frozen=True, slots=True)
class Features:
    """Corners of a picture.

    Attributes:
        points: ``(n, 2)`` x and y in pixels of the picture.
        scales: ``(n,)`` pixels of the picture to one of the level that a corner was seen at.
        seen: ``(n, 64)`` what is around each, rows of length 1.
        size: width and height of the picture.
    """

    points: Points
    scales: NDArray[np.float32]
    seen: Descriptions
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.points)

    def laid(self, orientation: Orientation) -> Features:
        """The features of the same picture laid in another way."""
        order = orientation.array(np.arange(CELLS * CELLS).reshape(CELLS, CELLS)).ravel()
        points = orientation.points(self.points, self.size)
        return Features(points, self.scales, self.seen[:, order], orientation.size(self.size))


def of(picture: Image.Image) -> Features:
    """The features of a grey picture (mode ``L``); none where it is too small or has no corners."""
    points, scales, seen = [np.empty((0, 2), np.float32)], [np.empty(0, np.float32)], [np.empty((0, 64), np.float16)]
    for level in range(_LEVELS):
        scale = _STEP**level
        size = round(picture.width / scale), round(picture.height / scale)
        if min(size) < _SHORT:
            break
        most = max(_FEWEST, round(_MOST / scale))
        found, described = _level(picture if not level else picture.resize(size, Image.Resampling.BILINEAR), most)
        across = np.array([picture.width / size[0], picture.height / size[1]], np.float32)
        points.append((found + np.float32(0.5)) * across)
        scales.append(np.full(len(found), scale, np.float32))
        seen.append(described)
    return Features(np.concatenate(points), np.concatenate(scales), np.concatenate(seen), picture.size)


def _level(picture: Image.Image, most: int) -> tuple[Points, Descriptions]:
    """The strongest corners, x and y as whole pixels, and their descriptions at one size."""
    blurred = np.asarray(picture.filter(ImageFilter.BoxBlur(2)), np.float32)
    strength = _strength(np.asarray(picture, np.float32))
    inner = strength[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    peaks = np.flatnonzero((inner == _five(np.maximum, strength)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]) & (inner > 1))
    best = peaks[np.argsort(-inner.ravel()[peaks], kind="stable")[:most]]
    ys, xs = np.divmod(best, max(1, inner.shape[1]))
    ys, xs = ys + _MARGIN, xs + _MARGIN
    seen, contrast = _described(blurred, xs, ys)
    kept = contrast > _LEAST_CONTRAST
    return np.stack([xs, ys], axis=1)[kept].astype(np.float32), seen[kept]


def _strength(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The smaller eigenvalue of the structure tensor over 5 x 5 pixels; nothing at the border."""
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, 1:-1] = (grey[:, 2:] - grey[:, :-2]) / 2
    down[1:-1] = (grey[2:] - grey[:-2]) / 2
    xx, yy, xy = (_five(np.add, product) for product in (across * across, down * down, across * down))
    half = (xx - yy) / 2
    return np.asarray(((xx + yy) / 2 - np.sqrt(half * half + xy * xy)) / 25, np.float32)


def _five(join: np.ufunc, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Five neighbours joined along each axis: sums or maxima over 5 x 5 pixels; the border stays as it is."""
    for axis in (0, 1):
        lines = values if axis == 0 else values.T
        joined = lines.copy()
        for step in (1, 2):
            join(joined[2:-2], lines[2 + step : len(lines) - 2 + step], out=joined[2:-2])
            join(joined[2:-2], lines[2 - step : len(lines) - 2 - step], out=joined[2:-2])
        values = joined if axis == 0 else joined.T
    return values


def _described(
    grey: NDArray[np.float32], xs: NDArray[np.int64], ys: NDArray[np.int64]
) -> tuple[Descriptions, NDArray[np.float32]]:
    """What is seen at pixels, ``(n, 64)``, and the contrast there in grey levels, ``(n,)``."""
    between = (grey[1:, 1:] + grey[:-1, 1:] + grey[1:, :-1] + grey[:-1, :-1]) / 4  # at the corner (x + 1, y + 1)
    rows, columns = ys[:, None, None] + _CORNERS[:, None] - 1, xs[:, None, None] + _CORNERS - 1
    samples = between[rows, columns].reshape(len(xs), CELLS * CELLS)
    samples -= samples.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(samples, axis=1).astype(np.float32)
    return (samples / np.maximum(lengths, 1e-6)[:, None]).astype(np.float16), lengths / CELLS
