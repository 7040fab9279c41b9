"""The faces in pictures as vectors: whose face it is, and not what else is in the picture."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed.base import Embedder, Picture, Recipe, as_image
from imagekin.embed.classic import whole_number
from imagekin.embed.face_finder import SMALLEST, FaceFinder, weights
from imagekin.embed.onnx_model import OnnxEmbedder
from imagekin.errors import InputError
from imagekin.types import Pixels

DETAIL: Final = 640

_NETWORK: Final = (
    "dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
_CHIP: Final = (150, 0.25)

_TEMPLATE: Final = 112
_WIDE: Final = (148, 0.6)
_CUT: Final = (slice(4, 116), slice(17, 129))
"""Where the eyes come to lie as in the usual template of ArcFace: at (38, 52) and (74, 52) of 112 x 112 pixels."""


@dataclass(frozen=True, slots=True)
class FaceRecipe(Recipe):
    """A recipe whose input is the picture's largest face.

    Attributes:
        detail: pixels that a decoder must keep of the short side, for faces to be found.
    """

    detail: int = DETAIL

    @property
    def decode_side(self) -> int:
        """Short side a decoder must keep."""
        return self.detail


class FaceEmbedder(Embedder):
    """The largest face of a picture, found, turned upright and embedded; a picture without one is refused.

    Without *path* the network is dlib's ResNet (King, "High Quality Face Recognition with Deep Metric Learning", 2017;
    public domain), less the mean of its vectors over two collections of portraits, so that strangers come to about 0.1
    and not to 0.86.  With it, any ONNX network of aligned faces: 112 x 112 RGB, scaled to −1 … 1 unless told otherwise.

    Args:
        path: a local ONNX file to use in place of dlib's network.
        detail: pixels that the longer side is brought to before faces are looked for; a face has to have 80 of them.
        fingerprint: what the model's must be; another one is refused before anything of the file is run.
        options: what `OnnxEmbedder` takes, with *path* only.

    Raises:
        InputError: an option is out of range, or none of this model.
        ModelError: weights are missing, damaged or not the published ones.
    """

    name = "faces"
    batch_size = 8

    def __init__(
        self, *, path: str | None = None, detail: int = DETAIL, fingerprint: str | None = None, **options: Any
    ) -> None:
        whole_number("detail", detail, 2 * SMALLEST, 4096)
        if path is None and options:
            known = "path, detail"
            raise InputError(
                f"the model 'faces' has no option {next(iter(options))!r} without path; it takes: {known}."
            )
        self._lock = threading.Lock()
        self._network: OnnxEmbedder | None = None
        begin = f"faces/1/{detail}/"
        if path is not None:
            expected = fingerprint and fingerprint.removeprefix(begin)
            self._network = network = _opened(path, expected, options)
            self.name, self.dim, side = f"faces({network.name})", network.dim, network.input_size
            self.fingerprint, self.pinned = begin + network.fingerprint, {"path": str(network.path)}
        else:
            import dlib

            self._dlib = dlib.face_recognition_model_v1(str(weights(*_NETWORK)))
            self._mean = np.array(
                json.loads(Path(__file__).with_name("faces_mean.json").read_text("ascii")), np.float32
            )
            self.dim, side = len(self._mean), (_CHIP[0], _CHIP[0])
            self.fingerprint = f"{begin}dlib-resnet-v1"
        self.recipe = FaceRecipe(*side, mode="squash", detail=detail)
        self._finder = FaceFinder(detail)

    def prepare(self, picture: Picture) -> Pixels:
        """The picture's largest face, upright: ``(height, width, 3)`` uint8.

        Raises:
            ImageError: there is none.
            InputError: it is not an RGB picture.
        """
        image = as_image(picture)
        if self._network is None:
            return self._finder.chip(image, *_CHIP)
        face = np.ascontiguousarray(self._finder.chip(image, *_WIDE)[_CUT])
        return face if self.input_size == (_TEMPLATE, _TEMPLATE) else self._network.prepare(face)

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        if self._network is not None:
            return self._network.embed_prepared(batch)
        return self.raw(batch) - self._mean

    def raw(self, batch: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What dlib's network itself answers to prepared faces, ``(n, 128)``, of lengths about 1.4."""
        answers = []
        for face in batch:
            # dlib lets no other thread run meanwhile, and its network keeps what it is working on: one face at a time
            with self._lock:
                answers.append(np.asarray(self._dlib.compute_face_descriptor(face), np.float64))
        return np.stack(answers)


def _opened(path: str, fingerprint: str | None, options: dict[str, Any]) -> OnnxEmbedder:
    """The user's own network, at 112 x 112 pixels unless it or they say otherwise."""
    given = {"mode": "squash", "scale": 1 / 127.5, "mean": 1.0, "std": 1.0, "fingerprint": fingerprint, **options}
    if "size" in options:
        return OnnxEmbedder(path, **given)
    try:
        return OnnxEmbedder(path, size=_TEMPLATE, **given)
    except InputError:  # it takes one size only, which is another
        return OnnxEmbedder(path, **given)
