"""Searching by several models at once: the arithmetic by hand, and the doors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import imagekin
from imagekin import fusing
from imagekin.collection import Collection
from imagekin.errors import InputError, MismatchError, UnknownNameError
from imagekin.fusing import Share
from imagekin.types import Hit
from tests.pictures import folder, picture

OTHER = "pixels(side=4)"


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Collection]:
    root = folder(tmp_path / "p", [f"{number:02}.png" for number in range(30)])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
    with imagekin.open(tmp_path / "c", model=OTHER) as photos:
        photos.index()
    with imagekin.open(tmp_path / "c") as photos:
        yield photos


def hits(*pairs: tuple[int, float]) -> list[Hit]:
    return [
        Hit(number, f"/{number}", 1, 1, distance=1 - similarity, similarity=similarity) for number, similarity in pairs
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a,b", [Share("a"), Share("b")]),
        ("a,b:0.5", [Share("a"), Share("b", 0.5)]),
        (" a:2 , b:.25", [Share("a", 2), Share("b", 0.25)]),
        (("a", "b:3"), [Share("a"), Share("b", 3)]),
        ("timm:vit.x,pixels(a=4, b=2):2", [Share("timm:vit.x"), Share("pixels(a=4, b=2)", 2)]),
    ],
)
def test_models_and_weights_are_read(written: str, meant: list[Share]) -> None:
    assert fusing.shares(written) == meant


@pytest.mark.parametrize("written", ["a", "", "a,", ",a", "a,a", "a,a:2", "a,b:0", ("a", 7, ""), []])
def test_what_names_no_two_models_is_refused(written: str) -> None:
    with pytest.raises(InputError, match="fuse"):
        fusing.shares(written)


def test_ranks_are_fused_as_in_the_paper() -> None:
    one, two = hits((1, 0.9), (2, 0.8), (3, 0.5)), hits((3, 0.7), (1, 0.6))
    fused = fusing.fused_hits([one, two], [1, 1])
    assert [hit.id for hit in fused] == [1, 3, 2]  # 1/61 + 1/62, 1/63 + 1/61, 1/62
    # what the second list has not got counts there as its last one
    assert [hit.similarity for hit in fused] == pytest.approx([0.75, 0.6, 0.7])
    assert [hit.distance for hit in fused] == pytest.approx([0.25, 0.4, 0.3])
    heavy = fusing.fused_hits([one, two], [1, 3])
    assert [hit.id for hit in heavy] == [3, 1, 2]  # 1: 1/61 + 3/62 = .06478; 3: 1/63 + 3/61 = .06505
    assert heavy[0].similarity == pytest.approx((0.5 + 3 * 0.7) / 4)


def test_scores_are_scaled_before_they_are_added() -> None:
    one, two = hits((1, 0.9), (2, 0.8), (3, 0.5)), hits((2, 0.2), (3, 0.1))
    fused = fusing.fused_hits([one, two], [1, 1], by="score")
    assert [hit.id for hit in fused] == [2, 1, 3]  # 0.75 + 1, 1 + 0, 0 + 0
    assert fusing.fused_hits([one, hits()], [1, 5], by="score")[0].id == 1
    assert [hit.id for hit in fusing.fused_hits([hits((4, 0.5), (2, 0.5))], [1], by="score")] == [2, 4]  # ties by id
    assert fusing.fused_hits([[], []], [1, 1]) == []


@pytest.mark.parametrize("by", ["rank", "score"])
def test_a_collection_is_searched_by_both(both: Collection, by: str) -> None:
    first, second = both.search(picture(3), k=30), both.using(OTHER).search(picture(3), k=30)
    fused = both.search(picture(3), k=30, fuse=("pixels", OTHER), fuse_by=by)
    assert fused == fusing.fused_hits([first, second], [1, 1], by=by)
    assert {hit.id for hit in fused} == {hit.id for hit in first} and fused[0].id == first[0].id
    assert both.using(OTHER).search(picture(3), k=30, fuse="pixels," + OTHER, fuse_by=by) == fused  # from either side
    assert both.search(picture(3), k=5, fuse=("pixels", OTHER), fuse_by=by) == fused[:5]


def test_queries_of_every_kind_are_fused(both: Collection) -> None:
    fuse = f"pixels,{OTHER}:0.5"
    by_id = both.search(id=4, k=5, fuse=fuse)
    assert len(by_id) == 5 and 4 not in [hit.id for hit in by_id]
    rows: list[object] = [*both.search(id=[4, 5], k=5, fuse=fuse)]
    assert rows == [by_id, both.search(id=5, k=5, fuse=fuse)]
    assert both.search(id=4, k=5, fuse=fuse, exclude_self=False)[0].id == 4
    two = both.search([picture(1), picture(2)], k=3, fuse=fuse)
    assert [row[0].id for row in two] == [2, 3]
    assert both.search([], fuse=fuse) == []
    some = both.search(picture(1), k=30, fuse=fuse, where="id > 20")
    assert sorted(hit.id for hit in some) == list(range(21, 31))
    near = both.search(picture(1), k=30, fuse=fuse, min_similarity=0.5)
    assert 0 < len(near) < 30 and min(hit.similarity for hit in near) >= 0.5
    assert both.search(plus=[1, 2], k=4, fuse=fuse)
    assert both.search(picture(1), crop=(0, 0, 20, 20), k=4, fuse=fuse)


def test_what_cannot_be_fused_is_told(both: Collection) -> None:
    with pytest.raises(
        MismatchError, match=f"only those of pixels and {OTHER}".replace("(", r"\(").replace(")", r"\)")
    ):
        both.search(picture(1), fuse="pixels,pixels(side=2)")
    with pytest.raises(UnknownNameError):
        both.search(picture(1), fuse="pixels,nothing")
    with pytest.raises(InputError, match="fuse_by is 'sum'"):
        both.search(picture(1), fuse=("pixels", OTHER), fuse_by="sum")
    with pytest.raises(InputError, match="verify and fuse"):
        both.search(picture(1), fuse=("pixels", OTHER), verify=3)
    with pytest.raises(InputError, match="fuse_by"):
        both.search(picture(1), fuse_by="rank")


def test_a_model_is_used_and_forgotten_by_name(both: Collection) -> None:
    assert both.using(OTHER) is both.using(OTHER)
    assert len(both.using("pixels").vectors()[1][0]) == 193
    both.forget_model(OTHER)
    assert [model["name"] for model in both.info()["models"]] == ["pixels"]
    with pytest.raises(MismatchError):
        both.forget_model(OTHER)
