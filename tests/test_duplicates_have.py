from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageOps

import imagekin
from imagekin.cli.app import app
from imagekin.collection import Collection
from imagekin.duplicates import have
from imagekin.errors import ImageError
from imagekin.evaluation import edits
from tests.photographs import photograph, save

WIDE = photograph(100, 600, 240)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures, a part of a wide scene, and a copy of the first picture."""
    root = tmp_path_factory.mktemp("pictures")
    for seed in range(10):
        save(root / f"p{seed}.jpg", photograph(seed), quality=95)
    save(root / "scene.jpg", WIDE.crop((0, 0, 360, 240)), quality=95)
    (root / "more").mkdir()
    (root / "more/p0 copy.jpg").write_bytes((root / "p0.jpg").read_bytes())
    return root


@pytest.fixture(scope="module")
def place(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("collections") / "c"
    with imagekin.open(place, model="efficientnet-lite0") as opened:
        opened.index(root)
    return place


@pytest.fixture(scope="module")
def photos(place: Path) -> Iterator[Collection]:
    with imagekin.open(place) as opened:
        yield opened


def asked(photos: Collection, picture: Image.Image) -> tuple[str, str]:
    """The verdict, and the name of the picture that it is about."""
    (answer,) = have(photos, picture)
    return answer.verdict, Path(answer.item.path).name if answer.item else ""


def test_each_verdict_on_a_picture_that_was_made_for_it(photos: Collection, root: Path) -> None:
    assert have(photos, root / "p0.jpg")[0].verdict == "exact"
    assert asked(photos, photograph(1).resize((180, 120))) == ("edited", "p1.jpg")
    assert asked(photos, edits.overlay(edits.jpeg(photograph(2), quality=40), share=0.1)) == ("edited", "p2.jpg")
    assert asked(photos, photograph(3).crop((60, 30, 330, 210))) == ("crop or mirror", "p3.jpg")
    assert asked(photos, ImageOps.mirror(photograph(4))) == ("crop or mirror", "p4.jpg")
    assert asked(photos, photograph(5).rotate(90, expand=True)) == ("crop or mirror", "p5.jpg")
    assert asked(photos, WIDE) == ("crop or mirror", "scene.jpg")
    assert asked(photos, WIDE.crop((150, 0, 510, 240))) == ("same scene", "scene.jpg")
    assert asked(photos, photograph(50))[0] in ("look-alike", "none")


def test_the_answer_holds_what_it_rests_on(photos: Collection, root: Path) -> None:
    (exact,) = have(photos, (root / "p0.jpg").read_bytes())
    assert exact.item is not None
    assert (exact.confidence, exact.reason, exact.there, exact.similarity) == (1.0, "the same bytes", True, 1.0)
    assert Path(exact.item.path).name in ("p0 copy.jpg", "p0.jpg")
    (crop,) = have(photos, [photograph(3).crop((60, 30, 330, 210))])
    assert crop.comparison.region == pytest.approx((60 / 360, 30 / 240, 270 / 360, 180 / 240), abs=0.02)
    assert crop.reason.endswith("shows 56% of the collection's picture")
    assert 0.99 < crop.confidence <= 1.0
    assert json.loads(json.dumps(crop.to_dict()))["verdict"] == "crop or mirror"
    (nothing,) = have(photos, np.full((60, 80, 3), 7, np.uint8))
    assert not nothing.there


def test_a_picture_that_is_removed_is_no_longer_there(root: Path, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        assert have(photos, photograph(1))[0].verdict == "none"
        photos.index(root)
        photos.remove(where="name == 'p0.jpg' or name == 'p0 copy.jpg'")
        assert not have(photos, root / "p0.jpg")[0].there


def test_what_is_no_picture_is_an_error(photos: Collection, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="gone.jpg"):
        have(photos, tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="cannot read"):
        have(photos, b"no picture")


# -- the commands --------------------------------------------------------------------------------------------------


def invoke(place: Path, *arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(app, ["-c", str(place), *(str(argument) for argument in arguments)], **options)


def test_have_exits_as_grep_does(place: Path, root: Path, tmp_path: Path) -> None:
    stranger, text = save(tmp_path / "stranger.png", photograph(60)), tmp_path / "text.jpg"
    text.write_text("<!doctype html>")
    known = invoke(place, "have", root / "p0.jpg", stranger)
    assert known.exit_code == 0
    assert re.search(r"^exact +100\.0% +100\.0% +\S*p0\.jpg", known.stdout, re.MULTILINE)
    assert invoke(place, "have", stranger).exit_code == 1
    broken = invoke(place, "have", root / "p0.jpg", text)
    assert (broken.exit_code, "text.jpg" in broken.stderr) == (2, True)
    assert broken.stdout.count("exact") == 1
    assert invoke(tmp_path / "absent", "have", stranger).exit_code == 2
    (tmp_path / "empty").mkdir()
    assert "has no pictures" in invoke(place, "have", tmp_path / "empty").stderr


def test_have_takes_folders_and_standard_input_and_gives_json(place: Path, root: Path) -> None:
    found = json.loads(invoke(place, "have", root / "more", "-", "--json", input=(root / "p1.jpg").read_bytes()).stdout)
    assert [(Path(one["query"]).name, one["verdict"], one["there"]) for one in found] == [
        ("p0 copy.jpg", "exact", True), ("-", "exact", True),
    ]  # fmt: skip


def test_dupes_lists_and_touches_nothing_until_it_is_told_to(place: Path, root: Path, tmp_path: Path) -> None:
    listed = invoke(place, "dupes", "--html", tmp_path / "page.html")
    assert listed.exit_code == 0, listed.output
    assert "12 pictures; 1 group with duplicates (1 exact), which take 0.0 MB." in listed.stdout
    assert re.search(r"1 +keep +360 x 240 +\S*p0\.jpg", listed.stdout)
    assert re.search(r"exact +100\.0% +360 x 240 +\S*p0 copy\.jpg", listed.stdout)
    assert "too few pictures" in listed.stdout
    assert (tmp_path / "page.html").exists()
    dry = invoke(place, "dupes", "--delete")
    assert re.search(r"delete \S*p0 copy\.jpg -> .*\.imagekin-trash", dry.stdout)
    assert "Nothing was done; to do it, add --yes." in dry.stdout
    assert (root / "more/p0 copy.jpg").exists()
    told = json.loads(invoke(place, "dupes", "--hardlink", "--json").stdout)
    assert (told["done"], len(told["steps"])) == (False, 1)
    full = invoke(place, "dupes", "--full", "--kinds", "exact")
    assert "its path comes first" in full.stdout or "its file is the oldest" in full.stdout


def test_dupes_acts_and_takes_back(root: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(tmp_path / f"p/{name}", photograph(1))
    place = tmp_path / "c"
    assert invoke(place, "index", tmp_path / "p", "--model", "pixels").exit_code == 0
    done = invoke(place, "dupes", "--move", tmp_path / "out", "--yes")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("1 file moved, ")
    assert (tmp_path / "out/b.png").exists()
    (log,) = re.findall(r"--undo (\S+)", done.stdout)
    assert Path(log).parent == place / "undo"
    back = invoke(place, "dupes", "--undo", log)
    assert (back.exit_code, back.stdout) == (0, "1 file restored and indexed again.\n")
    assert (tmp_path / "p/b.png").exists()
    again = invoke(place, "dupes", "--undo", log)
    assert "1 file had not been touched, or had been restored before." in again.stdout
    own = json.loads(invoke(place, "dupes", "--delete", "--yes", "--json", "--log", tmp_path / "log").stdout)
    assert (own["log"], own["refused"], len(own["acted"])) == (str(tmp_path / "log"), [], 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--hardlink", "--delete"], "Give one of"),
        (["--delete", "--undo", "x"], "Give one of"),
        (["--yes"], "--yes and --log go with"),
        (["--kinds", "rotten"], "known: exact, near, crop, mirror, rotated"),
        (["--kinds", ","], "known: exact, near, crop, mirror, rotated"),
        (["--hardlink", "--kinds", "near"], "exact copies only"),
        (["--error", "7"], "above 0 and below 1"),
        (["--html", "x.pdf"], "saved as .html"),
        (["--undo", "/nowhere/log"], "cannot be read"),
    ],
)
def test_mistakes_are_told_in_a_sentence(place: Path, arguments: list[str], sentence: str) -> None:
    done = invoke(place, "dupes", *arguments)
    assert done.exit_code in (1, 2)
    assert sentence in done.stderr
