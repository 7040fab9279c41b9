"""What a collection makes of filters: a name that nobody knows is an error, and never a silent nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.errors import InputError
from tests.pictures import folder

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


def test_under_no_folder_is_no_item(photos: Collection) -> None:
    assert photos.search(id=1, under=[]) == []
    assert names(photos, under=()) == []
    assert photos.remove(under=[]) == 0
    assert len(photos) == 3
