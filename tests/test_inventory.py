"""What a collection holds as one number."""

from __future__ import annotations

from pathlib import Path

from imagekin import inventory
from imagekin.collection import Collection
from tests.pictures import folder, save


def test_the_number_is_of_what_is_there_whatever_was_done_to_get_there(photos: Collection, tmp_path: Path) -> None:
    assert inventory.of(photos.store) == 0
    root = folder(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    photos.index(root)
    before = inventory.of(photos.store)
    assert before == sum(inventory.one(item.id, bytes.fromhex(item.hash)) for item in photos.items()) % 2**128
    photos.index(root)
    assert inventory.of(photos.store) == before
    (root / "a.png").rename(root / "moved.png")
    photos.index(root)
    assert inventory.of(photos.store) == before  # the item and its content are as they were
    item = next(photos.items())
    photos.remove(item.id)
    left = inventory.of(photos.store)
    assert left == inventory.without(before, [(item.id, bytes.fromhex(item.hash))]) != before


def test_another_content_is_another_number(photos: Collection, tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", ["a.png", "b.png"])
    photos.index(root)
    before = inventory.of(photos.store)
    save(root / "a.png", 77)
    photos.index(root)
    assert inventory.of(photos.store) != before
    assert inventory.one(1, b"x" * 16) != inventory.one(2, b"x" * 16) != inventory.one(2, b"y" * 16)


def test_what_is_absent_does_not_count(photos: Collection, tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", ["a.png", "b.png"])
    photos.index(root)
    before = inventory.of(photos.store)
    root.rename(tmp_path / "away")
    photos.index()
    assert inventory.of(photos.store) == 0
    (tmp_path / "away").rename(root)
    photos.index()
    assert inventory.of(photos.store) == before
