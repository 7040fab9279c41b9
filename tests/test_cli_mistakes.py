"""What the command line answers to arguments that are hostile, empty or mistyped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pictures import folder
from tests.shell import invoke

HOSTILE = "\x1b]0;owned\x07\x1b[31m\u202e"


@pytest.fixture
def collection(tmp_path: Path) -> str:
    place = str(tmp_path / "c")
    photos = folder(tmp_path / "photos", ["cat/1.png", "dog/2.png"])
    assert invoke("-c", place, "index", photos, "--model", "pixels").exit_code == 0
    return place


@pytest.mark.parametrize(
    "arguments",
    [
        (HOSTILE,),
        (f"--{HOSTILE}",),
        ("info", HOSTILE),
        ("search", "--crop", HOSTILE, "q.jpg"),
        ("list", "-n", HOSTILE),
        ("index", "--precision", HOSTILE, "photos"),
        ("remove", HOSTILE),
    ],
)
def test_wrong_usage_quotes_nothing_raw(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Usage: imagekin" in result.output and "Error: " in result.output
    assert not {"\x1b", "\x07", "\u202e"} & set(result.output)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("list", "--where", "date > '0001-01-01'", "--label", "cow"), "No picture of the collection fits."),
        (("list", "--where", "width > 1" + 400 * "0"), "a number in the filter is too large"),
        (("list", "--where", "widht > 1"), "Did you mean 'width'?"),
        (("remove", "-y", "--where", "lable != 'dalmatian'"), "Did you mean 'label'?"),
        (("remove", "-y", "1", "--under", ""), "'' names no folder"),
        (("remove", "1", "99999"), "the collection has no item 99999"),
        (("index", ""), "'' names no folder"),
        (("index", "--model", "pixels(side='a')"), "side must be a whole number from 1 to 64, not 'a'."),
        (("list", "-c", "milvus://host/photos"), "is an address (milvus)"),
    ],
)
def test_a_mistake_never_acts_on_everything(collection: str, arguments: tuple[str, ...], sentence: str) -> None:
    result = invoke("-c", collection, *arguments)
    assert sentence in result.output
    assert "unexpected" not in result.output
    assert invoke("-c", collection, "list", "--json").output.count('"id"') == 2
