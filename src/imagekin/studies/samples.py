"""Pictures that stand for others in a report: typical ones, and examples with their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from imagekin.distance import normalized
from imagekin.studies.records import Neighbours

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.types import Hit, Vectors

EXAMPLES: Final = 6
HITS: Final = 5
MOST: Final = 132
"""Classes that are shown by a picture."""


def typical(photos: Collection, labels: Sequence[str], *, seed: int = 0) -> tuple[tuple[str, int], ...]:
    """For each of the first labels, by name, the picture nearest to the mean of its class.

    Args:
        photos: the collection.
        labels: most important first; without any, pictures are drawn at random and named by their files.
        seed: of that draw.

    Returns:
        Label and id.
    """
    ids, vectors = photos.vectors()
    items = photos.get(ids.tolist())
    if len(labels) < 2:
        rows = np.sort(np.random.default_rng(seed).choice(len(ids), min(44, len(ids)), replace=False)).tolist()
        return tuple((items[row].path.rpartition("/")[2], int(ids[row])) for row in rows)
    of_class: dict[str, list[int]] = {label: [] for label in sorted(labels[:MOST])}
    for row, item in enumerate(items):
        if item.label in of_class:
            of_class[item.label].append(row)
    return tuple((label, int(ids[_central(vectors, rows)])) for label, rows in of_class.items() if rows)


def _central(vectors: Vectors, rows: list[int]) -> int:
    unit = normalized(np.asarray(vectors[rows], np.float32))
    return rows[int(np.argmax(unit @ unit.mean(axis=0)))]


def neighbours(photos: Collection, *, seed: int = 0) -> tuple[Neighbours, ...]:
    """Some pictures, each of another class where there are labels, with their nearest others."""
    ids, _ = photos.vectors()
    chosen: dict[object, int] = {}
    for id in np.random.default_rng(seed).permutation(ids)[: 50 * EXAMPLES].tolist():
        label = photos.get([id])[0].label
        chosen.setdefault(id if label is None else label, id)
        if len(chosen) == EXAMPLES:
            break
    asked = list(chosen.values())
    answers = cast("list[list[Hit]]", photos.search(id=asked, k=HITS))  # several ids, several answers
    return tuple(
        Neighbours(id, tuple(hit.id for hit in hits), tuple(hit.distance for hit in hits))
        for id, hits in zip(asked, answers, strict=True)
    )
