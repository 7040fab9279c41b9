"""Measures for a calibration: some pictures of a collection edited, embedded, searched for and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageOps

from imagekin import images
from imagekin.distance import rowwise
from imagekin.duplicates import calibration, look, saved
from imagekin.duplicates.calibration import Calibration, Measured, Tried
from imagekin.duplicates.comparison import CROP, MIRROR, NEAR, ROTATED, compare
from imagekin.duplicates.contents import Contents
from imagekin.duplicates.looks import Asked, Looks
from imagekin.errors import ImageError
from imagekin.evaluation import edits
from imagekin.pipeline import Pipeline
from imagekin.types import Distances, Ids

if TYPE_CHECKING:
    from imagekin.collection import Collection

PICTURES: Final = 60
"""That are edited."""

LEAST: Final = 40
"""Different pictures that a collection must have to be measured."""

STRANGERS: Final = range(11, 31)
"""Which neighbours of a picture are taken for strangers, counted from 1; closer in where there are fewer pictures."""

Edit = Callable[[Image.Image], Image.Image]


def _smaller(picture: Image.Image) -> Image.Image:
    """Half the size, and saved anew."""
    size = max(1, picture.width // 2), max(1, picture.height // 2)
    return edits.jpeg(picture.resize(size, Image.Resampling.LANCZOS), quality=50)


def _recoloured(picture: Image.Image) -> Image.Image:
    return edits.saturation(edits.brightness(picture, factor=1.25), factor=0.6)


def _captioned(picture: Image.Image) -> Image.Image:
    return edits.overlay(picture, share=0.1)


def _corner(picture: Image.Image) -> Image.Image:
    """Seven tenths of each side, from the top left."""
    return picture.crop((0, 0, max(1, round(0.7 * picture.width)), max(1, round(0.7 * picture.height))))


def _middle(picture: Image.Image) -> Image.Image:
    return edits.crop(picture, keep=0.6)


def _turned(picture: Image.Image) -> Image.Image:
    return edits.rotation(picture, degrees=90)


def _upside_down(picture: Image.Image) -> Image.Image:
    return edits.rotation(picture, degrees=180)


EDITS: Final[tuple[tuple[str, Edit], ...]] = (
    (NEAR, _smaller),
    (NEAR, _recoloured),
    (NEAR, _captioned),
    (CROP, _corner),
    (CROP, _middle),
    (MIRROR, ImageOps.mirror),
    (ROTATED, _turned),
    (ROTATED, _upside_down),
)
"""What is done to each picture, and what it then is of the original."""


def calibrated(
    photos: Collection,
    contents: Contents,
    looks: Looks,
    *,
    error: float = calibration.ERROR,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Measure a collection; of one with fewer than forty different pictures, the figures of the documentation.

    Args:
        photos: the collection.
        contents: its different contents.
        looks: where looks are taken from.
        error: share of strangers that may be taken for copies.
        progress: called with the pictures done, and of how many.
    """
    if len(contents) < LEAST:
        return Calibration(error=error)
    if (known := saved.recalled(photos.store, len(contents), error)) is not None:
        return known
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(contents.ids, min(PICTURES, len(contents)), replace=False))
    measured = Measured()
    if progress is not None:
        progress(0, len(chosen))
    _strangers(photos, chosen, looks, measured)
    with Pipeline() as pipeline:
        for number, some in enumerate(pipeline.map(lambda each: _tried(photos, each), chosen.tolist(), ahead=4), 1):
            measured.pictures += bool(some)
            measured.tried += some
            if progress is not None:
                progress(number, len(chosen))
    if not measured.tried:
        return Calibration(error=error)
    made = calibration.of(measured, error)
    saved.keep(photos.store, len(contents), made)
    return made


def _tried(photos: Collection, number: int) -> list[Tried]:
    """Every edit of a picture against the picture itself; nothing for one that cannot be read."""
    item = photos.store.found([number]).get(number)
    if item is None:
        return []
    try:
        picture = images.load(item.path, target=2 * look.SIDE).image
    except ImageError:
        return []
    made = [(kind, edit(picture)) for kind, edit in EDITS]
    vectors = photos.embedder.embed([each for _, each in made])
    _, own = photos.store.vectors([number])
    gaps = rowwise(own, vectors[None], "cosine")[0].tolist()
    original = look.of(picture)
    return [Tried(kind, gap, compare(original, look.of(each))) for (kind, each), gap in zip(made, gaps, strict=True)]


def _strangers(photos: Collection, chosen: Ids, looks: Looks, measured: Measured) -> None:
    """Compare the pictures with their farther neighbours, and note how far their nearest other picture is."""
    _, vectors = photos.store.vectors(chosen.tolist())
    found, distances = photos.store.search(vectors, STRANGERS.stop)
    measured.nearest = list(_nearest(chosen, found, distances))
    pairs = [pair for number, line in zip(chosen.tolist(), found.tolist(), strict=True) for pair in _far(number, line)]
    measured.strangers = [made for _, made in looks.compared(pairs) if made is not None]


def _far(number: int, line: Sequence[int]) -> Iterator[Asked]:
    others = [each for each in line if each not in (number, -1)]
    start = STRANGERS.start - 1 if len(others) >= STRANGERS.stop - 1 else len(others) // 2
    yield from ((number, each) for each in others[start:])


def _nearest(chosen: Ids, found: Ids, distances: Distances) -> Iterator[float]:
    for number, line, gaps in zip(chosen.tolist(), found.tolist(), distances.tolist(), strict=True):
        near = [gap for each, gap in zip(line, gaps, strict=True) if each not in (number, -1) and gap > 1e-6]
        if near:
            yield near[0]
