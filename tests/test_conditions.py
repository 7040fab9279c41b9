"""What a collection makes of filters: a name that nobody knows is an error, and never a silent nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.errors import InputError
from tests.pictures import folder, picture

NAMES = ["cat/0.png", "cat/1.png", "dog/2.png"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = folder(tmp_path / "photos", NAMES)
    rows = ["path,label,price,camera model,width", "cat/0.png,cat,5,Canon,3", "cat/1.png,,7,Nikon,3"]
    (root / "labels.csv").write_text("\n".join(rows))
    return root


@pytest.fixture
def photos(root: Path, tmp_path: Path) -> Iterator[Collection]:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root, label_from=str(root / "labels.csv"))
        yield photos


def names(photos: Collection, **conditions: Any) -> list[str]:
    return [Path(item.path).name for item in photos.items(**conditions)]


VERBS: dict[str, Callable[..., Any]] = {
    "search": lambda photos, **conditions: photos.search(id=1, **conditions),
    "items": lambda photos, **conditions: photos.items(**conditions),
    "count": lambda photos, **conditions: photos.count(**conditions),
    "remove": lambda photos, **conditions: photos.remove(**conditions),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("widht >= 100", "'widht', which the filter asks for; Did you mean 'width'?"),
        ("lable != 'dog'", "Did you mean 'label'?"),
        ("width > 1 and not prize > 5", "Did you mean 'price'?"),
        ("meta['height'] > 5", "no picture of the collection has 'height'"),
        ("zzz in (1, 2)", "metadata columns: 'camera model', 'price', 'width'."),
    ],
)
def test_a_mistyped_name_is_an_error(photos: Collection, verb: str, where: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        VERBS[verb](photos, where=where)
    assert hint in str(caught.value)
    assert len(photos) == 3


def test_columns_of_the_label_file_are_known(photos: Collection) -> None:
    assert photos.store.columns() == {"price", "camera model", "width"}
    assert photos.store.columns(["price", "prize"]) == {"price"}
    assert names(photos, where="price > 5") == ["1.png"]
    assert names(photos, where="meta['camera model'] == 'Canon'") == ["0.png"]
    assert names(photos, where="meta['width'] == 3") == ["0.png", "1.png"]
    assert names(photos, where="label in (None, 'cat')") == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize("verb", VERBS)
def test_an_empty_folder_name_is_not_the_current_folder(
    photos: Collection, root: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(InputError, match=r"'' names no folder; write \. for the current one"):
        VERBS[verb](photos, under="")
    assert len(photos) == 3
    assert photos.count(under=".") == 3


@pytest.mark.parametrize("wrong", ["", " ", b"photos", None, 5, ["a", "b"]], ids=repr)
def test_what_names_no_folder_is_not_indexed(
    photos: Collection, wrong: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    with pytest.raises(InputError):
        photos.index(wrong)
    assert photos.roots() == {str(root): str(root / "labels.csv")}


WRONG: dict[str, Callable[[Any], Any]] = {
    "k as text": lambda photos: photos.search(id=1, k="5"),
    "k absent": lambda photos: photos.search(id=1, k=None),
    "k with a fraction": lambda photos: photos.search(picture(0), k=5.0),
    "k of a picture": lambda photos: photos.search(picture(0), k="5"),
    "k too large": lambda photos: photos.search(id=1, k=100_001),
    "crop as text": lambda photos: photos.search(picture(0), crop="1,2,3,4"),
    "crop as digits": lambda photos: photos.search(picture(0), crop="1234"),
    "crop as a number": lambda photos: photos.search(picture(0), crop=5),
    "crop of nothing": lambda photos: photos.search(picture(0), crop=(None, 0, 1, 1)),
    "crop outside an item": lambda photos: photos.search(id=1, crop=(9000, 9000, 5, 5)),
    "labels": lambda photos: photos.search(id=1, label=["a"]),
    "where": lambda photos: photos.search(id=1, where=5),
    "under": lambda photos: photos.search(id=1, under=5),
    "after too large": lambda photos: photos.items(after=2**70),
    "after as text": lambda photos: photos.items(after="a"),
    "a negative limit": lambda photos: photos.items(limit=-1),
    "engine": lambda photos: setattr(photos, "engine", 5),
    "an address": lambda photos: imagekin.open("milvus://host:19530/photos"),
    "a number to open": lambda photos: imagekin.open(5),  # type: ignore[arg-type]
    "bytes to open": lambda photos: imagekin.open(b"photos"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_an_argument_of_the_wrong_kind_is_one_sentence(
    photos: Collection, call: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        call(photos)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    assert sorted(tmp_path.iterdir()) == before


def test_the_largest_k_leaves_an_item_out_of_its_own_answer(photos: Collection) -> None:
    some, most = (photos.search(id=[1, 3], k=k) for k in (10, 100_000))
    assert most == some
    assert len(photos.search(id=1, k=100_000, exclude_self=False)) == 3
    assert len(photos.search(id=1, k=100_000, where="price == 7")) == 1
    with pytest.raises(InputError, match="k is 100001;"):
        photos.search(id=1, k=100_001)


def test_a_listing_ends_where_it_is_told_to(photos: Collection) -> None:
    assert [item.id for item in photos.items(limit=0)] == []
    assert [item.id for item in photos.items(limit=2)] == [1, 2]
    assert [item.id for item in photos.items(after=2, limit=2)] == [3]


def test_an_engine_for_a_collection_without_pictures_is_tried_with_the_models_vectors(tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "new", engine="faiss:PQ320x4fs") as photos:  # 320 parts of 1,280 numbers
        assert photos.engine == "faiss:PQ320x4fs"
    with pytest.raises(InputError), imagekin.open(tmp_path / "newer", engine="faiss:PQ333x4fs"):
        pass
    assert not (tmp_path / "newer").exists()


def test_the_engine_in_use_is_told(photos: Collection) -> None:
    photos.engine = "faiss:IVF5000,Flat"
    photos.index()
    info = photos.info()
    assert (info["engine"], info["serving"]) == ("faiss:IVF5000,Flat", "exact")
    assert "faiss:IVF5000,Flat is not built over 3 images" in info["reason"]


def test_under_no_folder_is_no_item(photos: Collection) -> None:
    assert photos.search(id=1, under=[]) == []
    assert names(photos, under=()) == []
    assert photos.remove(under=[]) == 0
    assert len(photos) == 3
