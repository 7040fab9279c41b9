"""One model on labelled pictures: what its vectors are worth, and what they cost."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import evaluation, images, learning
from imagekin.embed.base import Embedder
from imagekin.errors import ImagekinError, InputError
from imagekin.leaderboard.pictures import Pictures
from imagekin.pipeline import Pipeline, batched
from imagekin.types import Pixels, Skipped

CUTOFFS: Final = (4, 1, 10)
SHOWN: Final = ("precision@4", "precision@1", "precision@10", "mAP@R", "R-precision")
"""Figures of an evaluation that a record has, each with the ends of its interval."""

SECONDS: Final = 1.0
"""For each measurement of speed."""

_WARM: Final = 3
_LEAST: Final = 5

Tell = Callable[[int], None]


@dataclass(slots=True)
class Embedded:
    """What became of the pictures.

    Attributes:
        vectors: ``(n, dim)``, halves as a collection stores them.
        labels: of these.
        skipped: pictures that gave none.
        seconds: from the first file to the last vector.
        some: the first pictures, prepared, to time the network alone.
    """

    vectors: NDArray[np.float16]
    labels: list[str]
    skipped: list[Skipped]
    seconds: float
    some: list[Pixels] = field(default_factory=list)


def measure(embedder: Embedder, pictures: Pictures, *, seed: int = 0, tell: Tell | None = None) -> dict[str, Any]:
    """The figures of a model: accuracy with intervals by class, speed, size.

    Accuracy is leave-one-out: every picture asks all others, and the label of what is found is compared with its own.
    Speed is the whole way from files on disk to vectors over every core (``images_per_s``), the network alone on
    pictures that are ready (``network_per_s``), and one picture alone, as a query is (``query_ms``, the median).

    Raises:
        ImagekinError: the model cannot do it.
    """
    if embedder.learns and embedder.state() is None:
        learning.teach(embedder, pictures.paths)
    _prepared(embedder, pictures.paths[0])  # the first picture opens the network, which is not its speed
    found = embed(embedder, pictures, tell)
    if len(found.labels) <= max(CUTOFFS):
        first = found.skipped[0].reason if found.skipped else "there are no more"
        raise InputError(
            f"only {len(found.labels)} of the {len(pictures.paths):,} pictures gave a vector; the first: {first}"
        )
    judged = evaluation.evaluate(found.vectors, found.labels, k=CUTOFFS, seed=seed)
    figures: dict[str, Any] = {}
    for each in judged.figures:
        if each.name in SHOWN:
            figures |= {each.name: each.value, f"{each.name} low": each.low, f"{each.name} high": each.high}
    figures |= {
        "classes": judged.classes,
        "skipped": len(found.skipped),
        "images_per_s": (len(found.labels) + len(found.skipped)) / max(found.seconds, 1e-9),
        "network_per_s": _rate(embedder, found.some),
        "query_ms": _query(embedder, found.some) * 1e3,
        "bytes": 2 * embedder.dim,
        "dim": embedder.dim,
    }
    return figures


def embed(embedder: Embedder, pictures: Pictures, tell: Tell | None = None) -> Embedded:
    """The vectors of every picture that has one; decoding and the network share the cores, as in indexing."""
    start = time.perf_counter()
    vectors: list[NDArray[np.float16]] = []
    labels: list[str] = []
    skipped: list[Skipped] = []
    some: list[Pixels] = []
    with Pipeline() as pipeline:
        loaded = pipeline.map(
            lambda pair: _loaded(embedder, *pair),
            zip(pictures.paths, pictures.labels, strict=True),
            ahead=2 * embedder.batch_size,
        )
        batches = batched(_ready(loaded, skipped), embedder.batch_size)
        room = 4 * embedder.batch_size
        for batch, made in pipeline.map(lambda batch: (batch, _run(embedder, batch)), batches, ahead=pipeline.workers):
            vectors.append(made.astype(np.float16))
            labels += [label for _, label in batch]
            some += [pixels for pixels, _ in batch[: max(0, room - len(some))]]
            if tell is not None:
                tell(len(labels) + len(skipped))
    seconds = time.perf_counter() - start
    found = np.concatenate(vectors) if vectors else np.empty((0, embedder.dim), np.float16)
    return Embedded(found, labels, skipped, seconds, some)


def _run(embedder: Embedder, batch: list[tuple[Pixels, str]]) -> NDArray[np.float32]:
    return embedder.embed_prepared(np.stack([pixels for pixels, _ in batch]))


def _loaded(embedder: Embedder, path: str, label: str) -> tuple[Pixels, str] | Skipped:
    try:
        return _prepared(embedder, path), label
    except ImagekinError as error:
        return Skipped(path, str(error))


def _prepared(embedder: Embedder, path: str) -> Pixels:
    return embedder.prepare(images.load(path, target=embedder.recipe.decode_side).image)


def _ready(loaded: Iterator[tuple[Pixels, str] | Skipped], skipped: list[Skipped]) -> Iterator[tuple[Pixels, str]]:
    for each in loaded:
        if isinstance(each, Skipped):
            skipped.append(each)
        else:
            yield each


def _rate(embedder: Embedder, some: list[Pixels]) -> float:
    """Pictures a second of the network alone, batches on every core."""
    batch = np.stack(list(itertools.islice(itertools.cycle(some), embedder.batch_size)))
    with Pipeline() as pipeline:
        start, done = time.perf_counter(), 0
        rounds = itertools.takewhile(lambda _: time.perf_counter() - start < SECONDS, itertools.count())
        for made in pipeline.map(lambda _: embedder.embed_prepared(batch), rounds, ahead=pipeline.workers):
            done += len(made)
        return done / (time.perf_counter() - start)


def _query(embedder: Embedder, some: list[Pixels]) -> float:
    """Seconds that one prepared picture takes alone: the median."""
    times: list[float] = []
    start = time.perf_counter()
    for number in itertools.count():
        before = time.perf_counter()
        embedder.embed_prepared(some[number % len(some)][None])
        times.append(time.perf_counter() - before)
        if len(times) >= _WARM + _LEAST and time.perf_counter() - start > SECONDS:
            break
    return statistics.median(times[_WARM:])
