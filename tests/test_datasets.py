"""The family of data sets: its table, labelled folders, tables of paths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagekin import datasets
from imagekin.datasets import DATASETS, caltech, mnist
from imagekin.datasets.base import Recipe
from imagekin.errors import DatasetError, InputError, UnknownNameError
from tests.pictures import folder

pytestmark = pytest.mark.usefixtures("home")


def test_every_data_set_is_described_and_loads_its_recipe() -> None:
    assert list(DATASETS) == ["caltech101", "fashion-mnist", "imaterialist-product"]
    for name, entry in DATASETS.items():
        recipe = DATASETS.load(name)()
        assert isinstance(recipe, Recipe)
        assert recipe.name == name and recipe.home.startswith("https://") and recipe.terms
        assert entry.summary


def test_published_hashes_have_their_form() -> None:
    for known in (caltech.PUBLISHED, *mnist.PUBLISHED.values()):
        assert len(bytes.fromhex(known.sha256)) == 32
    assert sum(known.size for known in mnist.PUBLISHED.values()) == 30_878_645


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="caltech101, fashion-mnist, imaterialist-product"):
        datasets.load(str(tmp_path / "none"))
    with pytest.raises(UnknownNameError, match="Did you mean 'caltech101'"):
        datasets.download("caltech-101")


@pytest.mark.parametrize(("workers", "per_host"), [(0, 1), (257, 1), (4, 5), (4, 0)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, workers: int, per_host: int) -> None:
    with pytest.raises(InputError, match=f"workers must be 1 … 256 .* not {workers} and {per_host}"):
        datasets.download("caltech101", folder=tmp_path / "c", workers=workers, per_host=per_host)


def test_any_labelled_folder_is_a_data_set(tmp_path: Path) -> None:
    folder(tmp_path / "pets", ["cat/1.jpg", "dog/2.png", "dog/small/3.png", "loose.png"])
    (tmp_path / "pets/cat/film.mov").write_bytes(b"x")
    (tmp_path / "pets/cat/empty.jpg").write_bytes(b"")
    found = datasets.load(tmp_path / "pets")
    assert found.name == "pets"
    assert [Path(path).relative_to(found.folder).as_posix() for path in found.images] == [
        "loose.png",
        "cat/1.jpg",
        "dog/2.png",
        "dog/small/3.png",
    ]
    assert found.labels == (None, "cat", "dog", "small")
    assert found.classes == ("cat", "dog", "small")
    assert [os.path.basename(skip.path) for skip in found.skipped] == ["empty.jpg"]
    assert datasets.load(str(tmp_path / "pets"), split="dog").labels == (None, "small")
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="there are no pictures in"):
        datasets.load(tmp_path / "none")


def test_any_table_of_paths_is_a_data_set(tmp_path: Path) -> None:
    folder(tmp_path, ["a/1.jpg", "2.png"])
    table = tmp_path / "pets.csv"
    table.write_text(f"label,path\ncat,a/1.jpg\n,{tmp_path / '2.png'}\ndog,lost.jpg\n")
    found = datasets.load(table)
    assert found.images == (str(tmp_path / "a/1.jpg"), str(tmp_path / "2.png"))
    assert found.labels == ("cat", None)
    assert found.classes == ("cat",)
    assert [(os.path.basename(skip.path), skip.reason) for skip in found.skipped] == [("lost.jpg", "no such file")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "has no column url or path; its first line must be"),
        ("path,label\nlost.jpg,x\n", "none of the 1 pictures"),
        ("url,label\nhttp://a/b.jpg,x\n", r"names 1 URLs; fetch them with: imagekin datasets download t.csv --to"),
        ('path,label\n"' + "x" * 200_000, "cannot read .*field larger"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match=words):
        datasets.load(tmp_path / "t.csv")
    with pytest.raises(DatasetError, match="cannot read .*No such file"):
        datasets.load(tmp_path / "none.csv")
