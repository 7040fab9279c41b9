"""Tags over HTTP: what a page asks for, and what it is not given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagekin.collection import Collection
from tests.encoded import encoded
from tests.pictures import folder, picture
from tests.pixel_collection import indexed
from tests.served import Site, problem, serving, site_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "photos", [f"{n:02}.png" for n in range(12)])


photos = indexed("function")
site = site_of("photos", "function")


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
    said = problem(site.ask("tags/rename", "POST", json={"tag": "sea", "to": "beach"}), 422)
    assert "there is a tag 'beach' already, which 2 pictures have" in said
    assert site.ask("tags/rename", "POST", json={"tag": "sea", "to": "beach", "merge": True}).json() == {"changed": 2}
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


def test_a_server_that_may_only_be_looked_at_proposes_but_changes_no_tag(photos: Collection) -> None:
    photos.tag([1, 2], "sea")
    with serving(photos, read_only=True) as site:
        for path, method, body in (
            ("tags", "POST", {"ids": [1], "add": ["x"]}),
            ("tags/rename", "POST", {"tag": "sea", "to": "x"}),
            ("tags?tag=sea", "DELETE", None),
        ):
            problem(site.ask(path, method, json=body), 403)
        assert site.ask("tags").json() == {"tags": [{"tag": "sea", "count": 2}]}
        assert len(site.ask("tags/proposals", "POST", json={"tag": "sea", "k": 4}).json()["proposals"]) == 4


@pytest.mark.parametrize(
    "body",
    [
        {}, {"tag": "nobody"}, {"ids": []}, {"ids": [99]}, {"ids": [1], "refused": [99]}, {"ids": [1], "refused": [1]},
        {"ids": [1], "k": 0}, {"ids": [1], "k": 1_001}, {"ids": [1], "k": "5"}, {"ids": ["1"]}, {"ids": [1], "tag": ""},
        {"ids": [1], "tag": "\u202e"}, {"ids": [1], "tag": ["a"]}, {"ids": [1], "tagged": ["a\nb"]},
        {"ids": [*range(1, 10_002)]}, {"ids": [1], "where": "x y"}, {"ids": [1], "url": "http://127.0.0.1/"},
    ],
    ids=lambda body: str(body)[:40],
)  # fmt: skip
def test_proposals_that_make_no_sense_are_refused(site: Site, body: Any) -> None:
    problem(site.ask("tags/proposals", "POST", json=body), 422)


def test_proposals_are_items_with_a_confidence(site: Site) -> None:
    change(site, ids=[1, 2], add=["sea"])
    change(site, ids=[4, 5], add=["seen"])
    answer = site.ask("tags/proposals", "POST", json={"tag": "sea", "ids": [3], "refused": [6], "k": 50}).json()
    assert (answer["examples"], answer["calibrated"]) == (3, False)
    assert sorted(each["id"] for each in answer["proposals"]) == [4, 5, 7, 8, 9, 10, 11, 12]
    first = answer["proposals"][0]
    assert {*site.ask(f"items/{first['id']}").json()} | {"distance", "similarity", "confidence"} == {*first}
    assert 0 <= first["confidence"] <= 1
    few = site.ask("tags/proposals", "POST", json={"tag": "sea", "tagged": "seen"}).json()["proposals"]
    assert {each["id"] for each in few} == {4, 5}
