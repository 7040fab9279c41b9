"""Finding the face in a picture and turning it upright, by dlib.

The detector lies in dlib itself: gradients' directions and a sliding window (Dalal and Triggs, CVPR 2005; King,
"Max-Margin Object Detection", 2015).  Five points of the face, the corners of the eyes and the nose's base, then say
how it is turned (Kazemi and Sullivan, "One Millisecond Face Alignment", CVPR 2014).
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from imagekin.errors import ImageError, ModelError
from imagekin.types import Pixels

PACKAGE: Final = "face_recognition_models"

SMALLEST: Final = 80
"""Pixels a face's side that the detector sees."""

_ENLARGED: Final = 4
"""How many times a small picture is enlarged at most."""

_SURE: Final = -0.2
"""Scores of the detector from which something is a face; 0 misses three of the 400 portraits of ORL, this one."""

_POINTS: Final = (
    "shape_predictor_5_face_landmarks.dat",
    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)


class FaceFinder:
    """Finds the largest face of a picture; may be used by several threads at once.

    Args:
        detail: pixels that the picture's longer side is brought to before faces are looked for.
    """

    def __init__(self, detail: int) -> None:
        import dlib

        self._dlib, self._detail, self._own = dlib, detail, threading.local()
        self._points = dlib.shape_predictor(str(weights(*_POINTS)))

    def chip(self, image: Image.Image, size: int, padding: float) -> Pixels:
        """The largest face, upright, ``(size, size, 3)``, with *padding* times its size around it.

        Raises:
            ImageError: there is none.
        """
        scale = min(self._detail / max(image.size), _ENLARGED)
        sides = [max(1, round(scale * side)) for side in image.size]
        small = np.asarray(image.resize((sides[0], sides[1]), Image.Resampling.BICUBIC))
        found = self._detector().run(small, 0, _SURE)[0]
        if not found:
            share = round(self._detail / SMALLEST)
            raise ImageError(
                "no face was found in the picture; one has to look towards the camera, and its side has to be at least "
                f"1/{share} of the picture's longer side"
            )
        largest = max(found, key=lambda each: each.area())
        pixels, area = (small, largest) if scale >= 1 else (np.asarray(image), self._scaled(largest, 1 / scale))
        chip: Pixels = self._dlib.get_face_chip(pixels, self._points(pixels, area), size, padding)
        return chip

    def _detector(self) -> Any:
        """This thread's own detector, as one keeps the picture that it is looking at."""
        if not hasattr(self._own, "detector"):
            self._own.detector = self._dlib.get_frontal_face_detector()
        return self._own.detector

    def _scaled(self, area: Any, scale: float) -> Any:
        sides = (area.left(), area.top(), area.right(), area.bottom())
        return self._dlib.rectangle(*(round(side * scale) for side in sides))


def weights(name: str, digest: str) -> Path:
    """The path of one of dlib's models in the package that brings them, which is not imported.

    Raises:
        ModelError: it is not there, or not the one whose SHA-256 is *digest*.
    """
    found = importlib.util.find_spec(PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    path = Path(folders[0] if folders else "", "models", name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f'{path} cannot be read; install it with: pip install "imagekin[faces]"') from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelError(
            f'{path} is not the published model; install it anew: pip install --force-reinstall "{PACKAGE}"'
        )
    return path
