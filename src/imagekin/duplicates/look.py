"""What is compared of a picture: a small grey copy, its perceptual hash in every orientation, and its corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagekin import images
from imagekin.duplicates import features
from imagekin.duplicates.features import Features
from imagekin.duplicates.orientation import ORIENTATIONS
from imagekin.images import Source

SIDE: Final = 256
"""The longer side of the grey copy at most."""

BITS: Final = 64
"""Of a perceptual hash."""

_SMALL: Final = 32


@dataclass(frozen=True, slots=True)
class Look:
    """A picture as the comparison sees it.

    Attributes:
        grey: mode ``L``, the longer side at most 256.
        hashes: ``(8,)`` perceptual hashes, one an orientation.
        features: its corners.
    """

    grey: Image.Image
    hashes: NDArray[np.uint64]
    features: Features


def of(picture: Image.Image) -> Look:
    """The look of an RGB picture."""
    scale = min(1.0, SIDE / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    grey = picture.convert("L").resize(size, Image.Resampling.BOX if scale < 0.25 else Image.Resampling.BILINEAR)
    return Look(grey, _hashes(grey), features.of(grey))


def load(source: Source) -> Look:
    """The look of a picture that is read here.

    Raises:
        ImageError: it cannot be read.
    """
    return of(images.load(source, target=SIDE).image)


def apart(one: Look, other: Look) -> NDArray[np.int64]:
    """How many bits of the hashes differ, ``(8,)``: the one as it is against the other in each orientation."""
    return np.array([int(bits).bit_count() for bits in one.hashes[0] ^ other.hashes])


def _cosines() -> NDArray[np.float32]:
    """The rows 1 … 8 of the discrete cosine transform (DCT-II) of 32 samples, ``(8, 32)``."""
    rows, columns = np.arange(1, 9)[:, None], np.arange(_SMALL)
    return np.cos(np.pi * rows * (2 * columns + 1) / (2 * _SMALL)).astype(np.float32)


_COSINES: Final = _cosines()
_WEIGHTS: Final = np.uint64(1) << np.arange(BITS, dtype=np.uint64)


def _hashes(grey: Image.Image) -> NDArray[np.uint64]:
    """Signs of the lowest frequencies against their median (Zauner, 2010), for each orientation."""
    small = np.asarray(grey.resize((_SMALL, _SMALL), Image.Resampling.BOX), np.float32)
    found = []
    for orientation in ORIENTATIONS:
        waves = (_COSINES @ orientation.array(small) @ _COSINES.T).ravel()
        found.append(np.sum(_WEIGHTS[waves > np.median(waves)], dtype=np.uint64))
    return np.array(found, np.uint64)
