"""``imagekin evaluate`` and ``imagekin.evaluate`` over real collections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin import evaluation
from imagekin.collection import Collection
from imagekin.errors import InputError
from tests.evaluated import three_classes
from tests.pictures import folder
from tests.shell import invoke


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_classes(tmp_path_factory)


@pytest.fixture
def photos(place: Path) -> Iterator[Collection]:
    with imagekin.open(place) as opened:
        yield opened


def test_a_collection_is_evaluated_as_its_vectors_are(photos: Collection) -> None:
    found = imagekin.evaluate(photos, k=(3, 1))
    ids, vectors = photos.vectors()
    labels = [item.label for item in photos.get(ids.tolist())]
    assert (found.images, found.queries, found.model, found.metric) == (13, 12, "pixels", "cosine")
    same = imagekin.evaluate(vectors, labels, k=(3, 1))
    assert same.figures == found.figures
    hits = 0.0
    for number, label in zip(ids.tolist(), labels, strict=True):
        hits += label != "lone" and photos.search(id=number, k=1)[0].label == label
    assert found.figure("precision@1").value == pytest.approx(hits / 12)
    assert 0 < hits < 12


def test_a_filter_chooses_who_asks(photos: Collection) -> None:
    found = imagekin.evaluate(photos, k=1, split="name == '0.png'")
    assert (found.queries, found.searched) == (3, 9)
    assert found.split == "queries: name == '0.png'"


def test_collections_that_cannot_be_evaluated_say_why(photos: Collection, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a collection has its own labels"):
        imagekin.evaluate(photos, ["a"])
    with pytest.raises(InputError, match="leaves no queries"):
        imagekin.evaluate(photos, split="width > 100000")
    with imagekin.open(tmp_path / "c", model="pixels") as other:
        with pytest.raises(InputError, match="the collection c has no pictures; index a folder first"):
            imagekin.evaluate(other)
        other.index(folder(tmp_path / "photos", ["a.png", "b.png"]), label_from="none")
        with pytest.raises(InputError, match="none of the 2 pictures of c has a label.*imagekin evaluate --edits all"):
            imagekin.evaluate(other)


def test_unlabelled_pictures_are_left_out(tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(folder(tmp_path / "photos", [f"{label}/{n}.png" for label in "ab" for n in range(3)]))
        photos.index(folder(tmp_path / "more", ["x.png", "y.png"]), label_from="none")
        found = imagekin.evaluate(photos, k=1)
        assert (found.images, found.searched) == (6, 5)
        assert found.notes[0] == "2 of 8 images have no label and were left out."
        flags = np.array([True, False, False, True, False, False, True, True])
        assert imagekin.evaluate(photos, k=1, split=flags).queries == 2


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_table_says_what_the_evaluation_found(place: Path, photos: Collection) -> None:
    done = invoke("-c", place, "evaluate", "--k", "3,1")
    assert done.exit_code == 0, done.output
    found = imagekin.evaluate(photos, k=(3, 1))
    lines = done.stdout.splitlines()
    assert lines[0] == "c: 13 images of 3 classes, pixels, cosine, leave-one-out"
    assert lines[1].startswith("12 queries, each compared with 12 images, ")
    cells = {line.split("  ")[0]: line for line in lines}
    one = found.figure("precision@3")
    assert f"{one.value:.2%} ({100 * one.low:.1f}–{100 * one.high:.1f})" in cells["precision"]
    assert f"{found.figure('mAP@R').value:.2%}" in cells["mAP@R"]
    assert "Worst classes first (3 of 3):" in lines
    worst = found.per_class[0]
    row = lines[lines.index("Worst classes first (3 of 3):") + 2]
    assert row.split()[:3] == [f"{worst.precision:.2%}", f"{worst.map_r:.2%}", "4"]
    assert "\x1b" not in done.stdout
    assert "o\\ewl $x_1$" in done.stdout
    assert "Note: 1 of 13 queries have no other image of their class and did not ask." in lines


def test_json_is_the_evaluation(place: Path, photos: Collection) -> None:
    data = json.loads(invoke("-c", place, "evaluate", "--k", "3,1", "--json").stdout)
    assert (data.pop("plot"), data.pop("sheets")) == (None, [])
    found = imagekin.evaluate(photos, k=(3, 1))
    assert replace(evaluation.of_dict(data), seconds=0) == replace(found, seconds=0)


def test_every_option_reaches_the_evaluation(place: Path) -> None:
    def told(*options: object) -> Any:
        done = invoke("-c", place, "evaluate", "--json", "--k", 1, *options)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert told("--split", "0.5")["split"] == "queries: a random 50% of each class"
    assert told("--split", "name == '0.png'")["queries"] == 3
    assert told("--queries", 5)["queries"] == 5
    assert told("--seed", 3)["seed"] == 3
    assert told("--queries", 5, "--seed", 3)["figures"] != told("--queries", 5, "--seed", 4)["figures"]


def test_edits_need_no_labels(place: Path) -> None:
    done = invoke("-c", place, "evaluate", "--edits", "flip,jpeg", "--sample", 6)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("c: 6 pictures edited, each searched for among 13, pixels, ")
    assert lines[2].split() == ["recall@1", "95", "%", "interval", "similarity", "edit", "strength"]
    assert [line.split()[-2:] for line in lines[3:8]] == [
        ["to", "right"], ["upside", "down"], ["quality", "50"], ["quality", "20"], ["quality", "5"],
    ]  # fmt: skip
    data = json.loads(invoke("-c", place, "evaluate", "--edits", "flip", "--json").stdout)
    assert (data["pictures"], [one["edit"] for one in data["edits"]]) == (13, ["flip", "flip"])


def test_pca_tells_each_length_and_the_knee(place: Path, photos: Collection) -> None:
    done = invoke("-c", place, "evaluate", "--pca", "2,12,6", "--k", "3,1")
    assert done.exit_code == 0, done.output
    found = evaluation.by_dimension(photos, (2, 6, 12), k=3)
    lines = done.stdout.splitlines()
    assert lines[0] == "c: 13 images, pixels, cosine, leave-one-out; pca fitted to 13 images"
    assert lines[1].startswith("12 queries, each compared with 12 images, ")
    assert lines[3].split()[:2] == ["dimensions", "precision@3"]
    rows = {row.split()[0]: row for row in lines[4:8]}
    assert list(rows) == ["2", "6", "12", f"{found.whole.dim:,}"]
    for one in found.lengths:
        assert rows[str(one.dim)].split()[1] == f"{one.precision.value:.2%}"
        assert f"{100 * one.change.value:+.2f} (" in rows[str(one.dim)]
        assert f"{one.map_r.value:.2%}" in rows[str(one.dim)]
        assert rows[str(one.dim)].endswith("knee") == (one.dim == found.knee.dim)
    assert rows[f"{found.whole.dim:,}"].split()[-3:] == ["1.0", "×", "whole"]
    told = next(line for line in lines if line.startswith("With "))
    assert told.startswith(found.sentence.partition(" at ")[0])
    assert "Note: 1 of 13 queries have no other image of their class and did not ask." in lines
    data = json.loads(invoke("-c", place, "evaluate", "--pca", "12,2", "--queries", "5", "--json").stdout)
    assert (data["queries"], [one["dim"] for one in data["lengths"]], data["plot"]) == (5, [2, 12], None)
    assert evaluation.Sweep.of_dict(data).whole.precision.name == "precision@4"


def test_plot_and_sheets_are_written_and_named(place: Path, tmp_path: Path) -> None:
    done = invoke("-c", place, "evaluate", "--k", 3, "--plot", tmp_path / "p.png", "--sheets", tmp_path / "s" / "t")
    assert done.exit_code == 0, done.output
    written = sorted((tmp_path / "s" / "t").iterdir())
    assert written
    assert done.stdout.splitlines()[-1 - len(written) :] == [str(tmp_path / "p.png"), *map(str, written)]
    with Image.open(tmp_path / "p.png") as image:
        assert image.size == (2210, 936)
    done = invoke("-c", place, "evaluate", "--edits", "flip", "--plot", tmp_path / "e.svg")
    assert done.exit_code == 0, done.output
    assert "</svg>" in (tmp_path / "e.svg").read_text("utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.svg", "p.png", "s"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--k", "four"], 2, "'four' is not one whole number or several"),
        (["--k", "99"], 1, "k is 99; give whole numbers from 1 to the 12 images"),
        (["--edits", "flip", "--k", "1"], 2, "--k is about labels and does not go with --edits"),
        (["--edits", "flip", "--sheets", "s"], 2, "--sheets is about labels"),
        (["--sample", "3"], 2, "--sample goes with --edits"),
        (["--edits", "flip", "--pca", "2"], 2, "--pca is about labels and does not go with --edits"),
        (["--pca", "2", "--sheets", "s"], 2, "--sheets draws classes that are confused and does not go with --pca"),
        (["--pca", "2,x"], 2, "'2,x' is not one whole number or several"),
        (["--pca", "14"], 1, "14 is no number of dimensions to keep; give whole numbers from 1 to 13"),
        (["--pca", "0"], 1, "0 is no number of dimensions to keep"),
        (["--edits", "melt"], 1, "no edit is called 'melt'"),
        (["--plot", "x.txt"], 1, "a plot is saved as .png, .svg"),
        (["--plot", "nowhere/x.png"], 1, "the folder 'nowhere' does not exist"),
        (["--sheets", __file__], 1, "cannot write sheets into"),
        (["--split", "colour == 'red'"], 1, "colour"),
    ],
)
def test_wrong_use_is_one_sentence(place: Path, arguments: list[str], code: int, says: str) -> None:
    done = invoke("-c", place, "evaluate", *arguments)
    assert done.exit_code == code
    assert says in done.stderr
    assert done.stdout == ""


def test_what_fails_leaves_nothing_behind(place: Path, tmp_path: Path) -> None:
    done = invoke("-c", place, "evaluate", "--k", 99, "--plot", tmp_path / "p.png", "--sheets", tmp_path / "s")
    assert done.exit_code == 1
    assert list(tmp_path.iterdir()) == []
