"""Several views of each picture, whose vectors are averaged: steadier than one view, and as many times dearer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagekin.embed.base import Embedder, Picture, as_image
from imagekin.errors import InputError, UnsupportedError
from imagekin.types import Pixels, Vectors

NAMES: Final = ("flip", "crops")
"""``flip`` adds the mirror image; ``crops`` adds the four corners, three quarters of each side."""

_CORNER: Final = 0.75


class Views(Embedder):
    """An embedder that looks at each picture several times; otherwise it is the one that it is made of.

    Its vector is the mean of the views' unit vectors, as in ten-crop testing (Krizhevsky, Sutskever and Hinton, NIPS
    2012).

    Args:
        inner: embeds one view.
        views: ``flip``, ``crops``, or ``crops+flip``: two, five or ten views.

    Raises:
        InputError: other views.
    """

    def __init__(self, inner: Embedder, views: str) -> None:
        chosen = [name.strip() for name in str(views).split("+")]
        if not set(chosen) <= set(NAMES) or len(set(chosen)) < len(chosen):
            raise InputError(f"views must be flip, crops or crops+flip, not {views!r}.")
        self.inner = inner
        self.views = suffix(views)[1:]
        self.name, self.dim, self.recipe = f"{inner.name}+{self.views}", inner.dim, inner.recipe
        self.precision, self.takes_text, self.learns = inner.precision, inner.takes_text, inner.learns
        self.batch_size, self.pinned = inner.batch_size, inner.pinned
        self._mirrored, self._stacked = "flip" in chosen, 5 if "crops" in chosen else 1

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        """The inner one's, which may change when that learns, and the views."""
        return f"{self.inner.fingerprint}+{self.views}"

    @property
    def input_size(self) -> tuple[int, int]:
        """Rows and columns of a prepared picture: views stand one below the other."""
        height, width = self.inner.input_size
        return self._stacked * height, width

    def prepare(self, picture: Picture) -> Pixels:
        """Every view but the mirrored ones, prepared, one below the other."""
        if self._stacked == 1:
            return self.inner.prepare(picture)
        return np.concatenate([self.inner.prepare(view) for view in _crops(as_image(picture))])

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """The inner one's vectors of texts."""
        return self.inner.embed_text(texts)

    def learn(self, pictures: Iterable[Picture]) -> None:
        """Let the inner one learn."""
        self.inner.learn(pictures)
        self.dim = self.inner.dim

    def state(self) -> bytes | None:
        """What the inner one learned."""
        return self.inner.state()

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        total = np.zeros((len(batch), self.dim), np.float32)
        for views in self._seen(batch):
            total += self.inner.embed_prepared(views)
        return total

    def _seen(self, batch: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        """Each view of every picture of a batch, ``(b, height, width, 3)``."""
        height = self.inner.input_size[0]
        for number in range(self._stacked):
            views = batch[:, number * height : (number + 1) * height]
            yield np.ascontiguousarray(views)
            if self._mirrored:
                yield np.ascontiguousarray(views[:, :, ::-1])

    def _cells(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """Both views' places, those of the mirror image where they are in the picture."""
        if self._stacked > 1:
            raise UnsupportedError(
                f"where pictures agree cannot be told of {self.name}: its views show different parts of a picture."
            )
        plain, mirrored = (_evened(self.inner._cells(views)) for views in self._seen(batch))
        both: NDArray[Any] = plain + mirrored[:, :, ::-1]
        return both


def suffix(views: str) -> str:
    """What a fingerprint ends in: ``+crops+flip``, in whatever order the views were named."""
    return "".join(f"+{name}" for name in sorted(name.strip() for name in str(views).split("+")))


def _evened(cells: NDArray[Any]) -> NDArray[Any]:
    """Cells whose mean has length 1, so that both views count the same."""
    lengths = np.linalg.norm(cells.mean(axis=(1, 2), dtype=np.float64), axis=1)
    scaled: NDArray[Any] = cells / np.where(lengths > 0, lengths, 1)[:, None, None, None]
    return scaled


def _crops(picture: Image.Image) -> Iterator[Image.Image]:
    """The picture, and its four corners."""
    yield picture
    width, height = (max(1, round(_CORNER * side)) for side in picture.size)
    for left in (0, picture.width - width):
        for top in (0, picture.height - height):
            yield picture.crop((left, top, left + width, top + height))
