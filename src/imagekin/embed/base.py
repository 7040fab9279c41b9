"""The contract of an embedder: images in, one vector each out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagekin.distance import as_vectors, normalized
from imagekin.errors import InputError, ModelError, UnsupportedError
from imagekin.types import Pixels, Vectors

Picture: TypeAlias = "Image.Image | Pixels"
"""What an embedder takes: a Pillow image, or an RGB array ``(height, width, 3)`` of uint8."""

NO_TEXT: Final = (
    "embeds pictures and no words; index with a model that takes both, such as --model "
    "hub:Xenova/clip-vit-base-patch32 or --model hub:Xenova/siglip-base-patch16-224, to search by words."
)
"""Of a model without a text tower."""

_SLACK: Final = 0.05
"""How far the places' sum may be from a vector of length 1: what rounding in a quantised pooling comes to."""

RESAMPLE: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
"""Pillow's filters by the names that recipes use."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a picture becomes a network's input: data that travels with the model and is part of its fingerprint.

    Attributes:
        height: rows of the input.
        width: columns of the input.
        mode: ``crop`` keeps the aspect and cuts the centre, ``squash`` stretches, ``pad`` adds a border.
        crop_fraction: share of the resized short side that the centre crop keeps (``crop`` only).
        resample: ``nearest``, ``box``, ``bilinear``, ``hamming``, ``bicubic`` or ``lanczos``; all but nearest are
            antialiased.
        fill: colour of the border (``pad`` only).
        stretch: 0 keeps the aspect, 1 squashes it away; between them the crop is wider (or higher) than it is high by
            the picture's own aspect raised to this power, and is squashed (``crop`` only).
    """

    height: int
    width: int
    mode: Literal["crop", "squash", "pad"] = "crop"
    crop_fraction: float = 0.875
    resample: str = "bicubic"
    fill: tuple[int, int, int] = (0, 0, 0)
    stretch: float = 0.0

    def __post_init__(self) -> None:
        rules: tuple[tuple[str, bool, str], ...] = (
            *((name, getattr(self, name) >= 1, "1 or more") for name in ("height", "width")),
            ("resample", self.resample in tuple(RESAMPLE), f"one of {', '.join(RESAMPLE)}"),
            ("mode", self.mode in ("crop", "squash", "pad"), "crop, squash or pad"),
            ("crop_fraction", _is_share(self.crop_fraction) and self.crop_fraction > 0, "above 0 and up to 1"),
            ("stretch", _is_share(self.stretch), "0 to 1"),
            ("fill", len(self.fill) == 3 and all(map(_is_level, self.fill)), "three levels from 0 to 255"),
        )
        for name, holds, wanted in rules:
            if not holds:
                given = repr(getattr(self, name))[:60]
                raise InputError(f"not a usable preprocessing recipe: {name} must be {wanted}, not {given}.")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers that ``apply`` gives, which are 0 … 255."""
        return np.dtype(np.uint8)

    @property
    def decode_side(self) -> int:
        """Short side a decoder must keep: twice the resized input (cosine 0.999 to a full decode)."""
        fraction = self.crop_fraction if self.mode == "crop" else 1.0
        return 2 * round(max(self.height, self.width) / fraction)

    def apply(self, image: Image.Image) -> Pixels:
        """Resize, crop or pad an RGB image to ``(height, width, 3)`` uint8."""
        resample = RESAMPLE[self.resample]
        if self.mode == "pad":
            return np.asarray(self._padded(image, resample))
        box = self._centre(image.width, image.height) if self.mode == "crop" else None
        return np.asarray(image.resize((self.width, self.height), resample, box=box))

    def _centre(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The centre crop in source coordinates, so that resizing and cropping are one step."""
        wide, high = width / self.width, height / self.height
        short = min(wide, high)
        across, down = (
            min(self.crop_fraction * size * short * (ratio / short) ** self.stretch, limit)  # rounding may exceed it
            for size, ratio, limit in ((self.width, wide, width), (self.height, high, height))
        )
        left, top = (width - across) / 2, (height - down) / 2
        return left, top, left + across, top + down

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """What the network sees of a picture of this size: x, y, width, height as fractions of the picture's sides.

        A border that is added (``pad``) lies outside of the picture, below 0 and above 1.
        """
        if self.mode == "pad":
            (across, down), corner = self._placed(width, height)
            return -corner[0] / across, -corner[1] / down, self.width / across, self.height / down
        if self.mode == "squash":
            return 0.0, 0.0, 1.0, 1.0
        left, top, right, bottom = self._centre(width, height)
        return left / width, top / height, (right - left) / width, (bottom - top) / height

    def _placed(self, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Size and corner of a picture within its border."""
        scale = min(self.width / width, self.height / height)
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        return (across, down), ((self.width - across) // 2, (self.height - down) // 2)

    def _padded(self, image: Image.Image, resample: Image.Resampling) -> Image.Image:
        size, corner = self._placed(image.width, image.height)
        canvas = Image.new("RGB", (self.width, self.height), self.fill)
        canvas.paste(image.resize(size, resample), corner)
        return canvas


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _is_level(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= 255


class Embedder(ABC):
    """Turns pictures into vectors.  A subclass sets the attributes and writes ``_embed``; the base does the rest.

    Attributes:
        name: as in the registry, with options when they are not the default.
        dim: length of a vector.
        recipe: the preprocessing.
        fingerprint: identifies weights, preprocessing and precision; collections refuse another.
        precision: ``fp32`` or ``int8``, or "" where it has no meaning.
        takes_text: whether ``embed_text`` works.
        learns: whether it has to ``learn`` from pictures before it can embed any.
        batch_size: rows per call of ``_embed``; a good one for throughput.
        spec: what ``embed.create`` makes it again from; set by ``create``.
        pinned: options of ``create`` as the spec is to have them, such as a name with its version; None: left out.
    """

    name: str
    dim: int
    recipe: Recipe
    fingerprint: str
    precision: str = ""
    takes_text: bool = False
    learns: bool = False
    batch_size: int = 32
    spec: str = ""
    pinned: Mapping[str, Any] = MappingProxyType({})

    @property
    def input_size(self) -> tuple[int, int]:
        """Rows and columns of the network's input."""
        return self.recipe.height, self.recipe.width

    def prepare(self, picture: Picture) -> Pixels:
        """Apply the recipe to one picture: ``(height, width, 3)`` of ``recipe.dtype``, ready for ``embed_prepared``."""
        return self.recipe.apply(as_image(picture))

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Embed pictures of any size: ``(n, dim)`` float32, every row of length 1, in the order given.

        Raises:
            InputError: something in *pictures* is not an RGB picture.
            ModelError: the network answered with the wrong shape, NaN or infinity.
        """
        height, width = self.input_size
        prepared = np.empty((len(pictures), height, width, 3), self.recipe.dtype)
        for row, picture in enumerate(pictures):
            prepared[row] = self.prepare(picture)
        return self.embed_prepared(prepared)

    def embed_prepared(self, batch: NDArray[Any]) -> Vectors:
        """Embed pictures that ``prepare`` made: ``(n, height, width, 3)`` uint8 to ``(n, dim)``; thread-safe."""
        if batch.ndim != 4 or batch.shape[1:] != (*self.input_size, 3) or batch.dtype != self.recipe.dtype:
            raise InputError(
                f"{self.name} expects prepared pictures of shape (n, {self.recipe.height}, {self.recipe.width}, 3), "
                f"{self.recipe.dtype}, not {batch.shape}, {batch.dtype}."
            )
        parts = [self._checked(batch[at : at + self.batch_size]) for at in range(0, len(batch), self.batch_size)]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def parts(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """What each place of pictures adds to their vectors: ``(n, rows, columns, dim)`` float32.

        The sum over rows and columns is what ``embed`` gives, so that the similarity with another vector is the sum of
        the places' own products with it (Stylianou, Souvenir and Pless, "Visualizing Deep Similarity Networks", WACV
        2019).  What belongs to no place, such as a bias or the rounding of a quantised pooling, is shared out evenly.

        Raises:
            UnsupportedError: the network does not end in a mean over places and linear steps, or its places do not add
                up to its vectors.
            InputError: something in *pictures* is not an RGB picture.
            ModelError: its file has changed since it was opened.
        """
        parts = [self._parts(self.prepare(picture)[None]) for picture in pictures]
        return np.concatenate(parts) if parts else np.empty((0, 1, 1, self.dim), np.float32)

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Embed texts into the same space: ``(n, dim)``; only where ``takes_text``; thread-safe.

        Raises:
            UnsupportedError: the model embeds pictures only.
        """
        raise UnsupportedError(f"{self.name} {NO_TEXT}")

    def learn(self, pictures: Iterable[Picture]) -> None:
        """Learn from pictures what ``learns`` says it needs; then ``state`` and ``fingerprint`` tell what it learned.

        Raises:
            InputError: they are too few, or all alike.
        """
        raise UnsupportedError(f"{self.name} has nothing to learn from pictures.")

    def state(self) -> bytes | None:
        """What it learned, for ``create(spec, state=…)``; None where there is nothing, or not yet."""
        return None

    @abstractmethod
    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """Run the network on 1…batch_size prepared pictures: ``(b, height, width, 3)`` uint8 to ``(b, dim)``."""

    def _cells(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """Features whose mean over rows and columns has the direction of what ``_embed`` gives: ``(b, r, c, dim)``."""
        raise UnsupportedError(
            f"{self.name} does not tell what each place of a picture adds to its vector; use a model that does, such "
            "as the built-in one."
        )

    def _parts(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        cells = self._cells(batch)
        if cells.ndim != 4 or cells.shape[::3] != (len(batch), self.dim):
            raise ModelError(f"{self.name} gives places of shape {cells.shape}, not (n, rows, columns, {self.dim}).")
        whole = self._checked(batch).astype(np.float64)
        means = cells.mean(axis=(1, 2), dtype=np.float64)
        lengths = np.linalg.norm(means, axis=1)
        lengths[lengths == 0] = 1
        rest = whole - means / lengths[:, None]
        if not (np.linalg.norm(rest, axis=1) <= _SLACK).all():
            raise UnsupportedError(
                f"where pictures agree cannot be told of {self.name}: its places do not add up to its vectors, which "
                "are rounded too coarsely, or made otherwise."
            )
        scaled = cells / lengths[:, None, None, None] + rest[:, None, None, :]
        parts: NDArray[np.float32] = (scaled / (cells.shape[1] * cells.shape[2])).astype(np.float32)
        return parts

    def _checked(self, batch: NDArray[np.uint8]) -> Vectors:
        try:
            vectors = as_vectors(self._embed(batch), self.dim, what=f"the vectors of {self.name}")
        except InputError as error:
            raise ModelError(str(error)) from error
        if len(vectors) != len(batch):
            raise ModelError(f"{self.name} answered {len(batch)} pictures with {len(vectors)} vectors.")
        return normalized(vectors)

    def describe(self) -> dict[str, Any]:
        """What identifies this embedder, as plain data for records and reports."""
        return {
            "name": self.name,
            "spec": self.spec or self.name,
            "dim": self.dim,
            "precision": self.precision,
            "fingerprint": self.fingerprint,
            "recipe": asdict(self.recipe),
        }


def as_image(picture: Picture) -> Image.Image:
    """A Pillow RGB image of *picture*.

    Raises:
        InputError: not a Pillow image and not an array of shape ``(height, width, 3)`` and dtype uint8.
    """
    if isinstance(picture, Image.Image):
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise InputError(f"a picture must have shape (height, width, 3), uint8, not {array.shape}, {array.dtype}.")
    return Image.fromarray(np.ascontiguousarray(array), "RGB")
