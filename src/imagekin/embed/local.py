"""Local features by OpenCV: places in a picture and what is around each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from imagekin.types import Pixels

FEATURES: Final = {"sift": 128, "orb": 256}
"""The descriptors there are, and how many numbers each has; an ORB descriptor's bits count as numbers 0 and 1."""

PLACES: Final = {"sift": ("dense", "corners"), "orb": ("corners",)}
"""Where each can look: ``dense`` is on a grid, in two sizes, ``corners`` where its detector finds something."""

SIDES: Final = {"dense": 96, "corners": 256}
"""Rows and columns of the picture that suit these places."""

_STEP: Final = 6
_SIZES: Final = (6.0, 11.0)
"""OpenCV looks about five times as far to each side: more than half of a picture of 96 pixels, which was measured to be
better for whole objects than small patches are."""

_MOST: Final = 500
_FLAT: Final = 1e-6


def describe(pixels: Pixels, feature: str, places: str) -> NDArray[np.float32]:
    """The local features of an RGB picture: ``(n, 128)`` for SIFT, ``(n, 256)`` for ORB; n may be 0.

    SIFT as by Lowe (IJCV 2004), with the square roots of its numbers' shares in place of the numbers (RootSIFT:
    Arandjelović and Zisserman, CVPR 2012), so that each row has length 1; ORB as by Rublee et al. (ICCV 2011).
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    found = _extracted(grey, feature, places)
    if found is None or not len(found):
        return np.empty((0, FEATURES[feature]), np.float32)
    if feature == "orb":
        return np.unpackbits(np.asarray(found, np.uint8), axis=1).astype(np.float32)
    sums = found.sum(axis=1, keepdims=True)
    rooted: NDArray[np.float32] = np.sqrt(found[sums[:, 0] > _FLAT] / sums[sums[:, 0] > _FLAT])
    return rooted


def _extracted(grey: Pixels, feature: str, places: str) -> NDArray[Any] | None:
    # A detector is made anew each time: it costs microseconds and is not shared by threads then.
    made = cv2.SIFT_create(nfeatures=_MOST) if feature == "sift" else cv2.ORB_create(nfeatures=_MOST)
    if places == "corners":
        found: NDArray[Any] | None = made.detectAndCompute(grey, None)[1]
        return found
    return np.asarray(made.compute(grey, _lattice(*grey.shape))[1])


def _lattice(height: int, width: int) -> Sequence[Any]:
    """Places on a grid, without a direction of their own, in every size."""
    return [
        cv2.KeyPoint(float(across), float(down), size, 0.0)
        for size in _SIZES
        for down in range(_STEP // 2, height, _STEP)
        for across in range(_STEP // 2, width, _STEP)
    ]
