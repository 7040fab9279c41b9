"""``imagekin map`` over a small collection: every kind of file, and mistakes that are told before the work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin import maps
from tests.evaluated import three_classes
from tests.shell import invoke


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_classes(tmp_path_factory)


def test_every_kind_of_file_is_drawn_from_one_map(place: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("map.html", "map.png", "map.svg", "map.npz")]
    options = [part for out in outs for part in ("--out", out)]
    done = invoke("-c", place, "map", "--method", "pca", *options)
    assert done.exit_code == 0, done.output
    first, told, *files = done.stdout.splitlines()
    assert first.startswith("c: 13 pictures, PCA, ")
    assert told.startswith(f"{maps.open(outs[3]).kept:.0%} of a picture's 4 nearest are among its 4 nearest on the map")
    assert files == [str(out) for out in outs]
    assert outs[0].read_text("ascii").startswith("<!doctype html>")
    assert outs[2].read_text("utf-8").lstrip().startswith("<?xml")
    with imagekin.open(place) as photos:
        assert np.array_equal(maps.open(outs[3]).ids, photos.vectors()[0])


def test_pictures_in_place_of_points(place: Path, tmp_path: Path) -> None:
    for number, options in enumerate((["--pictures"], ["--grid"], ["--grid", "--thumbnails", "40"])):
        out = tmp_path / f"{number}.png"
        done = invoke("-c", place, "map", "--method", "pca", "--out", out, *options)
        assert done.exit_code == 0, done.output
        with Image.open(out) as shown:
            assert len(np.unique(np.asarray(shown.convert("RGB").resize((64, 64))).reshape(-1, 3), axis=0)) > 100


def test_json_says_what_the_map_is(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.html"
    done = invoke(
        "-c", place, "--json", "map", "--method", "pca", "--seed", "3", "--where", "label != 'lone'", "--out", out
    )
    data = json.loads(done.stdout)
    assert (data["images"], data["seed"], data["method"], data["files"]) == (12, 3, "pca", [str(out)])
    assert 0 <= data["kept"] <= 1


def test_a_file_that_is_there_is_replaced_whole(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.html"
    out.write_text("old")
    assert invoke("-c", place, "map", "--method", "pca", "--out", out, "--thumbnails", "0").exit_code == 0
    assert "old" not in out.read_text()[:3]
    assert [path.name for path in tmp_path.iterdir()] == ["map.html"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--out", "map.doc"], "cannot write 'map.doc': a map is drawn as .html, .png"),
        (["--out", "absent/map.html"], "the folder 'absent' does not exist"),
        (["--method", "tsen"], "no method is called 'tsen'; Did you mean 'tsne'"),
        (["--method", "pca", "--perplexity", "9"], "pca has no option 'perplexity'"),
        (["--method", "pca", "--colour", "lens"], "no 'lens' to be coloured by"),
        (["--method", "pca", "--label", "zebra"], "none of its pictures fits the filter"),
        (["--method", "pca", "--thumbnails", "4"], "a thumbnail of a page has 8 to 256 pixels"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    options: list[str], sentence: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("-c", place, "map", *options)
    assert done.exit_code == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_empty_collection_says_so(tmp_path: Path) -> None:
    imagekin.open(tmp_path / "c", model="pixels").close()
    done = invoke("-c", tmp_path / "c", "map", "--method", "pca", "--out", tmp_path / "m.html")
    assert done.exit_code == 1
    assert "the collection c has no pictures to lay out; index a folder first" in done.stderr
