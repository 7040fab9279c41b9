"""A folder in which pictures are there several times, and a collection of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagekin
from imagekin.collection import Collection
from tests.photographs import photograph, save

COPIES = {"a.jpg": ["b/copy.jpg", "b/z.jpg"], "c.jpg": ["d/small.jpg"]}
"""What is kept, and its copies: of the first of equal bytes, of the second half its size."""

ALONE = "e.jpg"


def pictures(root: Path) -> Path:
    """Write the folder."""
    first = save(root / "a.jpg", photograph(1), quality=95).read_bytes()
    (root / "b").mkdir()
    for name in COPIES["a.jpg"]:
        (root / name).write_bytes(first)
    save(root / "c.jpg", photograph(2), quality=95)
    save(root / "d/small.jpg", photograph(2).resize((180, 120)), quality=70)
    save(root / ALONE, photograph(3))
    return root


@contextmanager
def collection(place: Path, root: Path) -> Iterator[Collection]:
    """The folder in a collection."""
    with imagekin.open(place, model="pixels") as photos:
        photos.index(root)
        yield photos


def tree(root: Path) -> dict[str, bytes]:
    """The content of every file below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
