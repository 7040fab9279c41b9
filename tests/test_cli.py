"""The commands, run in this process over a real collection; what they print is kept in tests/snapshots.

To accept a change of the output: ``UPDATE_SNAPSHOTS=1 pytest tests/test_cli.py``, then read the difference.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from imagekin.cli.app import COMMANDS, app
from imagekin.embed import EMBEDDERS
from imagekin.index import ENGINES
from tests.pictures import folder, picture

SNAPSHOTS = Path(__file__).with_name("snapshots")
HOSTILE = "dogs/\x1b[31mred\u202egpj.png"
NAMES = ["cats/a.png", "cats/b.png", "cats/c.jpg", "dogs/d.png", "dogs/e.png", HOSTILE, "dogs/zoë 犬.png"]

Run = Callable[..., Result]


def invoke(*arguments: object, **options: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven pictures, two broken files and three that are no pictures."""
    root = folder(tmp_path_factory.mktemp("photos"), NAMES)
    whole = (root / "cats/a.png").read_bytes()
    (root / "cats/half.png").write_bytes(whole[: len(whole) // 2])
    (root / "dogs/text.jpg").write_text("<!doctype html><p>not found</p>")
    for name in ("notes.txt", "more.txt", "film.mov"):
        (root / name).write_text("x")
    return root


@pytest.fixture(scope="module")
def indexed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A collection of them, for tests that only read, and what indexing printed."""
    place = tmp_path_factory.mktemp("collections") / "c"
    done = invoke("-c", place, "index", photos, "--model", "pixels")
    assert done.exit_code == 0, done.output
    return place, done.stdout


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("IMAGEKIN_COLLECTION", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def run(indexed: tuple[Path, str]) -> Run:
    """Run a command on the collection that is only read."""
    return lambda *arguments, **options: invoke("-c", indexed[0], *arguments, **options)


def compare(name: str, text: str, *places: tuple[Path, str]) -> None:
    """Hold *text* against its snapshot, with folders, times and sizes replaced by words."""
    for place, word in places:
        text = text.replace(str(place), word)
    text = re.sub(r" in [\d.,]+ s( \([\d,]+ images/s\))?", " in T", text)
    text = re.sub(r"[\d.,]+ MB", "N MB", text)
    text = re.sub(r"(engine .*because) .*", r"\1 …", text)
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


# -- what they print -------------------------------------------------------------------------------------------


def test_index_says_what_it_did_and_what_it_skipped(indexed: tuple[Path, str], photos: Path) -> None:
    compare("index", indexed[1], (photos, "PHOTOS"))


def test_index_again_does_nothing(photos: Path, run: Run) -> None:
    compare("index_again", run("index").stdout, (photos, "PHOTOS"))


def test_search_prints_a_table(run: Run, photos: Path) -> None:
    compare("search", run("search", photos / "cats/a.png", "-k", 4).stdout, (photos, "PHOTOS"))


def test_list_prints_a_table_with_names_made_harmless(run: Run, photos: Path) -> None:
    done = run("list")
    compare("list", done.stdout, (photos, "PHOTOS"))
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_info(run: Run, photos: Path, indexed: tuple[Path, str]) -> None:
    compare("info", run("info").stdout, (photos, "PHOTOS"), (indexed[0], "COLLECTION"))


def test_info_skipped(run: Run, photos: Path) -> None:
    compare("info_skipped", run("info", "--skipped").stdout, (photos, "PHOTOS"))


def test_models_names_every_model_and_engine() -> None:
    rows = [line.split()[:2] for line in invoke("models").stdout.partition("\n\n")[0].splitlines()]
    assert rows == [["kind", "name"], *(["model", name] for name in EMBEDDERS), *(["engine", name] for name in ENGINES)]


def test_help() -> None:
    compare("help", invoke("--help").stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = invoke(command, "--help")
    assert done.exit_code == 0
    assert f"Usage: imagekin {command}" in done.stdout


# -- as JSON ---------------------------------------------------------------------------------------------------


def test_search_as_json_gives_whole_hits_nearest_first(run: Run, photos: Path) -> None:
    hits = json.loads(run("search", photos / "cats/a.png", "-k", 3, "--json").stdout)
    assert [len(hits), hits[0]["path"], hits[0]["label"]] == [3, str(photos / "cats/a.png"), "cats"]
    assert [hits[0]["width"], hits[0]["height"]] == [48, 32]
    assert hits[0]["similarity"] == pytest.approx(1.0, abs=1e-3)
    distances = [hit["distance"] for hit in hits]
    assert distances == sorted(distances)


def test_json_may_stand_before_the_command(run: Run) -> None:
    assert run("--json", "list").stdout == run("list", "--json").stdout


def test_json_is_ascii_and_keeps_the_name_whole(run: Run, photos: Path) -> None:
    done = run("list", "--json")
    assert done.stdout.isascii()
    assert str(photos / HOSTILE) in [item["path"] for item in json.loads(done.stdout)]


def test_an_empty_list_is_an_empty_array(run: Run) -> None:
    assert json.loads(run("list", "--label", "horses", "--json").stdout) == []
    assert run("search", "--id", 1, "--label", "horses").stdout == "No picture of the collection fits.\n"


def test_index_as_json_is_the_report(photos: Path, tmp_path: Path) -> None:
    report = json.loads(invoke("-c", tmp_path / "c", "index", photos, "--model", "pixels", "--json").stdout)
    assert [report["added"], len(report["skipped"]), report["ignored"]] == [7, 2, {".mov": 1, ".txt": 2}]


def test_doctor_as_json(run: Run) -> None:
    done = run("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [found["collection"]["images"], found["collection"]["faults"]] == [7, []]
    assert found["packages"]["numpy"][0].isdigit()
    assert found["precision"].split(",")[0] in ("int8", "fp32")


def test_models_as_json_name_both_families() -> None:
    found = json.loads(invoke("models", "--json").stdout)
    assert "pixels" in [entry["name"] for entry in found["models"]]
    assert {"exact", "faiss"} <= {entry["name"] for entry in found["engines"]}


# -- options ---------------------------------------------------------------------------------------------------


def test_filters_act_inside_the_search(run: Run, photos: Path) -> None:
    def labels(*options: object) -> list[str]:
        found = json.loads(run("search", photos / "cats/a.png", "-k", 3, "--json", *options).stdout)
        return [hit["label"] for hit in found]

    assert labels("--label", "dogs") == ["dogs"] * 3
    assert labels("--under", photos / "cats") == ["cats"] * 3
    assert labels("--where", "label == 'dogs' and width < 100") == ["dogs"] * 3


def test_search_by_id_leaves_the_item_out(run: Run) -> None:
    found = json.loads(run("search", "--id", 2, "--json").stdout)
    assert sorted(hit["id"] for hit in found) == [1, 3, 4, 5, 6, 7]


def test_search_reads_standard_input(run: Run, photos: Path) -> None:
    done = run("search", "-", "-k", 1, "--json", input=(photos / "cats/b.png").read_bytes())
    assert json.loads(done.stdout)[0]["path"] == str(photos / "cats/b.png")


def test_search_by_a_region(run: Run, tmp_path: Path, photos: Path) -> None:
    wide = Image.new("RGB", (148, 32))
    wide.paste(picture(3), (100, 0))
    wide.save(tmp_path / "wide.png")
    done = run("search", tmp_path / "wide.png", "--crop", "100,0,48,32", "-k", 1, "--json")
    assert json.loads(done.stdout)[0]["path"] == str(photos / "dogs/d.png")


def test_search_draws_a_sheet(run: Run, photos: Path, tmp_path: Path) -> None:
    done = run("search", photos / "cats/a.png", "--plot", tmp_path / "out.png")
    assert done.exit_code == 0
    with Image.open(tmp_path / "out.png") as sheet:
        assert sheet.format == "PNG"


def test_search_by_id_draws_the_item_as_query(run: Run, tmp_path: Path) -> None:
    assert run("search", "--id", 1, "--plot", tmp_path / "out.jpg").exit_code == 0
    assert (tmp_path / "out.jpg").stat().st_size > 1_000


def test_list_pages(run: Run) -> None:
    ids = [item["id"] for item in json.loads(run("list", "--after", 2, "--limit", 3, "--json").stdout)]
    assert ids == [3, 4, 5]


def test_quiet_index_says_nothing(photos: Path, tmp_path: Path) -> None:
    done = invoke("-q", "-c", tmp_path / "c", "index", photos, "--model", "pixels")
    assert (done.exit_code, done.output) == (0, "")


def test_labels_from_nowhere(photos: Path, tmp_path: Path) -> None:
    invoke("-c", tmp_path / "c", "index", photos, "--model", "pixels", "--label-from", "none")
    found = json.loads(invoke("-c", tmp_path / "c", "list", "--json").stdout)
    assert [item["label"] for item in found] == [None] * 7


def test_the_default_collection_has_a_name(photos: Path) -> None:
    assert "imagekin index FOLDER" in invoke("collections").stdout
    assert json.loads(invoke("collections", "--json").stdout) == []
    invoke("index", photos, "--model", "pixels")
    invoke("index", photos, "--model", "pixels", "-c", "other")
    assert invoke("collections").stdout == "default\nother\n"


def test_the_environment_names_the_collection(monkeypatch: pytest.MonkeyPatch, indexed: tuple[Path, str]) -> None:
    monkeypatch.setenv("IMAGEKIN_COLLECTION", str(indexed[0]))
    assert json.loads(invoke("info", "--json").stdout)["images"] == 7


# -- remove ----------------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A collection of twelve pictures that may be changed."""
    folder(tmp_path / "many", [f"{number}.png" for number in range(12)])
    invoke("-c", tmp_path / "c", "index", tmp_path / "many", "--model", "pixels")
    return tmp_path / "c"


def count(place: Path) -> int:
    images: int = json.loads(invoke("-c", place, "info", "--json").stdout)["images"]
    return images


def test_remove_asks_before_many_and_takes_no_for_an_answer(many: Path) -> None:
    done = invoke("-c", many, "remove", "--where", "id > 0", input="n\n")
    assert "Remove 12 pictures from the collection (the files stay)?" in done.stderr
    assert (done.exit_code, count(many)) == (1, 12)


def test_remove_takes_yes_and_leaves_the_files(many: Path) -> None:
    done = invoke("-c", many, "remove", "--where", "id > 0", "--yes")
    assert done.stdout == "Removed 12 pictures from the collection; the files were not touched.\n"
    assert count(many) == 0
    assert len(list((many.parent / "many").iterdir())) == 12


def test_remove_a_few_without_asking(many: Path) -> None:
    assert json.loads(invoke("-c", many, "remove", "3", "5", "--json").stdout) == {"removed": 2}
    assert count(many) == 10


def test_remove_stops_where_nobody_answers(many: Path) -> None:
    done = invoke("-c", many, "remove", "--where", "id > 0", input="")
    assert done.exit_code != 0
    assert count(many) == 12


# -- mistakes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["search", "nowhere.png"], "no such file"),
        (["search", "{photos}/dogs/text.jpg"], "web page"),
        (["search", "{photos}/cats/half.png"], "truncated"),
        (["search", "{photos}/cats/a.png", "-k", "0"], "k is 0"),
        (["search", "{photos}/cats/a.png", "--where", "import os"], "the filter"),
        (["search", "{photos}/cats/a.png", "--crop", "500,0,10,10"], "has no pixel"),
        (["search", "{photos}/cats/a.png", "--plot", "out.gif"], ".png"),
        (["search", "{photos}/cats/a.png", "--plot", "no/such/folder/out.png"], "does not exist"),
        (["search", "https://example.org/a.png"], "--allow-urls"),
        (["search", "--id", "99"], "99"),
        (["index", "{photos}/nowhere"], "no folder or file"),
        (["index", "{photos}", "--model", "pixel"], "Did you mean 'pixels'?"),
        (["index", "{photos}", "--engine", "fais"], "Did you mean 'faiss'?"),
        (["info", "-c", "never made"], "never made"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(run: Run, photos: Path, arguments: list[str], sentence: str) -> None:
    done = run(*(argument.replace("{photos}", str(photos)) for argument in arguments))
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("imagekin: ")
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["search"], ["search", "a.png", "--id", "1"], ["search", "a.png", "--crop", "1,2,3"], ["remove"], ["nonsense"]],
)
def test_wrong_usage_exits_with_2(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert "Usage: imagekin" in done.stderr


def test_a_hostile_name_in_an_error_is_escaped(run: Run) -> None:
    done = run("search", "\x1b[31m\u202e.png")
    assert done.exit_code == 1
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr


def test_the_unexpected_is_one_sentence_without_debug(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("imagekin.collection.Collection.info", fail)
    done = run("info")
    assert done.exit_code == 1
    assert done.stderr == (
        "imagekin: unexpected ZeroDivisionError: by nothing; run the command again with --debug to see where.\n"
    )
    assert isinstance(run("info", "--debug").exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "imagekin: not enough memory.\n"),
        (OSError(28, "No space left on device", "/x"), "imagekin: No space left on device: '/x'.\n"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("imagekin.collection.Collection.info", fail)
    assert run("info").stderr == said


def test_doctor_exits_with_1_on_a_fault(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekin.collection.Collection.check", lambda self: ["item 3 has no vector."])
    done = run("doctor")
    assert done.exit_code == 1
    assert "item 3 has no vector." in done.stdout


def test_doctor_without_a_collection_is_no_fault() -> None:
    done = invoke("doctor")
    assert done.exit_code == 0
    assert "not made yet" in done.stdout


def test_a_damaged_collection_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "collection.db").write_bytes(b"this is no database" * 500)
    for command in ("info", "list", "doctor"):
        done = invoke("-c", tmp_path / "c", command)
        assert done.exit_code == 1
        assert done.stderr.startswith("imagekin: ")
        assert "Traceback" not in done.output
