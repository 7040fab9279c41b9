"""Duplicates over HTTP: looked for, listed, planned for, acted on, brought back; and everything that must not work."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.duplicates import acts, find
from imagekin.duplicates.planning import TRASH
from imagekin.errors import FetchError, ImageError, InputError
from imagekin.server import answers, copies
from imagekin.server.routes import duplicates
from tests import duplicated
from tests.duplicated import COPIES, tree
from tests.encoded import encoded
from tests.photographs import photograph, save
from tests.served import HERE, Site, problem, serving


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return duplicated.pictures(tmp_path / "pictures")


@pytest.fixture
def photos(root: Path, tmp_path: Path) -> Iterator[Collection]:
    with duplicated.collection(tmp_path / "c", root) as photos:
        yield photos


@pytest.fixture
def site(photos: Collection, tmp_path: Path) -> Iterator[Site]:
    with serving(photos, set_aside=str(tmp_path / "aside")) as site:
        yield site


def looked(site: Site, **options: Any) -> dict[str, Any]:
    """What a search finds."""
    site.done("duplicates", **options)
    found: dict[str, Any] = site.ask("duplicates").json()
    return found


def group(found: dict[str, Any], name: str) -> dict[str, Any]:
    """The group whose keeper has that name."""
    return next(each for each in found["groups"] if each["members"][0]["name"] == name)


def planned(site: Site, **wanted: Any) -> dict[str, Any]:
    answer = site.ask("duplicates/plan", "POST", json=wanted)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def acted(site: Site, plan: dict[str, Any]) -> dict[str, Any]:
    return site.done("duplicates/act", plan=plan["plan"])


# -- found and listed --------------------------------------------------------------------------------------------------


def test_before_the_first_search_there_is_nothing(site: Site) -> None:
    for answer in (site.ask("duplicates"), site.ask("duplicates/plan", "POST", json={"act": "delete"})):
        assert "not looked for yet" in problem(answer, 404)
        assert answer.json()["code"] == "NoDuplicates"
    assert site.ask("duplicates/logs").json() == {"logs": []}


def test_what_is_there_twice_is_found_by_a_job_and_listed(site: Site, photos: Collection, root: Path) -> None:
    report = site.done("duplicates")
    assert (report["groups"], report["duplicates"], report["counts"]) == (2, 3, {"exact": 2, "near": 1})
    assert report["skipped"] == []
    found = site.ask("duplicates").json()
    assert (found["total"], found["stale"], found["bytes"]) == (2, False, report["bytes"])
    exact, near = group(found, "a.jpg"), group(found, "c.jpg")
    assert (exact["kind"], near["kind"], exact["count"]) == ("exact", "near", 3)
    assert [os.path.relpath(each["path"], root) for each in exact["members"]] == ["a.jpg", *COPIES["a.jpg"]]
    assert [each["keep"] for each in exact["members"]] == [True, False, False]
    keeper, small = near["members"]
    assert (keeper["why"], keeper["kind"], keeper["id"]) == (near["rule"], "keeper", near["keeper"])
    assert near["rule"] == "it has the most pixels"
    assert "agrees" in small["why"]
    assert 0.9 < small["comparison"]["agreement"] <= 1
    assert near["bytes"] == small["size"]
    assert site.ask(small["thumbnail"]).status_code == 200
    library = find(photos)
    assert [each["keeper"] for each in found["groups"]] == [each.keeper.id for each in library.groups]


def test_pages_of_groups(site: Site) -> None:
    found = looked(site)
    parts = [site.ask("duplicates", params={"offset": at, "limit": 1}).json() for at in range(3)]
    assert [each["groups"] for each in parts] == [[found["groups"][0]], [found["groups"][1]], []]
    assert {each["total"] for each in parts} == {2}
    for wrong in ({"offset": -1}, {"limit": 0}, {"limit": 201}):
        problem(site.ask("duplicates", params=wrong), 422)


def test_a_page_of_large_groups_has_a_bound(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found = looked(site)
    assert [(each["count"], len(each["members"])) for each in found["groups"]] == [(3, 3), (2, 2)]
    made: set[str] = set()
    dumped = answers.dumped

    def seen(value: Any) -> bytes:
        made.add(threading.current_thread().name.rpartition("_")[0])
        return dumped(value)

    monkeypatch.setattr(duplicates, "LISTED", 1)
    monkeypatch.setattr(answers, "dumped", seen)
    short = site.ask("duplicates").json()
    assert made == {"imagekin-read"}  # beside the event loop
    assert [(each["count"], len(each["members"])) for each in short["groups"]] == [(3, 2), (2, 2)]
    assert short["groups"][0]["members"] == found["groups"][0]["members"][:2]


def test_options_of_a_search(site: Site, root: Path) -> None:
    assert looked(site, exact=True)["counts"] == {"exact": 2}
    preferred = looked(site, prefer=[str(root / "d")])
    assert group(preferred, "small.jpg")["rule"] == "it lies in a preferred folder"
    assert looked(site, under=str(root / "b"))["options"]["under"] == [str(root / "b")]
    assert looked(site, where="name == 'e.jpg'")["total"] == 0
    for wrong in ({"error": 0}, {"error": 1}, {"prefer": ["relative"]}, {"under": "~"}, {"exact": "yes"}, {"where": 5},
                  {"kinds": ["exact"]}, {"prefer": [str(root) + "\0"]}):  # fmt: skip
        problem(site.ask("duplicates", "POST", json=wrong), 422)
    job = site.ended(site.ask("duplicates", "POST", json={"where": "nothing =="}).json())
    assert (job["state"], job["report"]) == ("failed", None)


def test_it_is_there_after_a_restart(photos: Collection) -> None:
    with serving(photos) as site:
        before = looked(site)
    with serving(photos) as site:
        assert site.ask("duplicates").json() == before


# -- planned: nothing is touched ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["hardlink", "move", "delete"])
def test_a_plan_says_everything_and_touches_nothing(site: Site, root: Path, tmp_path: Path, act: str) -> None:
    found, before = looked(site), tree(root)
    plan = planned(site, act=act)
    assert [os.path.relpath(step["path"], root) for step in plan["steps"]] == COPIES["a.jpg"]  # exact ones alone
    assert {step["keeper"] for step in plan["steps"]} == {group(found, "a.jpg")["keeper"]}
    assert (plan["total"], plan["refused"], plan["refused_count"]) == (2, [], 0)
    assert plan["bytes"] == group(found, "a.jpg")["bytes"]
    where = {"hardlink": "", "move": str(tmp_path / "aside"), "delete": str(root / TRASH)}[act]
    for step in plan["steps"]:
        assert step["to"] == step["path"] if act == "hardlink" else step["to"].startswith(where)
    assert tree(root) == before
    assert not (tmp_path / "aside").exists()
    assert not (root / TRASH).exists()


def test_groups_that_are_named_are_planned_for_whatever_their_kind(site: Site, root: Path) -> None:
    found = looked(site)
    near = group(found, "c.jpg")
    plan = planned(site, act="delete", groups=[near["number"]], made=found["made"])
    assert [step["path"] for step in plan["steps"]] == [str(root / "d/small.jpg")]
    both = planned(site, act="delete", groups=[1, 2, 2], made=found["made"])
    assert both["total"] == 3
    exact = planned(site, act="delete", groups=[1, 2], kinds=["exact"], made=found["made"])
    assert exact["total"] == 2
    linked = planned(site, act="hardlink", groups=[1, 2], made=found["made"])
    assert linked["total"] == 2
    assert [skip["path"] for skip in linked["refused"]] == [str(root / "d/small.jpg")]
    assert "not the same bytes" in linked["refused"][0]["reason"]
    unlike = planned(site, act="hardlink", groups=[1, 2], kinds=["near"], made=found["made"])
    assert (unlike["steps"], unlike["total"], unlike["refused"]) == ([], 0, linked["refused"])
    assert planned(site, act="delete", groups=[], made=found["made"])["total"] == 0


def test_another_keeper(site: Site, root: Path) -> None:
    found = looked(site)
    near = group(found, "c.jpg")
    small = near["members"][1]
    plan = planned(
        site, act="delete", groups=[near["number"]], keepers={near["number"]: small["id"]}, made=found["made"]
    )
    assert [(step["path"], step["keeper"]) for step in plan["steps"]] == [(str(root / "c.jpg"), small["id"])]
    alone = next(item["id"] for item in site.ask("items").json()["items"] if item["name"] == duplicated.ALONE)
    wrong = {"act": "delete", "groups": [near["number"]], "made": found["made"]}
    for number in (alone, 10**9, group(found, "a.jpg")["keeper"]):
        answer = site.ask("duplicates/plan", "POST", json={**wrong, "keepers": {str(near["number"]): number}})
        assert "none of the pictures" in problem(answer, 422)


def test_numbers_of_another_search_are_refused(site: Site) -> None:
    found = looked(site)
    again = looked(site, exact=True)
    assert again["made"] != found["made"]
    for wanted in ({"groups": [1], "made": found["made"]}, {"groups": [1]}, {"keepers": {"1": 1}}, {"made": 5.0}):
        answer = site.ask("duplicates/plan", "POST", json={"act": "delete", **wanted})
        assert "numbers of groups are those of another search" in problem(answer, 409)
        assert answer.json()["code"] == "StaleResult"
    answer = site.ask("duplicates/plan", "POST", json={"act": "delete", "groups": [99], "made": again["made"]})
    assert "no group 99" in problem(answer, 404)


@pytest.mark.parametrize(
    "wanted",
    [{}, {"act": "burn"}, {"act": "move", "folder": "/tmp"}, {"act": "delete", "log": "/tmp/x"}, {"act": ["delete"]},
     {"act": "delete", "groups": ["1"]}, {"act": "delete", "groups": [0]}, {"act": "delete", "kinds": ["all"]},
     {"act": "delete", "kinds": []}, {"act": "delete", "keepers": {"x": 1}}, {"act": "delete", "keepers": {"1": -1}},
     {"act": "delete", "keepers": {"1": "/etc/passwd"}}, {"act": "delete", "made": "now"}],
    ids=str,
)  # fmt: skip
def test_a_plan_takes_no_path_and_nothing_that_makes_no_sense(site: Site, wanted: dict[str, Any]) -> None:
    looked(site)
    problem(site.ask("duplicates/plan", "POST", json=wanted), 422)


# -- acted on, and brought back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["hardlink", "move", "delete"])
def test_a_plan_is_carried_out_and_can_be_brought_back_after_a_restart(
    photos: Collection, root: Path, tmp_path: Path, act: str
) -> None:
    before = tree(root)
    with serving(photos, set_aside=str(tmp_path / "aside")) as site:
        looked(site)
        plan = planned(site, act=act)
        report = acted(site, plan)
        assert (report["acted"], report["bytes"], report["refused"]) == (2, plan["bytes"], [])
        assert site.ask("jobs").json()["jobs"][0]["kind"] == "act"
        count = 6 if act == "hardlink" else 4
        assert site.ask("count").json() == {"count": count}
        found = site.ask("duplicates").json()
        assert (found["stale"], found["total"]) == (False, 2 if act == "hardlink" else 1)
        if act == "hardlink":
            assert [each["linked"] for each in group(found, "a.jpg")["members"]] == [False, True, True]
        else:
            assert all(Path(step["to"]).is_file() for step in plan["steps"])
    with serving(photos) as site:
        (log,) = site.ask("duplicates/logs").json()["logs"]
        assert (log["log"], log["acts"], log["files"], log["left"]) == (report["log"], [act], 2, 2)
        report = site.done("duplicates/undo", log=log["log"])
        assert (report["restored"], report["unchanged"], report["refused"]) == (2, 0, [])
        assert site.ask("jobs").json()["jobs"][0]["kind"] == "undo"
        assert site.ask("duplicates/logs").json()["logs"][0]["left"] == 0
        assert site.done("duplicates/undo", log=log["log"])["unchanged"] == 2  # once more does no harm
        assert site.ask("count").json() == {"count": 6}
    assert tree(root) == before
    assert photos.check() == []


def test_without_a_folder_of_the_owner_s_nothing_is_moved(photos: Collection, root: Path) -> None:
    before = tree(root)
    with serving(photos) as site:
        looked(site)
        assert site.ask(HERE).json()["set_aside"] is None
        assert "--set-aside" in problem(site.ask("duplicates/plan", "POST", json={"act": "move"}), 422)
    assert tree(root) == before


def test_a_folder_among_the_pictures_is_no_place_to_move_to(photos: Collection, root: Path) -> None:
    with serving(photos, set_aside=str(root / "aside")) as site:
        looked(site)
        assert "would be indexed again" in problem(site.ask("duplicates/plan", "POST", json={"act": "move"}), 422)
        acted(site, planned(site, act="delete"))


def test_a_plan_is_carried_out_once(site: Site) -> None:
    looked(site)
    plan = planned(site, act="delete")
    other = planned(site, act="delete")
    assert plan["plan"] != other["plan"]
    acted(site, plan)
    answer = site.ask("duplicates/act", "POST", json={"plan": plan["plan"]})
    assert "carried out already" in problem(answer, 404)
    assert answer.json()["code"] == "NoPlan"
    answer = site.ask("duplicates/act", "POST", json={"plan": other["plan"]})  # its pictures are gone
    assert answer.json()["code"] == "StalePlan"
    problem(answer, 409)


def test_of_many_at_once_one_is_carried_out(site: Site, root: Path) -> None:
    looked(site)
    plans = [planned(site, act="delete") for _ in range(2)]
    asked = [plans[number % 2]["plan"] for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda plan: site.ask("duplicates/act", "POST", json={"plan": plan}).status_code, asked)
        )
    assert statuses.count(202) == 1
    assert set(statuses) <= {202, 404, 409}
    for job in site.ask("jobs").json()["jobs"]:
        site.ended(job)
    assert (root / "a.jpg").is_file()
    assert len(site.ask("duplicates/logs").json()["logs"]) == 1


def test_two_plans_that_would_each_keep_what_the_other_removes(site: Site, root: Path) -> None:
    found = looked(site)
    exact = group(found, "a.jpg")
    first = planned(site, act="delete", groups=[exact["number"]], made=found["made"])
    last = exact["members"][2]["id"]
    second = planned(site, act="delete", groups=[exact["number"]], keepers={exact["number"]: last}, made=found["made"])
    acted(site, first)
    answer = site.ask("duplicates/act", "POST", json={"plan": second["plan"]})
    problem(answer, 409)
    assert (root / "a.jpg").is_file()


@pytest.mark.parametrize(
    "change",
    [
        lambda root, photos: save(root / "b/copy.jpg", photograph(50)),
        lambda root, photos: (root / "b/copy.jpg").rename(root / "elsewhere.jpg"),
        lambda root, photos: (root / "a.jpg").unlink(),
        lambda root, photos: photos.remove(where="name == 'a.jpg'"),
        lambda root, photos: shutil.move(root, root.parent / "away"),
    ],
)
def test_a_plan_for_a_collection_that_changed_is_refused(
    site: Site, photos: Collection, root: Path, change: Any
) -> None:
    looked(site)
    plan = planned(site, act="delete")
    change(root, photos)
    if len(photos) == 6:
        photos.index()
    before = tree(root.parent)
    answer = site.ask("duplicates/act", "POST", json={"plan": plan["plan"]})
    assert "have changed since" in problem(answer, 409)
    assert {name: data for name, data in tree(root.parent).items() if not name.startswith("c/")} == {
        name: data for name, data in before.items() if not name.startswith("c/")
    }


def test_files_that_changed_on_the_disk_alone_are_left_alone(site: Site, root: Path, tmp_path: Path) -> None:
    looked(site)
    plan = planned(site, act="delete")
    (root / "b/copy.jpg").write_bytes(b"new")
    (root / "b/z.jpg").unlink()
    (tmp_path / "outside.jpg").write_bytes((root / "a.jpg").read_bytes())
    (root / "b/z.jpg").symlink_to(tmp_path / "outside.jpg")
    report = acted(site, plan)
    assert report["acted"] == 0
    assert sorted(Path(skip["path"]).name for skip in report["refused"]) == ["copy.jpg", "z.jpg"]
    assert (root / "b/copy.jpg").read_bytes() == b"new"
    assert (tmp_path / "outside.jpg").is_file()
    assert "refused" not in site.ask("jobs").json()["jobs"][0]["report"]
    assert site.ask("jobs").json()["jobs"][0]["report"]["refused_count"] == 2


def test_a_folder_that_became_a_link_is_not_followed(site: Site, root: Path, tmp_path: Path) -> None:
    looked(site)
    plan = planned(site, act="delete")
    (root / "b").rename(tmp_path / "elsewhere")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    report = acted(site, plan)
    assert report["acted"] == 0
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["copy.jpg", "z.jpg"]


def test_a_plan_waits_while_another_job_runs(site: Site, photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    looked(site)
    plan = planned(site, act="delete")
    begun, opened = threading.Event(), threading.Event()

    def held(*folders: Any, **how: Any) -> Any:
        begun.set()
        assert opened.wait(30)
        return imagekin.Report()

    monkeypatch.setattr(photos, "index", held)
    job = site.ask("jobs", "POST", json={}).json()
    assert begun.wait(30)
    problem(site.ask("duplicates/act", "POST", json={"plan": plan["plan"]}), 409)
    problem(site.ask("duplicates/undo", "POST", json={"log": "x"}), 404)
    opened.set()
    site.ended(job)
    assert acted(site, plan)["acted"] == 2


def test_an_act_is_stopped_between_two_files(site: Site, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(root)
    looked(site)
    plan = planned(site, act="delete")
    reached, opened = threading.Event(), threading.Event()
    real = acts.move

    def slow(path: str, to: str) -> None:
        reached.set()
        assert opened.wait(30)
        real(path, to)

    monkeypatch.setattr(acts, "move", slow)
    job = site.ask("duplicates/act", "POST", json={"plan": plan["plan"]}).json()
    assert reached.wait(30)
    site.ask(f"jobs/{job['id']}/cancel", "POST")
    opened.set()
    job = site.ended(job)
    assert (job["state"], job["report"]["acted"], job["report"]["interrupted"]) == ("cancelled", 1, True)
    assert site.ask("duplicates").json()["stale"] is False
    assert site.done("duplicates/undo", log=job["report"]["log"])["restored"] == 1
    assert tree(root) == before


def test_plans_are_few_and_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looked(site)
    first = planned(site, act="delete")
    for _ in range(copies.PLANS):
        last = planned(site, act="delete")
    assert site.ask("duplicates/act", "POST", json={"plan": first["plan"]}).json()["code"] == "NoPlan"
    monkeypatch.setattr(copies, "LIFE", -1.0)
    old = planned(site, act="delete")
    assert site.ask("duplicates/act", "POST", json={"plan": old["plan"]}).json()["code"] == "NoPlan"
    acted(site, last)


def test_a_new_picture_is_not_seen_until_it_is_looked_for(site: Site, root: Path) -> None:
    looked(site)
    (root / "f.jpg").write_bytes((root / duplicated.ALONE).read_bytes())
    site.done("jobs")
    assert site.ask("duplicates").json()["stale"] is True
    assert looked(site)["total"] == 3


# -- attacks -----------------------------------------------------------------------------------------------------------

CHANGES = ("duplicates", "duplicates/plan", "duplicates/act", "duplicates/undo", "map", "have")


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Host": "evil.example"},
        {"Content-Type": "text/plain", "Origin": "https://evil.example"},  # as a form of another page sends it
    ],
    ids=str,
)
def test_no_other_page_has_anything_done(site: Site, path: str, headers: dict[str, str]) -> None:
    answer = site.ask(path, "POST", content=b"{}", headers={"Content-Type": "application/json", **headers})
    problem(answer, 403)
    assert site.ask("jobs").json() == {"jobs": []}


def test_a_plan_cannot_be_guessed_and_names_no_file(site: Site, root: Path) -> None:
    looked(site)
    plan = planned(site, act="delete")["plan"]
    assert len(plan) >= 22
    for other in (plan[:-1], plan[::-1], "../x", str(root / "a.jpg"), "null", "x" * 100):
        assert site.ask("duplicates/act", "POST", json={"plan": other}).json()["code"] == "NoPlan"
    for other in ("", "x" * 101, None, 5, [plan], {"plan": plan}):
        problem(site.ask("duplicates/act", "POST", json={"plan": other}), 422)
    half = {"content": b'{"plan": "\\ud800"}', "headers": {"Content-Type": "application/json"}}
    problem(site.ask("duplicates/act", "POST", **half), 422)


@pytest.mark.parametrize(
    "name",
    ["../collection.db", "/etc/passwd", "..", "undo/../x", "dupes-20200101T000000Z-ffffffff.jsonl", "C:\\x", "%2e%2e",
     "dupes-20200101T000000Z-ffffffff.jsonl/../../x", "a\u0000b", "~/x.jsonl", "file:///etc/passwd"],
    ids=repr,
)  # fmt: skip
def test_no_text_but_the_name_of_a_log_is_one(site: Site, photos: Collection, name: str) -> None:
    (Path(photos.location) / "x").write_text('{"format": "imagekin undo log", "version": 1}\n', "utf-8")
    answer = site.ask("duplicates/undo", "POST", json={"log": name})
    assert answer.json()["code"] == "NoLog"
    problem(answer, 404)
    assert site.ask("jobs").json() == {"jobs": []}


def test_a_server_that_may_only_be_looked_at(photos: Collection, root: Path) -> None:
    before = tree(root)
    with serving(photos, read_only=True, folders=(str(root),)) as site:
        assert site.ask(HERE).json()["read_only"] is True
        plan = planned(site, act="delete") if looked(site) else {}
        assert site.done("map", method="pca")["images"] == 6
        assert site.search(id=1).status_code == 200
        for method, path, body in (
            ("POST", "duplicates/act", {"plan": plan["plan"]}), ("POST", "duplicates/undo", {"log": "x"}),
            ("POST", "jobs", {}), ("POST", "jobs", {"force": True}),
            ("DELETE", "items/1", None), ("DELETE", "items?id=1", None), ("POST", "tags", {"ids": [1], "add": ["x"]}),
            ("POST", "tags/rename", {"tag": "x", "to": "y"}), ("DELETE", "tags?tag=x", None),
        ):  # fmt: skip
            answer = site.ask(path, method, json=body)
            assert answer.json().get("code") == "ReadOnly", (method, path, answer.text)
            assert "--read-only" in problem(answer, 403)
        assert len(photos) == 6
        looking = site.ask("duplicates", "POST", json={}).json()
        assert site.ask(f"jobs/{looking['id']}/cancel", "POST").status_code == 202
        site.ended(looking)
        indexing = site.served.jobs.start([str(root)])
        assert "--read-only" in problem(site.ask(f"jobs/{indexing.id}/cancel", "POST"), 403)
        assert site.ended(indexing.plain())["state"] == "done"
    assert tree(root) == before


def test_without_the_token_nothing_is_done(photos: Collection) -> None:
    with serving(photos, token="a-token-of-the-owner") as site:
        for path in CHANGES:
            problem(site.ask(path, "POST", json={}), 401)
        for path in ("duplicates", "duplicates/logs", "map"):
            problem(site.ask(path), 401)
        mine = {"Authorization": "Bearer a-token-of-the-owner"}
        assert site.ask("duplicates", "POST", json={}, headers=mine).status_code == 202


# -- is this picture there? --------------------------------------------------------------------------------------------


def have(site: Site, *pictures: bytes, **fields: Any) -> httpx.Response:
    return site.ask("have", "POST", files=[("image", ("x", each)) for each in pictures], data=fields)


def test_whether_a_picture_is_there(site: Site, root: Path, photos: Collection) -> None:
    told = have(site, (root / "a.jpg").read_bytes()).json()
    assert (told["verdict"], told["there"], told["confidence"]) == ("exact", True, 1.0)
    assert told["item"]["hash"] == photos.get([1])[0].hash
    told = have(site, encoded(photograph(2).resize((200, 133)))).json()
    assert (told["verdict"], told["item"]["name"], told["there"]) == ("edited", "c.jpg", True)
    assert told["confidence"] > 0.9
    assert site.ask(told["item"]["thumbnail"]).status_code == 200
    told = have(site, encoded(photograph(77))).json()
    assert told["there"] is False


def test_an_answer_is_about_the_collection_as_it_is_now(site: Site, root: Path) -> None:
    assert have(site, encoded(photograph(3).resize((180, 120)))).json()["verdict"] == "edited"
    save(root / duplicated.ALONE, photograph(60))
    site.done("jobs")
    assert have(site, encoded(photograph(60).resize((180, 120)))).json()["verdict"] == "edited"
    assert have(site, encoded(photograph(3).resize((180, 120)))).json()["there"] is False


def test_what_is_no_picture_or_not_one_is_refused(site: Site) -> None:
    picture = encoded(photograph(1))
    assert "cannot read" in problem(have(site, b"no picture"), 422)
    problem(have(site), 415)
    problem(have(site, picture, picture), 422)
    problem(have(site, picture, error="0.1"), 422)
    problem(site.ask("have", "POST", json={"id": 1}), 415)
    problem(site.ask("have", "POST", json={"url": "http://127.0.0.1/"}), 415)


def test_an_empty_collection_has_nothing(site: Site, photos: Collection) -> None:
    photos.remove(where="id > 0")
    assert have(site, encoded(photograph(1))).json()["verdict"] == "none"


# -- the client --------------------------------------------------------------------------------------------------------


def test_the_client_has_all_of_it(site: Site, photos: Collection, root: Path) -> None:
    before = tree(root)
    with imagekin.open(f"{site.url}/photos") as client:
        assert isinstance(client, imagekin.Client)
        assert client.last_duplicates() is None
        assert client.undo_logs() == []
        steps: list[Any] = []
        last = client.find_duplicates(progress=steps.append, prefer=[str(root)], where="id > 0")
        library = find(photos, prefer=[str(root)])
        assert last.found.groups == library.groups
        assert (last.stale, last.found.counts, last.options["where"]) == (False, library.counts, "id > 0")
        plan = client.plan("delete", groups=last.numbers, made=last.made)
        assert plan["total"] == 3
        report = client.act(plan)
        assert report["acted"] == 3
        assert len(client) == 3
        assert [log["log"] for log in client.undo_logs()] == [report["log"]]
        assert client.undo(report["log"])["restored"] == 3
        assert tree(root) == before
        with pytest.raises(InputError, match="carried out already"):
            client.act(plan)
        with pytest.raises(InputError, match="no undo log"):
            client.undo("x")
        answer = client.have(root / "a.jpg")
        assert (answer.verdict, answer.there, answer.confidence) == ("exact", True, 1.0)
        assert client.have(photograph(77)).there is False
        with pytest.raises(ImageError):
            client.have(b"no picture")
        with pytest.raises(FetchError):
            client.have("http://127.0.0.1/x.jpg")


def test_the_client_reads_every_page(photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagekin.client import findings

    monkeypatch.setattr(findings, "GROUPS", 1)
    with serving(photos) as site, imagekin.Client(f"{site.url}/photos") as client:
        assert len(client.find_duplicates().found.groups) == 2
        assert client.find_duplicates(where="name == 'e.jpg'").found.groups == ()
