"""Teaching a model that learns from pictures, such as a vocabulary of visual words, before it embeds the first one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from PIL import Image

from imagekin import images
from imagekin.embed.base import Embedder
from imagekin.errors import ImageError, InputError

SAMPLE: Final = 1_000
"""Pictures that a model is given at most; each has hundreds of local features to learn from."""

Paths: TypeAlias = Callable[[], Iterable[str]]
"""Gives the paths of pictures to draw from, once somebody needs them."""


def teach(embedder: Embedder, paths: Iterable[str]) -> None:
    """Let a model learn from a random sample of the pictures at *paths*, the same one for the same paths.

    The model gets them in random order and one at a time, so that it may stop when it has seen enough.

    Raises:
        InputError: none of them can be read, or the model cannot learn from them.
    """
    sample = drawn(paths)
    shown = pictures(sample, embedder)
    first = next(shown, None)
    if first is None:
        raise InputError(
            f"{embedder.name} learns from pictures before it embeds any, and none of the {len(sample):,} that it was "
            "given can be read; index a folder of pictures."
        )
    embedder.learn(itertools.chain([first], shown))


def drawn(paths: Iterable[str], size: int = SAMPLE, seed: int = 0) -> list[str]:
    """Up to *size* of the *paths* in random order, each with the same chance; reads them once and keeps no more.

    Reservoir sampling: Vitter, "Random Sampling with a Reservoir", ACM TOMS 1985, algorithm R.
    """
    chance, kept = random.Random(seed), list[str]()
    for number, path in enumerate(paths):
        if number < size:
            kept.append(path)
        elif (place := chance.randrange(number + 1)) < size:
            kept[place] = path
    chance.shuffle(kept)
    return kept


def pictures(paths: Iterable[str], embedder: Embedder) -> Iterator[Image.Image]:
    """The pictures at *paths*, as large as *embedder* needs them; those that cannot be read are left out."""
    for path in paths:
        try:
            yield images.decode(images.read(path), target=embedder.recipe.decode_side).image
        except (ImageError, MemoryError):  # the run that follows comes by this file too, and tells why
            continue
