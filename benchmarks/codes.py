"""How long the vectors of a small network should be: its layer before the classes, fc2, of 2 to 512 numbers.

The pictures are Fashion-MNIST's where it is there.  Else others stand in: the ten largest classes of the labelled
folders, made into 28 x 28 grey pictures, half of each learned from and the other half searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import lessons
from benchmarks.energy import Meter
from benchmarks.lessons import Lessons
from imagekin import datasets, embed, evaluation, train
from imagekin.errors import DatasetError
from imagekin.train import examples
from imagekin.train.examples import Examples
from imagekin.types import Pixels

SIZES: Final = (2, 4, 8, 16, 32, 64, 128, 256, 512)
SIDE: Final = 28
CLASSES: Final = 10

LEARNED: Final = 6_000
ASKED: Final = 4_000
"""Of Fashion-MNIST, drawn at random."""

PLAN: Final[dict[str, Any]] = {"unfreeze": None, "epochs": 12, "augment": "flip", "backbone": 1.0, "batch": 64}

Figures = dict[str, Any]


@dataclass(frozen=True)
class Clothes:
    """Small grey pictures to learn from and others to be searched.

    Attributes:
        name: of where they come from.
        learn: pictures ``(n, 28, 28)`` and their labels.
        held: likewise.
    """

    name: str
    learn: tuple[Pixels, list[str]]
    held: tuple[Pixels, list[str]]


def measure(
    clothes: Clothes, work: Path, *, seed: int, watts: float, known: Figures, done: Callable[[str, Any], None]
) -> None:
    """Raw pixels, the built-in model, and a small network for each size that is not *known*; each is told when done."""
    pixels, labels = clothes.held
    facts = {"name": clothes.name, "learned": len(clothes.learn[1]), "asked": len(labels)}
    if known.get("facts") != facts:
        done("facts", facts)
        flat = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
        done("raw pixels", {"numbers": flat.shape[1], **_figures(flat, labels, "euclidean", seed)})
        vectors = embed.create().embed(list(_coloured(pixels)))
        done("the built-in model", {"numbers": vectors.shape[1], **_figures(vectors, labels, "cosine", seed)})
    folder = written(*clothes.learn, work / "small")
    for size in (size for size in SIZES if str(size) not in known):
        meter = Meter(watts)
        model = f"cnn(fc2={size}, side={SIDE})"
        learned = train.finetune(folder, model, out=work / f"fc2-{size}", seed=seed, **PLAN)
        used = meter.used()
        vectors = embed.create(str(learned.run.folder)).embed(list(_coloured(pixels)))
        done(str(size), {"numbers": size, **_figures(vectors, labels, "cosine", seed), "work": used})


def clothes(given: Lessons, fashion: Path | None, seed: int) -> Clothes:
    """Fashion-MNIST, or what stands in for it."""
    try:
        parts = [datasets.arrays(name, folder=fashion) for name in ("train", "test")]
    except DatasetError:
        if fashion is not None:
            raise
        return stand_in(given, seed)
    found = []
    for part, most in zip(parts, (LEARNED, ASKED), strict=True):
        some = np.sort(np.random.default_rng(seed).permutation(len(part))[:most])
        found.append((part.images[some], [part.classes[label] for label in part.labels[some]]))
    return Clothes("Fashion-MNIST", found[0], found[1])


def stand_in(given: Lessons, seed: int) -> Clothes:
    """The largest classes of other pictures, small and grey on black."""
    largest = np.argsort(-np.bincount(given.codes), kind="stable")[:CLASSES]
    rows = np.flatnonzero(np.isin(given.codes, largest))
    pixels = np.stack([small(given.paths[row]) for row in rows.tolist()])
    labels = np.array(given.labels(rows))
    parted = Examples(np.empty((len(rows), 0), np.float32), given.codes[rows], given.names, ())
    halves = examples.halves(parted, np.arange(len(rows)), seed)
    learn, held = ((pixels[half], labels[half].tolist()) for half in halves)
    return Clothes(f"a stand-in, {len(largest)} classes of other pictures", learn, held)


def small(path: str) -> Pixels:
    """A picture as Fashion-MNIST has them: 28 x 28, grey, dark things light on black."""
    with Image.open(path) as picture:
        grey = picture.convert("L")
    side = max(grey.size)
    square = Image.new("L", (side, side), 255)
    square.paste(grey, ((side - grey.width) // 2, (side - grey.height) // 2))
    return np.asarray(255 - np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)), np.uint8)


def written(pixels: Pixels, labels: list[str], into: Path) -> Path:
    """As files, in a folder for each class."""
    for number, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        path = into / label.replace("/", "-") / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return into


def _coloured(pixels: Pixels) -> Iterator[Pixels]:
    return (np.repeat(picture[:, :, None], 3, axis=2) for picture in pixels)


def _figures(vectors: NDArray[Any], labels: list[str], metric: str, seed: int) -> Figures:
    found = evaluation.evaluate(vectors, labels, k=(4, 10), metric=metric, seed=seed)
    names = {"precision@4": "precision@4", "mAP@R": "mAP@R", "kNN by distance@10": "accuracy"}
    return {title: lessons.short(found.figure(name).value) for name, title in names.items()}
