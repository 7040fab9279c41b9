"""Tags over HTTP: what a page asks for, and what it is not given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import imagekin
from imagekin.collection import Collection
from tests.encoded import encoded
from tests.pictures import folder, picture
from tests.served import Site, problem, serving


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    root = folder(tmp_path / "photos", [f"{n:02}.png" for n in range(12)])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        yield photos


@pytest.fixture
def site(photos: Collection) -> Iterator[Site]:
    with serving(photos) as site:
        yield site


def change(site: Site, **body: Any) -> int:
    answer = site.ask("tags", "POST", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["changed"])


def test_items_are_tagged_listed_and_filtered(site: Site) -> None:
    assert site.ask("tags").json() == {"tags": []}
    assert change(site, ids=[1, 2, 3], add=["sea", "sun"]) == 3
    assert change(site, ids=[3, 4], add=["rain"], remove=["sun"]) == 2
    counts = [{"tag": "sea", "count": 3}, {"tag": "rain", "count": 2}, {"tag": "sun", "count": 2}]
    assert site.ask("tags").json() == {"tags": counts}
    assert site.ask("items/1").json()["tags"] == ["sea", "sun"]
    listed = site.ask("items", params={"tag": ["sea", "sun"]}).json()["items"]
    assert [(each["id"], each["tags"]) for each in listed] == [(1, ["sea", "sun"]), (2, ["sea", "sun"])]
    assert site.ask("count", params={"tag": "rain"}).json() == {"count": 2}
    for wanted in ("rain", ["rain"]):
        assert {hit["id"] for hit in site.search(id=1, tag=wanted).json()["results"][0]} == {3, 4}
    found = site.send(encoded(picture(3)), tag="sea").json()["results"][0]
    assert {hit["id"] for hit in found} == {1, 2, 3}
    assert site.ask("items", "DELETE", params={"tag": "rain"}).json() == {"removed": 2}
    assert site.ask("tags").json()["tags"][0] == {"tag": "sea", "count": 2}


def test_tags_are_renamed_and_forgotten(site: Site) -> None:
    change(site, ids=[1, 2], add=["sea"])
    change(site, ids=[2, 3], add=["beach"])
    assert site.ask("tags/rename", "POST", json={"tag": "sea", "to": "beach"}).json() == {"changed": 2}
    assert site.ask("tags").json() == {"tags": [{"tag": "beach", "count": 3}]}
    assert "no picture has the tag 'sea'" in problem(
        site.ask("tags/rename", "POST", json={"tag": "sea", "to": "x"}), 422
    )
    assert site.ask("tags", "DELETE", params={"tag": "beach"}).json() == {"changed": 3}
    assert site.ask("tags", "DELETE", params={"tag": "beach"}).json() == {"changed": 0}


def test_a_filter_chooses_whom_to_tag(site: Site) -> None:
    assert change(site, where="id > 9", add=["late"]) == 3
    assert change(site, ids=[9, 10, 11], tag="late", add=["both"]) == 2
    assert change(site, under=[], add=["x"]) == 0


def test_ten_thousand_ids_are_one_request_and_more_are_none(site: Site) -> None:
    assert change(site, ids=[*range(1, 10_001)], add=["all"]) == 12
    problem(site.ask("tags", "POST", json={"ids": [*range(1, 10_002)], "add": ["all"]}), 422)
    assert change(site, ids=[2**63 - 1], add=["all"]) == 0


@pytest.mark.parametrize(
    "body",
    [
        {}, {"ids": [1]}, {"ids": [1], "add": []}, {"add": ["x"]}, {"ids": [1], "add": ["x"], "remove": [" x"]},
        {"ids": ["1"], "add": ["x"]}, {"ids": [True], "add": ["x"]}, {"ids": [1.5], "add": ["x"]},
        {"ids": [0], "add": ["x"]}, {"ids": [2**63], "add": ["x"]}, {"ids": 1, "add": ["x"]},
        {"ids": [1], "add": "x"}, {"ids": [1], "add": [5]}, {"ids": [1], "add": [""]}, {"ids": [1], "add": ["a\u0000"]},
        {"ids": [1], "add": ["\u202e"]}, {"ids": [1], "add": ["x" * 101]}, {"ids": [1], "add": ["x"] * 101},
        {"ids": [1], "add": ["x"], "path": "/etc/passwd"}, {"ids": [1], "add": ["x"], "where": "tag > 'a'"}, [], "x",
    ],
    ids=lambda body: str(body)[:40],
)  # fmt: skip
def test_what_makes_no_sense_changes_nothing(site: Site, body: Any) -> None:
    problem(site.ask("tags", "POST", json=body), 422)
    assert site.ask("tags").json() == {"tags": []}


def test_a_lone_surrogate_is_no_tag(site: Site) -> None:
    answer = site.ask(
        "tags", "POST", content=b'{"ids": [1], "add": ["\\ud800"]}', headers={"Content-Type": "application/json"}
    )
    problem(answer, 422)


def test_names_that_look_like_code_are_names(site: Site) -> None:
    names = ["<script>alert(1)</script>", "'); DROP TABLE tag; --", "%00", "../../etc", "{{7*7}}", "a&b=c#d?e"]
    assert change(site, ids=[1], add=names) == 1
    assert site.ask("items/1").json()["tags"] == sorted(names)
    for name in names:
        assert [item["id"] for item in site.ask("items", params={"tag": name}).json()["items"]] == [1]
        assert site.ask("tags", "DELETE", params={"tag": name}).json() == {"changed": 1}
