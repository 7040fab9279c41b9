"""What every embedder must do.

    from imagekin.testing.embedders import check_embedder

    def test_mine() -> None:
        check_embedder(lambda: MyEmbedder())

Each check raises AssertionError with a sentence that says what was wrong.  The pictures are made by arithmetic, so
nothing is read or downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import numpy as np
from PIL import Image

from imagekin.distance import as_vectors, normalized
from imagekin.embed.base import Embedder
from imagekin.errors import InputError, UnsupportedError
from imagekin.types import Pixels, Vectors

TOLERANCE: Final = 1e-3
"""Largest cosine distance between vectors that should be equal (kernels may add in another order)."""


def synthetic_picture(number: int, height: int = 240, width: int = 320) -> Pixels:
    """A picture made by arithmetic: waves and a disc whose places and colours depend on *number*."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float64)
    down, across = down / height, across / width
    turn = 0.7 * number + 0.3
    wave = np.sin((3 + number) * 6.283 * (across * np.cos(turn) + down * np.sin(turn)))
    disc = (across - 0.3 - 0.05 * number) ** 2 + (down - 0.5) ** 2 < 0.04 + 0.01 * (number % 3)
    planes = [np.where(disc, np.cos(turn * channel + number), wave * (channel + 1) / 3) for channel in range(3)]
    scaled: Pixels = np.rint(127.5 + 120 * np.stack(planes, axis=-1)).clip(0, 255).astype(np.uint8)
    return scaled


def check_embedder(make: Callable[[], Embedder]) -> None:
    """Run every check on embedders that *make* gives; each call must give an equal one.

    Raises:
        AssertionError: a check failed; the message says which and why.
    """
    embedder = make()
    for check in CHECKS:
        check(embedder)
    check_fingerprint(embedder, make())


def check_shape(embedder: Embedder) -> None:
    """One finite float32 row of length 1 a picture."""
    vectors = embedder.embed([synthetic_picture(0), synthetic_picture(1)])
    _expect(vectors.shape == (2, embedder.dim), f"two pictures gave shape {vectors.shape}, not (2, {embedder.dim})")
    _expect(vectors.dtype == np.float32, f"vectors are {vectors.dtype}, not float32")
    _expect(bool(np.isfinite(vectors).all()), "vectors hold NaN or infinity")
    norms = np.linalg.norm(vectors, axis=1)
    _expect(bool(np.allclose(norms, 1, atol=1e-4)), f"vectors have lengths {norms}, not 1")


def check_prepared(embedder: Embedder) -> None:
    """``prepare`` and ``embed_prepared`` are what ``embed`` does, for arrays and Pillow images alike."""
    pixels = synthetic_picture(2)
    prepared = embedder.prepare(pixels)
    expected = (*embedder.input_size, 3)
    _expect(
        prepared.shape == expected and prepared.dtype == embedder.recipe.dtype,
        f"prepare gave {prepared.shape}, {prepared.dtype}, not {expected}, uint8",
    )
    _same(embedder.embed_prepared(prepared[None]), embedder.embed([pixels]), "embed differs from embed_prepared")
    _same(embedder.embed([Image.fromarray(pixels)]), embedder.embed([pixels]), "a Pillow image differs from its array")


def check_order(embedder: Embedder) -> None:
    """A batch of many equals batches of one, row for row, also beyond ``batch_size``."""
    pictures = [synthetic_picture(number % 5) for number in range(embedder.batch_size + 3)]
    alone = np.concatenate([embedder.embed([picture]) for picture in pictures[:5]])
    together = embedder.embed(pictures)
    _same(together, alone[np.arange(len(pictures)) % 5], "a batch of many differs from batches of one")


def check_deterministic(embedder: Embedder) -> None:
    """The same call twice gives the same bytes."""
    pictures = [synthetic_picture(number) for number in range(3)]
    _expect(
        embedder.embed(pictures).tobytes() == embedder.embed(pictures).tobytes(),
        "the same pictures gave different vectors the second time",
    )


def check_distinct(embedder: Embedder) -> None:
    """Different pictures give different vectors, and a picture's kin is nearer than a stranger."""
    pictures = [synthetic_picture(number) for number in range(6)]
    vectors = embedder.embed(pictures)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    _expect(float(cosines.max()) < 1 - 1e-4, f"two different pictures have cosine {cosines.max():.6f}")
    kin = embedder.embed([np.clip(picture.astype(np.int16) + 6, 0, 255).astype(np.uint8) for picture in pictures])
    nearest = (kin @ vectors.T).argmax(axis=1)
    _expect(bool((nearest == np.arange(6)).all()), f"slightly brighter copies are nearest to {nearest}, not to 0…5")


