"""Label files: what becomes a number, and what a person is warned of."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import imagekin
from imagekin.errors import InputError
from imagekin.labels import Table, canonical, typed
from tests.pictures import folder


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7), ("-7", -7), ("0", 0), ("7.50", 7.5), (".5", 0.5), ("1e3", 1000.0), (" 7", 7),
        ("9" * 18, int("9" * 18)), ("007", "007"),
        ("+7", "+7"), ("1_000", "1_000"), ("nan", "nan"), ("inf", "inf"), ("1e999", "1e999"),
        ("9" * 19, "9" * 19), ("9" * 5000, "9" * 5000), ("٧", "٧"), ("0x10", "0x10"), ("", ""), ("7 m", "7 m"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_is_written_as_a_number_is_one(text: str, value: Any) -> None:
    assert typed(text) == value
    assert type(typed(text)) is type(value)


def table(place: Path, *rows: str) -> Path:
    path = place / "labels.csv"
    path.write_text("\n".join(rows))
    return path


@pytest.mark.parametrize("wrong", ["", " ", 5, ["parent"]], ids=repr)
def test_a_rule_is_a_word_or_a_file(wrong: Any) -> None:
    with pytest.raises(InputError, match="labels come from 'parent', 'none' or a CSV file, not from"):
        canonical(wrong)
    assert canonical("parent") == "parent"
    assert canonical("/a/../b.csv") == "/b.csv"


def test_a_column_of_codes_stays_text(tmp_path: Path) -> None:
    rule = Table(table(tmp_path, "path,zip,price,rank", "a.png,007,5,0", "b.png,8,n/a,1"))
    assert rule(str(tmp_path / "a.png")) == (None, {"zip": "007", "price": 5, "rank": 0})
    assert rule(str(tmp_path / "b.png")) == (None, {"zip": "8", "price": "n/a", "rank": 1})


def test_codes_are_found_as_they_are_written(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", ["a.png", "b.png"])
    path = table(root, "path,zip,price", "a.png,007,5", "b.png,8,n/a")
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root, label_from=str(path))
        found = {where: [item.id for item in photos.items(where=where)] for where in (
            "zip == '007'", "zip in ('8',)", "price > 1", "price < 'z'")}  # fmt: skip
    assert found == {"zip == '007'": [1], "zip in ('8',)": [2], "price > 1": [1], "price < 'z'": [2]}


def test_a_column_that_a_field_hides_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(tmp_path / "photos", ["a.png"])
    path = table(root, "path,label,width,price", "a.png,x,3,5")
    with imagekin.open(tmp_path / "c", model="pixels") as photos, caplog.at_level(logging.WARNING):
        photos.index(root, label_from=str(path))
        assert [each.getMessage() for each in caplog.records] == [
            f"{path} has a column 'width', which is also a field; in filters write meta['width']"
        ]
        photos.index()
        assert len(caplog.records) == 1
        assert photos.count(where="meta['width'] == 3") == 1
