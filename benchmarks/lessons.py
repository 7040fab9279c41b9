"""Labelled pictures, decoded and scaled once, and parted into those that are learned from and those that ask."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import pictures
from benchmarks.record import cores
from imagekin import evaluation, fingerprint, images, metrics
from imagekin.embed.base import Embedder, Recipe
from imagekin.evaluation import Evaluation
from imagekin.train import examples
from imagekin.train.examples import Examples
from imagekin.types import Pixels, Vectors

Rows = NDArray[np.int64]

CUTOFFS = (4, 1)
STEP = 64
"""Pictures that a thread embeds at a time."""


@dataclass(frozen=True)
class Lessons:
    """Pictures of labelled folders.

    Attributes:
        paths: of the pictures.
        names: of the classes.
        codes: ``(n,)`` the class of each picture.
        pixels: ``(n, height, width, 3)`` ready for a network.
        learn: rows to learn from, half of each class.
        held: the others.
        fresh: rows of classes that are not learned from in the second trial, a fifth of them.
        known: rows of ``learn`` of the other classes.
    """

    paths: tuple[str, ...]
    names: tuple[str, ...]
    codes: Rows
    pixels: Pixels
    learn: Rows
    held: Rows
    fresh: Rows
    known: Rows

    def labels(self, rows: Rows) -> list[str]:
        """The class of each of *rows*."""
        return [self.names[code] for code in self.codes[rows].tolist()]

    def fewer(self, rows: Rows, each: int) -> Rows:
        """At most *each* of *rows* of every class."""
        order = rows[np.argsort(self.codes[rows], kind="stable")]
        codes = self.codes[order]
        return np.sort(order[np.arange(len(order)) - np.searchsorted(codes, codes) < each])

    def folder(self, rows: Rows, into: Path) -> Path:
        """Copies of *rows* in a folder for each class."""
        for row in rows.tolist():
            copy = into / self.names[self.codes[row]] / f"{row:06d}{Path(self.paths[row]).suffix}"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(Path(self.paths[row]).read_bytes())
        return into


def prepared(root: Path, recipe: Recipe, seed: int) -> Lessons:
    """The pictures under *root* as *recipe* scales them, each once, parted as heads are tried on collections.

    Pictures that cannot be read are left out, copies too, and all copies of one that has several labels.
    """
    with ThreadPoolExecutor(cores()) as pool:
        found = list(pool.map(partial(_scaled, recipe), pictures.listed(root)))
    read = [(path, scaled) for path, scaled in zip(pictures.listed(root), found, strict=True) if scaled is not None]
    pixels = np.stack([scaled for _, scaled in read])
    labels = [Path(path).parent.name for path, _ in read]
    rows = distinct(pixels, labels)
    names, codes = np.unique(np.array(labels)[rows], return_inverse=True)
    given = Examples(np.empty((len(rows), 0), np.float32), codes, tuple(names.tolist()), ())
    everything = np.arange(len(rows))
    learn, held = examples.halves(given, everything, seed)
    fresh = examples.unseen(given, everything, seed)
    if fresh is None:
        raise SystemExit(f"{root} has too few classes to hold some out; name a folder with four or more.")
    paths = tuple(read[row][0] for row in rows.tolist())
    known = np.setdiff1d(learn, fresh)
    return Lessons(paths, given.labels, codes, pixels[rows], learn, held, fresh, known)


def distinct(pixels: NDArray[Any], labels: Sequence[str]) -> Rows:
    """The first row of each different picture, but of those with several labels."""
    seen: dict[bytes, list[int]] = {}
    for row, picture in enumerate(pixels):
        seen.setdefault(hashlib.blake2b(picture.tobytes(), digest_size=16).digest(), []).append(row)
    return np.sort([rows[0] for rows in seen.values() if len({labels[row] for row in rows}) == 1])


def embedded(embedder: Embedder, pixels: Pixels) -> Vectors:
    """Vectors of prepared pictures, every core at work."""
    parts = [pixels[at : at + STEP] for at in range(0, len(pixels), STEP)]
    with ThreadPoolExecutor(cores()) as pool:
        return np.concatenate(list(pool.map(embedder.embed_prepared, parts)))


def measured(vectors: NDArray[Any], labels: Sequence[str], seed: int) -> Evaluation:
    """Each asks all others, by cosine."""
    return evaluation.evaluate(vectors, labels, k=CUTOFFS, seed=seed)


def figures(found: Evaluation, before: Evaluation, seed: int) -> dict[str, Any]:
    """What is kept of a measurement, with the points of precision gained and their 95 % interval over classes."""
    rows = {one.label: one for one in before.per_class}
    counts = np.array([one.queries for one in found.per_class])
    gains = np.array([one.precision - rows[one.label].precision for one in found.per_class]) * counts
    low, high = metrics.class_bootstrap(gains, counts, seed=seed)
    names = {f"precision@{CUTOFFS[0]}": "precision@4", "mAP@R": "mAP@R", "hit_rate@1": "R@1"}
    kept: dict[str, Any] = {
        "queries": found.queries,
        "classes": found.classes,
        "gain": {"value": short(gains.sum() / counts.sum()), "low": short(low), "high": short(high)},
    }
    for name, title in names.items():
        one = found.figure(name)
        kept[title] = {"value": short(one.value), "low": short(one.low), "high": short(one.high)}
    return kept


def digest(path: str) -> bytes:
    """Of a file's content, as collections keep it."""
    return fingerprint.of_bytes(Path(path).read_bytes())


def _scaled(recipe: Recipe, path: str) -> Pixels | None:
    from imagekin.errors import ImageError

    try:
        return recipe.apply(images.load(path, target=recipe.decode_side).image)
    except ImageError:
        return None


def short(value: Any) -> float:
    return round(float(value), 5)
