"""Judgements of what an item finds, as somebody would give them who knows the classes."""

from __future__ import annotations

import numpy as np

from imagekin.collection import Collection


def by_classes(photos: Collection, classes: dict[int, int], count: int, *, k: int = 10, seed: int = 0) -> list[int]:
    """Search by so many items and say of each hit whether it is of the item's class; gives the items."""
    asked: list[int] = np.random.default_rng(seed).permutation(sorted(classes))[:count].tolist()
    for number in asked:
        found = [hit.id for hit in photos.search(id=number, k=k)]
        right = [each for each in found if classes[each] == classes[number]]
        photos.judge(number, right=right, wrong=[each for each in found if each not in right])
    return asked
