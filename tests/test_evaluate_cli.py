"""``imagekin evaluate`` and ``imagekin.evaluate`` over real collections; what they draw."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import imagekin
from imagekin import evaluation
from imagekin.cli.app import app
from imagekin.collection import Collection
from imagekin.errors import InputError, MissingPackageError
from imagekin.evaluation import plot, sheets
from tests.pictures import folder, picture

HOSTILE = "o\x1bwl $x_1$"
NAMES = [f"{label}/{number}.png" for label in ("cat", "dog", HOSTILE) for number in range(4)] + ["lone/0.png"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of four pictures and one of one; each class's pictures differ a little, some a lot."""
    root = folder(tmp_path_factory.mktemp("photos"), NAMES)
    for number in range(3):  # cats look alike
        array = np.asarray(picture(50)).astype(int) + number
        Image.fromarray(array.clip(0, 255).astype(np.uint8)).save(root / f"cat/{number}.png")
    where = tmp_path_factory.mktemp("collections") / "c"
    with imagekin.open(where, model="pixels") as photos:
        photos.index(root)
    return where


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


# -- pictures ----------------------------------------------------------------------------------------------------------


def texts(made: Any) -> set[str]:
    """Everything that is written in a figure."""
    from matplotlib.text import Text

    return {text.get_text() for text in made.findobj(Text)}


def bars(axes: Any) -> list[float]:
    return [bar.get_width() for bar in axes.patches]


def test_the_plot_shows_the_records(photos: Collection) -> None:
    found = imagekin.evaluate(photos, k=(3, 1))
    made = plot.figure(found)
    measures, classes, matrix = made.axes[:3]
    assert [label.get_text() for label in measures.get_yticklabels()][-1] == "MRR"
    assert bars(classes) == pytest.approx([one.precision for one in found.per_class])
    labels, counts = found.confusion_matrix()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(np.asarray(matrix.images[0].get_array()) ** 2, shares, atol=1e-6)
    assert [label.get_text() for label in matrix.get_xticklabels()] == [
        label.replace("\x1b", "\\e") for label in labels
    ]
    assert {f"{found.figure('mAP@R').value:.1%}", "recall@1"} <= texts(made)
    assert "hit_rate@1" not in texts(made)


def test_the_plot_of_edits_has_a_bar_each(photos: Collection) -> None:
    found = evaluation.self_retrieval(photos, edits=["crop", "flip"])
    axes = plot.figure(found).axes[0]
    assert bars(axes) == pytest.approx([one.recall for one in found.edits])
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        f"{one.edit}: {one.strength}" for one in found.edits
    ]


def test_many_classes_are_drawn_without_their_names() -> None:
    vectors = np.random.default_rng(0).normal(size=(80, 4))
    made = plot.figure(imagekin.evaluate(vectors, [str(row // 2) for row in range(80)], k=1))
    assert made.axes[2].get_xticklabels() == []
    assert len(made.axes[1].patches) == plot.WORST


def test_without_matplotlib_the_sentence_says_what_to_install(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = imagekin.evaluate(photos, k=1)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r'\(matplotlib\); install it with: pip install "imagekin\[bench\]"'):
        plot.figure(found)


def test_a_sheet_shows_each_example_beside_its_neighbours(photos: Collection, tmp_path: Path) -> None:
    found = imagekin.evaluate(photos, k=3)
    worst = found.confusions[0]
    tall = sheets.pair(photos, worst, metric=found.metric, tile=100)
    one = sheets.pair(photos, replace(worst, examples=worst.examples[:1]), metric=found.metric, tile=100)
    assert tall.height - one.height == (len(worst.examples) - 1) * (one.height - 52)
    written = sheets.save(photos, found, tmp_path / "new" / "folder", pairs=2)
    assert [path.name[:3] for path in written] == ["01 ", "02 "][: len(written)]
    assert all(path.name.isprintable() for path in written)
    with pytest.raises(InputError, match="has no examples"):
        sheets.pair(photos, replace(worst, examples=()))