def check_threads(embedder: Embedder) -> None:
    """Calls from several threads at once give what calls one by one give."""
    batches = [np.stack([embedder.prepare(synthetic_picture(n + m)) for m in range(2)]) for n in range(4)]
    expected = [embedder.embed_prepared(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for got, want in zip(pool.map(embedder.embed_prepared, batches), expected, strict=True):
                _same(got, want, "calls from several threads disturb each other")


def check_empty(embedder: Embedder) -> None:
    """No pictures give no rows."""
    nothing = np.empty((0, *embedder.input_size, 3), embedder.recipe.dtype)
    for vectors in (embedder.embed([]), embedder.embed_prepared(nothing)):
        _expect(vectors.shape == (0, embedder.dim), f"no pictures gave shape {vectors.shape}")
        _expect(vectors.dtype == np.float32, f"no pictures gave {vectors.dtype}")


def check_odd_pictures(embedder: Embedder) -> None:
    """One pixel, extreme aspects and plain colours give vectors of length 1; a plain colour's shape does not matter."""
    odd = [np.full(shape, 90, np.uint8) for shape in ((1, 1, 3), (1, 700, 3), (700, 1, 3), (50, 50, 3))]
    odd += [np.zeros((30, 40, 3), np.uint8), np.full((30, 40, 3), 255, np.uint8)]
    vectors = embedder.embed(odd)
    norms = np.linalg.norm(vectors, axis=1)
    _expect(bool(np.allclose(norms, 1, atol=1e-4)), f"odd pictures gave vectors of lengths {norms}, not 1")
    if embedder.recipe.mode != "pad":
        _same(vectors[1:4], vectors[:1].repeat(3, axis=0), "plain pictures of one colour differ by their shape")


def check_bad_input(embedder: Embedder) -> None:
    """What is not an RGB picture is refused with InputError."""
    height, width = embedder.input_size
    bad: list[Any] = [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3)), "picture.jpg"]
    for value in (*bad, np.zeros((0, 5, 3), np.uint8)):
        _refuses(partial(embedder.embed, [value]), f"embed took {type(value).__name__} {np.shape(value)}")
    wrong: list[Any] = [
        np.zeros((height, width, 3), np.uint8),
        np.zeros((1, height + 1, width, 3), embedder.recipe.dtype),
    ]
    for batch in (*wrong, np.zeros((1, height, width, 3), np.float64)):
        _refuses(partial(embedder.embed_prepared, batch), f"embed_prepared took {batch.shape}, {batch.dtype}")


def check_places(embedder: Embedder) -> None:
    """What places add to a vector makes up the vector; an embedder that cannot tell says so with UnsupportedError."""
    pictures = [synthetic_picture(0), synthetic_picture(3, 300, 200)]
    try:
        parts = embedder.parts(pictures)
    except UnsupportedError:
        return
    _expect(
        parts.ndim == 4 and parts.shape[::3] == (2, embedder.dim) and parts.dtype == np.float32,
        f"parts gave {parts.shape}, {parts.dtype}, not (2, rows, columns, {embedder.dim}), float32",
    )
    gap = float(np.abs(parts.sum(axis=(1, 2), dtype=np.float64) - embedder.embed(pictures)).max())
    _expect(gap < TOLERANCE, f"the places differ from the vector by {gap:.2g} when they are added up")


def check_text(embedder: Embedder) -> None:
    """Texts give a finite row each, in order, alone, together and from several threads; no text tower is said so."""
    texts = ["a red car", "two green leaves", "nothing but blue sky", "a red car"]
    if not embedder.takes_text:
        try:
            embedder.embed_text(texts)
        except UnsupportedError:
            return
        raise AssertionError("embed_text gave vectors, but takes_text is False.")
    vectors = as_vectors(embedder.embed_text(texts), embedder.dim, what="the texts' vectors")
    _expect(len(vectors) == len(texts), f"{len(texts)} texts gave {len(vectors)} vectors")
    vectors = normalized(vectors)
    _near(vectors[-1:], vectors[:1], "a text twice gives two vectors")
    with ThreadPoolExecutor(4) as pool:
        alone = np.concatenate(list(pool.map(lambda text: embedder.embed_text([text]), texts)))
    _near(normalized(as_vectors(alone)), vectors, "texts alone, from several threads, give other vectors than together")


def check_fingerprint(embedder: Embedder, again: Embedder) -> None:
    """Two equal embedders have one fingerprint and give the same vectors."""
    _expect(bool(embedder.fingerprint) and isinstance(embedder.fingerprint, str), "the fingerprint is not a text")
    _expect(embedder.fingerprint == again.fingerprint, "two equal embedders have different fingerprints")
    _expect(embedder.describe() == again.describe(), "two equal embedders describe themselves differently")
    picture = [synthetic_picture(4)]
    _same(embedder.embed(picture), again.embed(picture), "two equal embedders give different vectors")


CHECKS: Final[tuple[Callable[[Embedder], None], ...]] = (
    check_shape,
    check_prepared,
    check_order,
    check_deterministic,
    check_distinct,
    check_threads,
    check_empty,
    check_odd_pictures,
    check_bad_input,
    check_places,
    check_text,
)


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(f"{message}.")


def _same(got: Vectors, want: Vectors, message: str) -> None:
    _expect(got.shape == want.shape, f"{message}: shapes {got.shape} and {want.shape}")
    distances = 1 - np.einsum("ij,ij->i", got, want)
    worst = float(distances.max())
    _expect(worst <= TOLERANCE, f"{message}: cosine distance {worst:.2g}")


def _near(got: Vectors, want: Vectors, message: str) -> None:
    _expect(got.shape == want.shape, f"{message}: shapes {got.shape} and {want.shape}")
    gap = float(np.abs(got - want).max())
    _expect(gap <= TOLERANCE, f"{message}: they differ by {gap:.2g}")


def _refuses(call: Callable[[], object], message: str) -> None:
    try:
        call()
    except InputError:
        return
    raise AssertionError(f"{message} without an InputError.")
