"""Queries as directions: the vectors of pictures, of words, and of several of both together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from PIL import Image

from imagekin.distance import as_vectors, normalized
from imagekin.embed.base import Embedder
from imagekin.errors import InputError, ModelError
from imagekin.mixture import Known, Sought, Text, parts_of
from imagekin.query import Crop, Query
from imagekin.types import Vectors

_NOTHING: Final = 1e-5
"""A length that rounding alone may leave of a sum of unit vectors."""


def embedded(
    wanted: Sequence[Sought], embedder: Embedder, picture: Callable[[Query], Image.Image], *, crop: Crop | None = None
) -> Vectors:
    """The vectors ``(n, dim)`` of queries, rows of length 1, in order.

    Args:
        wanted: the queries.
        embedder: embeds the pictures of all of them in one call, and so the texts.
        picture: reads a picture, and cuts it.
        crop: what pictures are cut to, if anything.

    Raises:
        UnsupportedError: the model embeds no words.
        InputError: a query has nothing to be like, or cancels out, or has no picture to be cut.
    """
    rows = [parts_of(each) for each in wanted]
    if crop is not None and any(all(isinstance(part.source, Text) for part in row) for row in rows):
        raise InputError(f"crop is {tuple(crop)!r}, a region of a picture, and words have none; leave it out.")
    sources = [part.source for row in rows for part in row]
    texts = [each.words for each in sources if isinstance(each, Text)]
    shown = [picture(each) for each in sources if not isinstance(each, (Text, Known))]
    told = iter(of_words(embedder, texts) if texts else ())
    seen = iter(embedder.embed(shown) if shown else ())
    found = [each.vector if isinstance(each, Known) else next(told if isinstance(each, Text) else seen)
             for each in sources]  # fmt: skip
    each = iter(found)
    vectors = [combined([next(each) for _ in row], [part.signed for part in row]) for row in rows]
    return np.stack(vectors) if vectors else np.empty((0, embedder.dim), np.float32)


def of_words(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """The vectors ``(n, dim)`` of texts, rows of length 1.

    Raises:
        UnsupportedError: the model embeds no words.
        ModelError: it answered with something else than a vector for each.
    """
    try:
        vectors = as_vectors(
            embedder.embed_text(list(texts)), embedder.dim, what=f"the texts' vectors of {embedder.name}"
        )
    except InputError as error:
        raise ModelError(str(error)) from error
    if len(vectors) != len(texts):
        raise ModelError(f"{embedder.name} answered {len(texts)} texts with {len(vectors)} vectors.")
    return normalized(vectors)


def combined(vectors: Sequence[Vectors], weights: Sequence[float]) -> Vectors:
    """One vector ``(dim,)`` of length 1 of several, each counted by its weight.

    Raises:
        InputError: no weight is above 0, or they cancel each other out.
    """
    if not any(weight > 0 for weight in weights):
        raise InputError("a query needs something that hits are to be like, not only what they are to be unlike.")
    if len(vectors) == 1:
        return vectors[0]
    total: Vectors = np.asarray(weights, np.float32) @ np.stack(vectors)
    if np.linalg.norm(total) <= _NOTHING * max(map(abs, weights)):
        raise InputError("the parts of the query cancel each other out, so that nothing is left to search by.")
    unit: Vectors = normalized(total[None])[0]
    return unit
