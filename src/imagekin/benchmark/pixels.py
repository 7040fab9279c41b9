"""Raw pixels as vectors: what the oldest comparisons of nearest-neighbour search on pictures were made on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from imagekin import files, images
from imagekin.benchmark.sources import LEAST, QUERIES, Data, limited, of_vectors
from imagekin.errors import ImageError, InputError
from imagekin.types import Vectors

SIDE: Final = 32


def of_pixels(
    folder: str | os.PathLike[str],
    *,
    side: int = SIDE,
    queries: int = QUERIES,
    limit: int | None = None,
    seed: int = 0,
    step: Callable[[int, int], None] | None = None,
) -> Data:
    """The pictures of a folder as grey values 0 … 1, shrunk to *side* x *side*, under the euclidean distance.

    Files that cannot be read are left out.

    Args:
        folder: with at least 100 pictures, at any depth.
        side: pixels, 4 … 128.
        queries: how many pictures to hold out, at most a tenth.
        limit: take only so many pictures, at random.
        seed: decides which.
        step: called with the pictures read and their number, now and then.

    Raises:
        InputError: no such folder, or fewer than 100 pictures that can be read.
    """
    root = Path(folder).expanduser()
    if not 4 <= side <= 128:
        raise InputError(f"side must be 4 … 128 pixels, not {side}.")
    if not root.is_dir():
        raise InputError(f"there is no folder {str(root)!r}; give a folder of pictures.")
    rows = list(_readable([info.path for info in files.Scan(root)], side, (limit, seed), step=step))
    if len(rows) < LEAST:
        raise InputError(f"{str(root)!r} has {len(rows)} pictures that can be read; at least {LEAST} are needed.")
    name = f"{root.resolve().name}, raw pixels"
    return of_vectors(np.stack(rows), name=name, metric="euclidean", queries=queries, seed=seed)


def _readable(
    paths: Sequence[str], side: int, part: tuple[int | None, int], *, step: Callable[[int, int], None] | None
) -> Iterator[Vectors]:
    chosen = np.arange(len(paths))[limited(len(paths), *part)]
    for at, number in enumerate(chosen.tolist()):
        pixels = _pixels(paths[number], side)
        if pixels is not None:
            yield pixels
        if step is not None:
            step(at + 1, len(chosen))


def _pixels(path: str, side: int) -> Vectors | None:
    try:
        photo = images.load(path, target=2 * side)
    except ImageError:
        return None
    small = photo.image.convert("L").resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, np.float32).reshape(-1) / np.float32(255)
