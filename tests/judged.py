"""Judgements of what an item finds, as somebody would give them who knows the classes; and pictures to be judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin.collection import Collection
from tests import sorts


def sorted_photos(each: int) -> Any:
    """A fixture ``photos``: so many red, green and blue pictures, by their pixels."""

    @pytest.fixture(name="photos")
    def fixture(tmp_path: Path) -> Iterator[Collection]:
        with imagekin.open(tmp_path / "collection", model="pixels") as photos:
            photos.index(sorts.save(tmp_path / "pictures", each), label_from="parent")
            yield photos

    return fixture


def by_classes(photos: Collection, classes: dict[int, int], count: int, *, k: int = 10, seed: int = 0) -> list[int]:
    """Search by so many items and say of each hit whether it is of the item's class; gives the items."""
    asked: list[int] = np.random.default_rng(seed).permutation(sorted(classes))[:count].tolist()
    for number in asked:
        found = [hit.id for hit in photos.search(id=number, k=k)]
        right = [each for each in found if classes[each] == classes[number]]
        photos.judge(number, right=right, wrong=[each for each in found if each not in right])
    return asked
