"""Vocabularies of visual words: learned from pictures by k-means, and kept as bytes that anybody may have written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError, ModelError

Arrays = dict[str, NDArray[np.float32]]
Shapes = Mapping[str, tuple[int, ...]]

SEED: Final = 1
PER_PICTURE: Final = 512
"""Local features of one picture that are learned from at most; fewer where there are many pictures."""

MOST: Final = 100_000
"""Local features that are learned from in all: 51 MB of SIFT."""

_MARK: Final = b"imagekin vocabulary 1\n"
_ROUNDS: Final = 15
_PER_WORD: Final = 64


def sample(described: Iterable[NDArray[np.float32]], width: int) -> NDArray[np.float32]:
    """Some local features of each picture, drawn with a seed, at most ``MOST``: ``(n, width)``.

    No picture gives more than another that has as many, however many there are: when they become too many, all are
    halved.
    """
    random, kept, most = np.random.default_rng(SEED), [np.empty((0, width), np.float32)], PER_PICTURE
    count = 0
    for features in described:
        kept.append(features[random.permutation(len(features))[:most]])
        count += len(kept[-1])
        while count > MOST and most > 1:
            most //= 2
            kept = [each[:most].copy() for each in kept]
            count = sum(map(len, kept))
    return np.concatenate(kept)


def cluster(features: NDArray[np.float32], words: int) -> NDArray[np.float32]:
    """The means of *words* clusters, ``(words, width)``, by FAISS's k-means with a seed.

    Raises:
        InputError: there are fewer different features than words.
    """
    import faiss

    different = set[bytes]()
    for feature in features:
        different.add(feature.tobytes())
        if len(different) == words:
            break
    else:
        raise InputError(
            f"{words:,} visual words cannot be learned from {len(different):,} different local features; index more "
            f"pictures, or choose fewer words: words={max(2, len(different) // 4)}."
        )
    trainer = faiss.Kmeans(
        features.shape[1],
        words,
        niter=_ROUNDS,
        seed=SEED,
        min_points_per_centroid=1,
        max_points_per_centroid=_PER_WORD,
    )
    trainer.train(np.ascontiguousarray(features))
    centres: NDArray[np.float32] = np.asarray(trainer.centroids, np.float32).reshape(words, -1)
    return centres


def principal_axes(features: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The directions in which features vary most, ``(count, width)``, and what is added after the product with them."""
    import faiss

    fitted = faiss.PCAMatrix(features.shape[1], count)
    fitted.train(np.ascontiguousarray(features))
    axes: NDArray[np.float32] = faiss.vector_to_array(fitted.A).reshape(-1, features.shape[1])[:count]
    return axes, faiss.vector_to_array(fitted.b)[:count]


def nearest(features: NDArray[np.float32], words: NDArray[np.float32]) -> NDArray[np.int64]:
    """The number of each feature's nearest word, ``(n,)``."""
    import faiss

    _, found = faiss.knn(np.ascontiguousarray(features), words, 1)
    numbers: NDArray[np.int64] = found[:, 0]
    return numbers


def pack(head: Mapping[str, Any], arrays: Arrays) -> bytes:
    """A vocabulary as bytes: a line of JSON that says what it is of, then the arrays as little-endian float32."""
    line = json.dumps(head, sort_keys=True).encode() + b"\n"
    return _MARK + line + b"".join(array.astype("<f4").tobytes() for array in arrays.values())


def unpack(data: bytes, head: Mapping[str, Any], shapes: Shapes) -> Arrays:
    """The arrays in *data*, which has to be of this *head* and just as long as *shapes* say.

    Raises:
        ModelError: it is another model's vocabulary, or damaged.
    """
    expected = pack(head, {})
    sizes = [4 * int(np.prod(shape)) for shape in shapes.values()]
    if data[: len(expected)] != expected:
        raise ModelError(
            f"what is to be the vocabulary is not one of {json.dumps(head, sort_keys=True)}; learn it anew."
        )
    if len(data) != len(expected) + sum(sizes):
        raise ModelError(
            f"the vocabulary is damaged: it has {len(data):,} bytes, not {len(expected) + sum(sizes):,}; learn it anew."
        )
    arrays, at = Arrays(), len(expected)
    for (name, shape), size in zip(shapes.items(), sizes, strict=True):
        array = np.frombuffer(data, "<f4", size // 4, at).astype(np.float32).reshape(shape)
        if not (np.abs(array) < np.float32(1e6)).all():
            raise ModelError(f"the vocabulary is damaged: {name} holds numbers that no features have; learn it anew.")
        arrays[name], at = array, at + size
    return arrays


def key(state: bytes) -> str:
    """What stands for a vocabulary in a fingerprint."""
    return hashlib.sha256(state).hexdigest()[:16]
