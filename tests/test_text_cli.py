"""Words on the command line: searched by, mixed with pictures, and as labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import imagekin
from imagekin.cli import seeking
from imagekin.cli.app import app
from imagekin.collection import Collection
from tests import hub_models
from tests.pictures import save
from tests.served import serving
from tests.worded import plain

Run = Callable[..., Result]


@pytest.fixture
def run(colours: Collection, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("COLUMNS", raising=False)
    return lambda *arguments, **how: CliRunner().invoke(app, ["-c", colours.location, *map(str, arguments)], **how)


def names(done: Result) -> list[str]:
    """The labels of the hits that were printed as JSON."""
    assert done.exit_code == 0, done.output
    return [hit["label"] for hit in json.loads(done.stdout)]


def test_words_that_are_no_file_are_searched_by(run: Run) -> None:
    assert names(run("search", "something violet", "-k", 2, "--json")) == ["violet"] * 2
    assert names(run("search", "--text", "something violet", "-k", 2, "--json")) == ["violet"] * 2


def test_files_win_over_words(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain("blue").save(tmp_path / "red", "PNG")
    plain("green").save(tmp_path / "2:red", "PNG")
    assert names(run("search", "red", "-k", 2, "--json")) == ["blue"] * 2
    assert names(run("search", "2:red", "-k", 2, "--json")) == ["green"] * 2


def test_parts_are_added_and_taken_away(run: Run, swatches: Path) -> None:
    red = swatches / "red/light.png"
    assert names(run("search", "green", "+", red, "-k", 2, "--json")) == ["yellow"] * 2
    assert names(run("search", "yellow", "-", "1:red", "-k", 2, "--json")) == ["green"] * 2
    assert names(run("search", "green", "+", f"9:{red}", "-k", 2, "--json")) == ["red"] * 2
    given = (swatches / "yellow/light.png").read_bytes()
    assert names(run("search", "-", "-", "1:red", "-k", 2, "--json", input=given)) == ["green"] * 2
    assert names(run("search", red, "--text", "green", "-k", 2, "--json")) == ["yellow"] * 2
    assert names(run("search", "yellow", "--text", "-1:red", "-k", 2, "--json")) == ["green"] * 2


def test_words_beside_an_item(run: Run, colours: Collection) -> None:
    (red,) = [item.id for item in colours.items(label="red", where="'light' in name")]
    assert names(run("search", "--id", red, "--text", "green", "-k", 2, "--json")) == ["yellow"] * 2


@pytest.mark.parametrize("query", [["red"], ["2:red", "+", "{light}"], ["--text", "red"]], ids=str)
def test_a_sheet_shows_words_or_the_first_picture(run: Run, tmp_path: Path, swatches: Path, query: list[str]) -> None:
    light = swatches / "blue/light.png"
    done = run("search", *(each.replace("{light}", str(light)) for each in query), "--plot", tmp_path / "out.png")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "out.png") as sheet:
        lead = sheet.convert("RGB").crop((20, 20, 300, 300))
    blue = sum(count for count, (r, g, b) in lead.getcolors(1 << 20) or () if b > 200 and r < 60)  # type: ignore[misc]
    assert (blue > 10_000) == ("+" in query)
    assert len(lead.getcolors(1 << 20) or ()) > 2  # words are drawn


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["red", "green"], "Between 'red' and 'green' there is no + or -"),
        (["red", "+"], "Nothing stands behind the last +"),
        (["red", "--id", "1"], "Give either"),
        ([], "Give either"),
    ],
)
def test_what_is_no_query(run: Run, arguments: list[str], sentence: str) -> None:
    done = run("search", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr


@pytest.mark.parametrize("arguments", [["5000:red"], ["quarry.jpg"], ["red", "-", "1:red"], ["--text", " "]], ids=str)
def test_mistakes_are_answered_with_one_sentence(run: Run, arguments: list[str]) -> None:
    done = run("search", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("imagekin: ")
    assert ("no such file" in done.stderr) == (arguments == ["quarry.jpg"])


def test_a_model_without_words_says_so(tmp_path: Path) -> None:
    save(tmp_path / "photos/a.png", 1)
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(tmp_path / "photos")
    done = CliRunner().invoke(app, ["-c", str(tmp_path / "c"), "search", "a dog on a beach"])
    assert done.exit_code == 1
    assert "no such file: 'a dog on a beach'" in done.stderr
    assert "embeds pictures and no words; index with a model that takes both" in done.stderr


def test_words_on_a_server(colours: Collection, swatches: Path) -> None:
    with serving(colours) as site:
        query = ["search", "green", "+", str(swatches / "red/light.png"), "-k", "2", "--json"]
        assert names(CliRunner().invoke(app, ["-c", f"{site.url}/photos", *query])) == ["yellow"] * 2


def test_phrases() -> None:
    assert seeking.phrases(["-", "-", "a", "+", "b", "−", "c"]) == [
        (False, "-"),
        (True, "a"),
        (False, "b"),
        (True, "c"),
    ]


# -- labels from words -------------------------------------------------------------------------------------------------


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("red\n\nwarm = yellow\ndeep sea = blue\n", "utf-8")
    return path


def named(done: Result) -> dict[str, str]:
    assert done.exit_code == 0, done.output
    return {each["path"].split("/")[-2]: each["label"] for each in json.loads(done.stdout)}


def test_labels_are_proposed(run: Run, labels: Path) -> None:
    found = named(run("tag", "--zero-shot", labels, "--json"))
    assert {colour: found[colour] for colour in ("red", "yellow", "blue")} == {
        "red": "red", "yellow": "warm", "blue": "deep sea",
    }  # fmt: skip
    only = json.loads(run("tag", "--zero-shot", labels, "--label", "blue", "--json").stdout)
    assert [len(only), len(only[0]["others"])] == [2, 2]
    assert only[0]["confidence"] + sum(each["confidence"] for each in only[0]["others"]) == pytest.approx(1)


def test_labels_as_a_table(run: Run, labels: Path, swatches: Path) -> None:
    done = run("tag", "--zero-shot", labels, "-k", 1, "--label", "red")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["label", "pictures", "confidence", "id", "path"]
    assert lines[1].split()[:3] == ["red", "2", "100%"]
    assert lines[1].endswith(".png")
    assert [line.split()[0] for line in lines[2:]] == ["warm", "deep"]
    assert "2 of 2 pictures are at least 90% sure." in done.stderr


@pytest.fixture
def untagged(colours: Collection) -> Iterator[Collection]:
    yield colours
    for tag in colours.tags():
        colours.forget_tag(tag)


def test_sure_ones_are_tagged_after_asking(run: Run, labels: Path, untagged: Collection) -> None:
    filters: list[Any] = ["--where", "label in ('red', 'blue')"]
    done = run("tag", "--zero-shot", labels, "--above", "0.9", *filters, input="n\n")
    assert (done.exit_code, untagged.tags()) == (1, {})
    assert "Give 'red' to 2, 'deep sea' to 2, 4 pictures in all?" in done.stderr
    assert run("tag", "--zero-shot", labels, "--above", "0.9", *filters, "-y").exit_code == 0
    assert untagged.tags() == {"deep sea": 2, "red": 2}
    assert {item.label for item in untagged.items(tag="deep sea")} == {"blue"}


@pytest.mark.parametrize(
    ("text", "arguments", "answer"),
    [
        ("red\nblue\n", ["word"], (2, "leave TAG and --id out")),
        ("red\nblue\n", ["--propose"], (2, "Give one of")),
        ("red\n", [], (1, "give 2 to")),
        ("red\nred\n", [], (1, "no new label")),
        ("red\nblue =\n", [], (1, "no new label")),
        (f"red\n{'x' * 101}\n", ["--above", "0.5"], (1, "101 characters")),
    ],
)
def test_labels_that_cannot_be(
    run: Run, labels: Path, text: str, arguments: list[str], answer: tuple[int, str]
) -> None:
    labels.write_text(text, "utf-8")
    done = run("tag", *arguments, "--zero-shot", labels)
    assert done.exit_code == answer[0]
    assert answer[1] in done.stderr


def test_a_file_of_labels_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes(b"\xff\xfe")
    for name in ("l.txt", "nowhere.txt"):
        done = run("tag", "--zero-shot", tmp_path / name)
        assert done.exit_code == 1
        assert "cannot be read" in done.stderr


# -- by a model of the hub's layout, with a text tower of its own ------------------------------------------------------


def test_words_by_a_model_in_a_folder(swatches: Path, tmp_path: Path) -> None:
    model = hub_models.clip(tmp_path / "clip")
    (tmp_path / "labels.txt").write_text("red\nblue\n", "utf-8")

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["-c", str(tmp_path / "c"), *map(str, arguments), "--json"])

    assert run("index", swatches, "--model", f"hub:{model}").exit_code == 0
    assert names(run("search", "a red", "-k", 1)) == ["red"]
    assert names(run("search", "green", "-", "1:red", "-k", 1)) == ["green"]
    found = named(run("tag", "--zero-shot", tmp_path / "labels.txt"))
    assert (found["red"], found["blue"]) == ("red", "blue")
