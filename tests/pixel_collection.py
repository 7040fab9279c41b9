"""A collection that embeds by the pixels themselves, and what its reports say in short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.types import Report


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    """An empty collection in ``tmp_path / "collection"``."""
    with imagekin.open(tmp_path / "collection", model="pixels") as collection:
        yield collection


def counts(report: Report) -> dict[str, int]:
    """The figures of a report that are not zero."""
    names = ("added", "updated", "reused", "unchanged", "relabelled", "removed", "missing", "returned")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def paths(photos: Collection) -> list[str]:
    return sorted(item.path for item in photos.items())
