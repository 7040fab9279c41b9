"""Which part of a picture is its subject, and the picture with one part or the other hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imagekin.bias.records import SUBJECT, SURROUNDINGS, WHOLE
from imagekin.embed.base import Embedder
from imagekin.errors import InputError
from imagekin.query import Crop
from imagekin.types import Pixels

AREA: Final = 0.5
"""Share of what the network sees that is taken for the subject: so either part hides as much as the other."""

SUBJECTS: Final[Mapping[str, str]] = {
    "edge": "what differs most from the edges of the picture and lies in the middle",
    "centre": "the middle of the picture",
}
"""How a subject is found, where nobody points at it."""

GREY: Final = (124, 117, 104)
"""What hides: the mean of natural photographs, which to most networks is nothing at all."""

_SOFT: Final = 64
"""Of the input's side, the part by which what is hidden is softened at its edge: a hard edge is seen as a thing."""

_FINE: Final = 32
_MIN, _MAX = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Parted:
    """A picture as the network is shown it, whole and in part.

    Attributes:
        shown: ``(height, width, 3)`` each, prepared, by the names of ``records.PARTS``.
        mask: ``(height, width)``, where the subject is.
        parts: ``(rows, columns, dim)``, what each place adds to the vector; None where the model cannot tell.
    """

    shown: Mapping[str, NDArray[Any]]
    mask: NDArray[np.bool_]
    parts: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Hiding:
    """How pictures are parted.

    Args:
        embedder: the model.
        subject: ``edge``, ``centre``, or ``(x, y, width, height)`` in pixels of the picture.
        area: the share of what the network sees that is the subject, where that is not pointed at.
        tells: whether the model can say what each place adds.

    Raises:
        InputError: no such way, or an area that leaves no subject or no surroundings.
    """

    embedder: Embedder
    subject: str | Crop
    area: float = AREA
    tells: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.subject, str) and self.subject not in SUBJECTS:
            raise InputError(
                f"a subject is found by {' or '.join(SUBJECTS)}, or given as x,y,w,h, not {self.subject!r}."
            )
        if isinstance(self.area, bool) or not _MIN <= self.area <= _MAX:
            raise InputError(f"area is {self.area!r}; give the subject's share of the picture, {_MIN:g} to {_MAX:g}.")

    def parted(self, picture: Image.Image) -> Parted:
        """The picture whole, with its surroundings hidden, and with its subject hidden.

        Raises:
            UnsupportedError: the model cannot say what each place adds, and the subject is found by that.
            InputError: the subject that is pointed at lies outside of what the network sees.
        """
        prepared = self.embedder.prepare(picture)
        parts = self.embedder.parts([picture])[0] if self.tells or self.subject == "edge" else None
        size = prepared.shape[0], prepared.shape[1]
        if not isinstance(self.subject, str):
            mask = _boxed(self.subject, picture.size, self.embedder.recipe.seen(*picture.size), size)
        else:
            values = _central() if self.subject == "centre" or parts is None else contrast(parts)
            mask = highest(values, size, self.area)
        return Parted(
            {WHOLE: prepared, SUBJECT: hidden(prepared, ~mask), SURROUNDINGS: hidden(prepared, mask)}, mask, parts
        )


def contrast(parts: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much each place ``(rows, columns, dim)`` differs in kind from the places at the edges, ``(rows, columns)``.

    Edges are mostly background, and subjects mostly in the middle (Wei, Wen, Zhu, Sun: "Geodesic saliency using
    background priors", ECCV 2012): of two places that differ as much, the one nearer the middle counts.
    """
    unit = parts / np.maximum(np.linalg.norm(parts, axis=-1, keepdims=True), 1e-12)
    edge = np.ones(parts.shape[:2], np.bool_)
    edge[1:-1, 1:-1] = False
    usual = unit[edge].mean(axis=0)
    near = unit.astype(np.float64) @ usual / max(float(np.linalg.norm(usual)), 1e-12)
    spread = float(np.ptp(near))
    rows, columns = (np.abs((np.arange(side) + 0.5) / side - 0.5) * 2 for side in near.shape)
    away = np.sqrt((rows[:, None] ** 2 + columns[None, :] ** 2) / 2)
    return np.asarray((near.max() - near) / (spread if spread > 1e-12 else 1.0) - away, np.float64)


def highest(values: NDArray[np.float64], size: tuple[int, int], area: float) -> NDArray[np.bool_]:
    """Where values ``(rows, columns)``, spread smoothly over ``(height, width)``, are highest: a share *area* of it."""
    smooth = Image.fromarray(values.astype(np.float32)).resize(size[::-1], Image.Resampling.BICUBIC)
    spread = np.asarray(smooth, np.float64).ravel()
    mask = np.zeros(spread.size, np.bool_)
    mask[np.argsort(-spread, kind="stable")[: round(area * spread.size)]] = True
    return mask.reshape(size)


def hidden(prepared: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """A prepared picture ``(height, width, 3)`` with what *mask* covers in grey, softly."""
    cover = Image.fromarray(mask.astype(np.uint8) * 255)
    soft = np.asarray(cover.filter(ImageFilter.GaussianBlur(max(mask.shape) / _SOFT)), np.float32)[..., None] / 255
    mixed = prepared * (1 - soft) + np.array(GREY, np.float32) * soft
    return mixed.astype(prepared.dtype) if prepared.dtype.kind == "f" else np.rint(mixed).astype(prepared.dtype)


def covered(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.float64]:
    """Of each of so many places, the share that *mask* covers: ``(rows, columns)``."""
    small = Image.fromarray(mask.astype(np.float32)).resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def seen(prepared: NDArray[Any]) -> Pixels:
    """A prepared picture as one to look at."""
    pixels: Pixels = np.clip(np.rint(prepared), 0, 255).astype(np.uint8)
    return pixels


def _central() -> NDArray[np.float64]:
    """How near the middle each place is, along the larger of the two ways: a smaller picture in the picture."""
    ways = np.abs((np.arange(_FINE) + 0.5) / _FINE - 0.5)
    return np.asarray(-np.maximum(ways[:, None], ways[None, :]))


def _boxed(
    crop: Crop, sides: tuple[int, int], view: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """A region of a picture as a mask of what the network sees of it."""
    values = np.asarray([float(value) for value in crop])
    if values.shape != (4,) or not np.isfinite(values).all() or (values[2:] <= 0).any():
        raise InputError(f"the subject is {crop!r}; give four numbers: x, y, width, height.")
    start = (values[:2] / sides - view[:2]) / view[2:]
    end = ((values[:2] + values[2:]) / sides - view[:2]) / view[2:]
    (left, top), (right, bottom) = (
        [round(float(part) * side) for part, side in zip(np.clip(each, 0, 1), size[::-1], strict=True)]
        for each in (start, end)
    )
    mask = np.zeros(size, np.bool_)
    mask[top:bottom, left:right] = True
    if not mask.any() or mask.all():
        raise InputError(
            f"the subject {', '.join(f'{value:g}' for value in values)} leaves nothing of the picture, or nothing "
            f"else, as the network sees it; give a part of its {sides[0]}×{sides[1]} pixels."
        )
    return mask
