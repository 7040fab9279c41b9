from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import searching
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.store.base import MAX_K
from tests.pictures import folder, picture


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    root = folder(tmp_path_factory.mktemp("photos"), [f"{'a' if n % 2 else 'b'}/{n:02}.png" for n in range(20)])
    with imagekin.open(tmp_path_factory.mktemp("collections") / "c", model="pixels") as photos:
        photos.index(root)
        yield photos


def ask(photos: Collection, vectors: Any, own: Any = None, **wish: Any) -> list[list[imagekin.Hit]]:
    return searching.nearest(photos.store, vectors, searching.wish(photos.store, **wish), own)


def by_hand(photos: Collection, query: Any, without: set[int]) -> list[int]:
    """Ids by their cosine to *query*, those of *without* left out."""
    ids, vectors = photos.vectors()
    distances = 1 - vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    return [number for number in ids[np.lexsort((ids, distances))].tolist() if number not in without]


def test_without_more_it_is_the_search_of_the_collection(photos: Collection) -> None:
    query = picture(77)
    assert ask(photos, photos.embed([query]), k=5)[0] == photos.search(query, k=5)


def test_plus_and_minus_turn_the_query_and_are_not_found_themselves(photos: Collection) -> None:
    query = photos.embed([picture(77)])
    plus, minus = searching.of_items(photos.store, [3, 5]), searching.of_items(photos.store, [8])
    turned = query[0] + plus.sum(axis=0) - searching.AWAY * minus[0]
    found = ask(photos, query, k=20, plus=[3, 5], minus=[8])[0]
    assert [hit.id for hit in found] == by_hand(photos, turned, {3, 5, 8})
    assert len(found) == 17


def test_items_alone_make_a_query(photos: Collection) -> None:
    middle = searching.of_items(photos.store, [3, 5]).sum(axis=0)
    nothing = np.zeros((1, photos.store.dim), np.float32)
    assert [hit.id for hit in ask(photos, nothing, k=4, plus=[3, 5])[0]] == by_hand(photos, middle, {3, 5})[:4]


def test_each_query_leaves_out_its_own_item_and_no_other(photos: Collection) -> None:
    vectors = searching.of_items(photos.store, [4, 9])
    for k in (1, 19, 25):
        first, second, third = ask(photos, vectors[[0, 1, 1]], [4, 9, None], k=k)
        assert [hit.id for hit in first] == by_hand(photos, vectors[0], {4})[:k]
        assert [hit.id for hit in second] == by_hand(photos, vectors[1], {9})[:k]
        assert third[0].id == 9


def test_the_most_hits_that_can_be_asked_for(photos: Collection) -> None:
    vectors = searching.of_items(photos.store, [4])
    found = ask(photos, vectors, [4], k=MAX_K, where="id != 7")[0]
    assert [hit.id for hit in found] == by_hand(photos, vectors[0], {4, 7})


def test_the_least_similarity_cuts_the_rest_off(photos: Collection) -> None:
    query = photos.embed([picture(77)])
    every = ask(photos, query, k=20)[0]
    least = every[6].similarity
    assert ask(photos, query, k=20, min_similarity=least)[0] == every[:7]
    assert ask(photos, query, k=3, min_similarity=least)[0] == every[:3]


def test_filters_act_inside(photos: Collection) -> None:
    found = ask(photos, searching.of_items(photos.store, [2]), [2], k=6, label="a", plus=[4])[0]
    assert len(found) == 6
    assert {hit.label for hit in found} == {"a"}


@pytest.mark.parametrize(
    "wish",
    [{"k": 0}, {"min_similarity": 2}, {"min_similarity": float("nan")}, {"plus": [0.5]}, {"plus": [999]}, {"zoom": 1}],
    ids=str,
)
def test_what_makes_no_sense_is_said(photos: Collection, wish: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ask(photos, photos.embed([picture(1)]), **wish)


def test_what_cancels_out_is_said(photos: Collection) -> None:
    with pytest.raises(InputError, match="nothing is left"):
        ask(photos, -normalized(searching.of_items(photos.store, [3])), plus=[3])
