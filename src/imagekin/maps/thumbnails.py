"""Small pictures of many files: read by every core, in order, and laid into sheets for a page."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

from imagekin import images
from imagekin.errors import ImageError
from imagekin.evaluation.records import Progress
from imagekin.pipeline import Pipeline, batched

BYTES: Final[Mapping[int, int]] = {96: 1_650, 64: 850, 48: 530, 32: 280, 24: 175, 16: 90}
"""Sides of a square thumbnail in a page, in pixels, and the bytes that one takes, as measured over photographs."""

BUDGET: Final = 28_000_000
"""Bytes of thumbnails that a page has by default, about; written as text they are a third more."""

SHEET: Final = 2_048
"""Pixels of a sheet's side: 16 MB while a browser has it decoded."""

_QUALITY: Final = 70
_GREY: Final = (188, 188, 190)
_EVERY: Final = 64


@dataclass(frozen=True)
class Sheets:
    """Thumbnails for a page.

    Attributes:
        side: of a thumbnail, in pixels; each is the whole picture squeezed into a square.
        across: thumbnails in a row of a sheet.
        files: WebP files; thumbnails in order, row by row, sheet by sheet.
        unread: how many pictures could not be read and are grey.
    """

    side: int
    across: int
    files: tuple[bytes, ...]
    unread: int


def side_for(count: int) -> int:
    """The largest side whose thumbnails of *count* pictures stay within ``BUDGET``; at least the smallest."""
    return next((side for side, size in BYTES.items() if count * size <= BUDGET), min(BYTES))


def sheets(paths: Sequence[str], side: int, progress: Callable[[Progress], None] | None = None) -> Sheets:
    """Read pictures and lay them, squeezed into squares of *side* pixels, into sheets of WebP.

    What cannot be read is grey.  Memory: one sheet at a time, beside the files.
    """
    across = SHEET // side
    files, unread = [], 0
    squares = squeezed(paths, side, progress)
    for some in batched(squares, across * across):
        paper = Image.new("RGB", (across * side, -(-len(some) // across) * side), _GREY)
        for place, square in enumerate(some):
            if square is None:
                unread += 1
            else:
                paper.paste(square, (place % across * side, place // across * side))
        content = io.BytesIO()
        paper.save(content, "WEBP", quality=_QUALITY, method=4)
        files.append(content.getvalue())
    return Sheets(side, across, tuple(files), unread)


def squeezed(
    paths: Iterable[str], side: int, progress: Callable[[Progress], None] | None = None
) -> Iterator[Image.Image | None]:
    """Each picture squeezed into a square, in order; None for one that cannot be read."""
    return _read(paths, lambda picture: picture.resize((side, side), Image.Resampling.BOX, reducing_gap=2.0), side,
                 progress)  # fmt: skip


def fitted(
    paths: Iterable[str], side: int, progress: Callable[[Progress], None] | None = None
) -> Iterator[Image.Image | None]:
    """Each picture as large as fits into a square, in order; None for one that cannot be read."""

    def fit(picture: Image.Image) -> Image.Image:
        scale = side / max(picture.size)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)

    return _read(paths, fit, side, progress)


def cut(
    paths: Iterable[str], side: int, progress: Callable[[Progress], None] | None = None
) -> Iterator[Image.Image | None]:
    """The middle square of each picture, in order; None for one that cannot be read."""

    def middle(picture: Image.Image) -> Image.Image:
        short = min(picture.size)
        left, top = (picture.width - short) // 2, (picture.height - short) // 2
        square = picture.crop((left, top, left + short, top + short))
        return square.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)

    return _read(paths, middle, side, progress)


def _read(
    paths: Iterable[str],
    shrink: Callable[[Image.Image], Image.Image],
    side: int,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Image.Image | None]:
    listed = list(paths)

    def one(path: str) -> Image.Image | None:
        try:
            return shrink(images.load(path, target=side).image)
        except ImageError:
            return None

    with Pipeline() as pipeline:
        for done, picture in enumerate(pipeline.map(one, listed, ahead=4 * pipeline.workers), 1):
            if progress is not None and (done % _EVERY == 0 or done == len(listed)):
                progress(Progress(done, len(listed), "Thumbnails"))
            yield picture
