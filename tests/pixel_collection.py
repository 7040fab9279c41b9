"""A collection that embeds by the pixels themselves, and what its reports say in short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.types import Report


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    """An empty collection in ``tmp_path / "collection"``."""
    with imagekin.open(tmp_path / "collection", model="pixels") as collection:
        yield collection


def indexed(scope: Literal["function", "module"], name: str = "photos") -> Any:
    """A fixture: a collection of what the fixture ``root`` of a module gives."""

    @pytest.fixture(scope=scope, name=name)
    def fixture(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
        with imagekin.open(tmp_path_factory.mktemp("collections") / "c", model="pixels") as photos:
            photos.index(root)
            yield photos

    return fixture


def counts(report: Report) -> dict[str, int]:
    """The figures of a report that are not zero."""
    names = ("added", "updated", "reused", "unchanged", "relabelled", "removed", "missing", "returned")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def paths(photos: Collection) -> list[str]:
    return sorted(item.path for item in photos.items())
