"""``imagekin tag``: what it prints, what it asks, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import imagekin
from imagekin.cli.app import app
from tests.pictures import folder

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on a collection of fourteen pictures: 1 to 3 in ``sea``, the others in ``town``."""
    root = folder(tmp_path / "photos", [f"{'sea' if n < 4 else 'town'}/{n:02}.png" for n in range(1, 15)])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
    return lambda *given, **options: CliRunner().invoke(app, ["-c", str(tmp_path / "c"), *map(str, given)], **options)


def tags(run: Run) -> dict[str, int]:
    return {each["tag"]: each["count"] for each in json.loads(run("tag", "--json").stdout)}


def test_tags_are_given_listed_and_taken(run: Run, tmp_path: Path) -> None:
    assert run("tag").stdout == "No picture has a tag; give one: imagekin tag TAG FILE…\n"
    assert run("tag", "beach", tmp_path / "photos/sea").stdout == "Changed the tags of 3 pictures.\n"
    assert run("tag", "beach", tmp_path / "photos/town/04.png", "-q").stdout == ""
    assert json.loads(run("tag", "old", "--id", 1, "--id", 5, "--json").stdout) == {"changed": 2}
    assert run("tag").stdout == "pictures  tag\n       4  beach\n       2  old\n"
    assert run("tag", "both", "--tag", "beach", "--tag", "old").stdout == "Changed the tags of 1 picture.\n"
    assert run("tag", "wide", "--where", "tag == 'old' and id > 1").exit_code == 0
    listed = json.loads(run("list", "--tag", "beach", "--label", "sea", "--json").stdout)
    assert [item["tags"] for item in listed] == [["beach", "both", "old"], ["beach"], ["beach"]]
    assert run("tag", "beach", "--take", "--id", 2, "--id", 9).stdout == "Changed the tags of 1 picture.\n"
    asked = run("tag", "old", "--rename", "beach", input="n\n")
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert "3 pictures have the tag 'beach' already; make the two one, for good? [y/N]" in asked.stderr
    assert run("tag", "old", "--rename", "beach", "-y").stdout == "Changed the tags of 2 pictures.\n"
    assert run("tag", "beach", "--forget").stdout == "Changed the tags of 4 pictures.\n"
    assert tags(run) == {"both": 1, "wide": 1}
    assert run("remove", "--tag", "wide").exit_code == 0
    assert tags(run) == {"both": 1}
    missed = run("tag", "nosuch", "--forget")
    assert missed.exit_code != 0
    assert "no picture has the tag 'nosuch'; known: 'both'." in missed.stderr


def test_a_file_beside_propose_is_an_example_and_a_folder_a_filter(run: Run, tmp_path: Path) -> None:
    sea = tmp_path / "photos/sea"
    first = sorted(sea.iterdir())[0]
    found = json.loads(run("tag", "new", first, tmp_path / "photos/town", "--propose", "--json").stdout)
    assert found["examples"] == 1
    assert {each["label"] for each in found["proposals"]} == {"town"}


def test_nan_is_no_confidence(run: Run) -> None:
    run("tag", "beach", "--id", 1)
    done = run("tag", "beach", "--propose", "--above", "nan", "-y")
    assert done.exit_code == 2
    assert "nan is not a confidence" in done.stderr


def test_much_is_taken_only_after_asking(run: Run) -> None:
    run("tag", "all", "--where", "id > 0")
    for what in (["--take", "--where", "id > 0"], ["--forget"]):
        done = run("tag", "all", *what, input="n\n")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "Take 'all' from 14 pictures? [y/N]" in done.stderr
        assert "Nothing was changed." in done.stderr
    assert tags(run) == {"all": 14}
    assert run("tag", "all", "--take", "--label", "sea").exit_code == 0
    assert run("tag", "all", "--forget", "-y").exit_code == 0
    assert tags(run) == {}


def test_proposals_are_shown_and_taken_over(run: Run) -> None:
    run("tag", "beach", "--id", 1, "--id", 2)
    done = run("tag", "--propose", "beach", "-k", 4)
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["confidence", "similarity", "id", "path"]
    assert len(rows) == 4
    assert "From 2 examples" in done.stderr
    found = json.loads(run("tag", "--propose", "beach", "--id", 3, "--label", "town", "--json").stdout)
    assert (found["examples"], found["calibrated"], len(found["proposals"])) == (3, False, 11)
    assert all(0 <= each["confidence"] <= 1 and each["label"] == "town" for each in found["proposals"])
    assert run("tag", "--propose", "beach", "--above", 0, "-k", 5, input="n\n").exit_code == 1
    assert tags(run) == {"beach": 2}
    assert run("tag", "--propose", "beach", "--above", 0, "-k", 5, "-y").stdout == "Changed the tags of 5 pictures.\n"
    assert run("tag", "--propose", "beach", "--above", 1, "-y").stdout == "Changed the tags of 0 pictures.\n"
    assert tags(run) == {"beach": 7}


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["beach"], 2, "Say which pictures"),
        (["--take"], 2, "Give the TAG as well"),
        (["--label", "sea"], 2, "Give the TAG as well"),
        (["beach", "--take", "--forget"], 2, "Give one of --take"),
        (["beach", "--forget", "--id", "1"], 2, "leave out ids"),
        (["beach", "--id", "1", "--above", "0.5"], 2, "--above goes with --propose"),
        (["beach", "/nowhere"], 1, "no picture of the collection is at /nowhere"),
        (["beach", ".", "--under", "."], 1, "give one or the other"),
        (["beach", "--id", "99"], 1, "no item 99"),
        (["a\x1b[31m", "--id", "1"], 1, "cannot be seen"),
        (["x" * 101, "--id", "1"], 1, "at most 100"),
        (["beach", "--rename", "coast"], 1, "no picture has the tag 'beach'"),
        (["--propose", "beach"], 1, "proposals need an example"),
    ],
)
def test_what_makes_no_sense_is_told(run: Run, given: list[Any], code: int, words: str) -> None:
    done = run("tag", *given)
    assert done.exit_code == code, done.output
    assert words in done.stderr
    assert "\x1b" not in done.output
    assert tags(run) == {}
