"""Judgements: kept with the collection, and gone with the pictures that they are of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.errors import InputError, StoreError
from imagekin.store.base import Batch
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import embedder, filled, synthetic_put, synthetic_vectors


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    with imagekin.open(tmp_path / "c") as photos:
        filled(photos.store, 9)
        yield photos


def said(photos: Collection, asked: int | str | None = None) -> list[tuple[int | str, int, bool]]:
    return [(each.asked, each.item, each.fits) for each in photos.judgements(asked)]


def test_what_was_said_is_kept_and_told(photos: Collection, tmp_path: Path) -> None:
    revision = photos.store.revision
    assert photos.judge(1, right=[2, 3], wrong=4) == 3
    assert photos.judge("a beach", right=[5]) == 1
    assert photos.judge(1, right=[2], wrong=[3]) == 1  # the first is known
    assert said(photos) == [(1, 2, True), (1, 4, False), ("a beach", 5, True), (1, 3, False)]
    assert said(photos, "a beach") == [("a beach", 5, True)]
    assert photos.store.judged() == (4, 2)
    assert said(photos, 2) == []
    times = [each.made for each in photos.judgements()]
    assert times == sorted(times) and 1.7e9 < times[0] < 1e10
    assert photos.store.revision == revision, "no item has changed, so caches and maps are as they were"
    with imagekin.open(tmp_path / "c") as other:
        assert said(other) == said(photos)
    assert photos.judge(1, neither=[2, 4, 9]) == 2
    assert said(photos, 1) == [(1, 3, False)]
    assert (photos.forget_judgements(1), photos.forget_judgements(), said(photos)) == (1, 1, [])


def test_a_name_is_never_an_item(photos: Collection) -> None:
    photos.judge(1, right=[2])
    photos.judge("1", right=[3])
    photos.judge("item:1", right=[4])
    assert said(photos, 1) == [(1, 2, True)]
    assert said(photos, "1") == [("1", 3, True)]
    assert said(photos, "item:1") == [("item:1", 4, True)]


def test_judgements_go_with_their_pictures(photos: Collection) -> None:
    photos.judge(1, right=[2, 3])
    photos.judge(4, wrong=[1, 5])
    photos.judge("x", right=[2, 5])
    photos.remove(ids=[2])
    assert said(photos) == [(1, 3, True), (4, 1, False), (4, 5, False), ("x", 5, True)]
    photos.remove(ids=[4])
    assert said(photos) == [(1, 3, True), ("x", 5, True)]
    photos.store.write(Batch(missing=[3]))
    assert len(said(photos)) == 2, "what is missing comes back"


def test_another_content_is_another_picture(tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c") as photos:
        photos.store.claim(embedder())
        rows = synthetic_vectors(4, seed=1)
        photos.store.write(Batch(puts=[synthetic_put(at, rows[at]) for at in range(3)]))
        photos.judge(1, right=[2, 3])
        photos.judge(3, right=[2])
        known = photos.store.lookup([photos.get([1])[0].path])
        again = synthetic_put(0, rows[0])
        photos.store.write(Batch(puts=[again]))  # the same bytes, embedded again
        assert len(said(photos)) == 3 and known
        changed = synthetic_put(0, rows[3])
        photos.store.write(Batch(puts=[type(again)(changed.file, b"x" * 16, 9, 9, changed.vector, None, None, 1)]))
        assert said(photos) == [(3, 2, True)]


@pytest.mark.parametrize(
    ("asked", "what", "message"),
    [
        (1, {}, "no item is judged"),
        (1, {"right": []}, "no item is judged"),
        (1, {"right": [2], "wrong": [2]}, "item 2 is judged in two ways at once"),
        (1, {"right": [2], "neither": [2]}, "item 2 is judged in two ways at once"),
        (1, {"right": [1]}, "item 1 is what was searched by and cannot be judged itself"),
        (99, {"right": [1]}, "has no item 99"),
        (1, {"right": [99]}, "has no item 99"),
        ("", {"right": [1]}, "not of ''"),
        ("x" * 501, {"right": [1]}, "a name of 1 to 500 characters"),
        ("a\0b", {"right": [1]}, "not of"),
        (True, {"right": [2]}, "not of 'True'"),
        (0, {"right": [2]}, "not of '0'"),
        (1, {"right": ["2"]}, "an id is a whole number"),
    ],
)
def test_what_cannot_be_said(photos: Collection, asked: Any, what: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        photos.judge(asked, **what)
    assert said(photos) == []


def test_all_of_it_is_kept_or_nothing(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    photos.judge(1, right=[2])
    store = photos.store
    assert isinstance(store, SqliteStore)

    class Broken(dict[int, bool | None]):
        def items(self) -> Any:
            yield 3, True
            raise StoreError("the disk is full.")

    with pytest.raises(StoreError, match="full"):
        store.judge(1, Broken({3: True}))
    assert said(photos) == [(1, 2, True)]


def test_every_model_of_a_collection_sees_them(photos: Collection) -> None:
    second = photos.store.space(embedder("synthetic-2", 9))
    second.judge(1, {2: True})
    assert said(photos) == [(1, 2, True)]
    assert [each.item for each in second.judgements()] == [2]
