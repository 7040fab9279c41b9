"""Indexing over HTTP: started, watched, stopped, and whole again after a restart; what is counted and timed."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from imagekin.collection import Collection
from imagekin.errors import StoreError
from imagekin.server.jobs import KEPT, Jobs
from imagekin.server.problems import Problem
from imagekin.server.routes import jobs as routes
from imagekin.types import Report
from tests.encoded import encoded
from tests.pictures import folder, picture, save
from tests.pixel_collection import indexed
from tests.served import HERE, Site, problem, serving, site_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = folder(tmp_path / "photos", [f"{n:03}.png" for n in range(8)])
    (root / "broken.png").write_bytes(b"no picture")
    return root


photos = indexed("function")


site = site_of("photos", "function")


class Gate:
    """Holds indexing at its first step until it is opened."""

    def __init__(self, photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        real = photos.index

        def index(*folders: Any, progress: Any, **how: Any) -> Report:
            def step(now: Any) -> None:
                self.reached.set()
                assert self.opened.wait(30)
                progress(now)

            return real(*folders, progress=step, **how)

        monkeypatch.setattr(photos, "index", index)


def events(answer: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def test_a_job_brings_the_collection_up_to_date(site: Site, photos: Collection, root: Path) -> None:
    save(root / "new.png", 50)
    (root / "000.png").unlink()
    answer = site.ask("jobs", "POST", json={})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{HERE}/jobs/{answer.json()['id']}"
    job = site.ended(answer.json())
    assert (job["state"], job["error"]) == ("done", None)
    report = job["report"]
    assert (report["added"], report["removed"], report["unchanged"], report["skipped_count"]) == (1, 1, 7, 1)
    assert [skip["path"] for skip in report["skipped"]] == [str(root / "broken.png")]
    assert job["begun"] <= job["ended"] <= time.time()
    assert site.ask("count").json() == {"count": 8}
    listed = site.ask("jobs").json()["jobs"]
    assert [each["id"] for each in listed] == [job["id"]]
    assert "skipped" not in listed[0]["report"]


def test_only_the_owner_s_folders_are_looked_at(photos: Collection, root: Path, tmp_path: Path) -> None:
    other = save(tmp_path / "other" / "x.png", 90).parent
    with serving(photos) as site:
        for path in (str(other), f"{root}/../other", f"{root}/", "~", "", "/etc"):
            assert "only its owner" in problem(site.ask("jobs", "POST", json={"folders": [path]}), 403)
        assert len(photos) == 8
    with serving(photos, folders=(str(other),)) as site:  # as imagekin serve FOLDER names it
        assert site.ended(site.ask("jobs", "POST", json={"folders": [str(other)]}).json())["report"]["added"] == 1


def test_progress_comes_as_it_happens(site: Site, photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(photos, monkeypatch)
    job = site.ask("jobs", "POST", json={"force": True}).json()
    assert gate.reached.wait(10)
    with site.http.stream("GET", f"{HERE}/jobs/{job['id']}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = events(answer)
        name, first = next(told)
        assert (name, first["state"]) == ("progress", "running")
        assert site.ask(HERE).json()["job"] == job["id"]
        gate.opened.set()
        rest = [(name, first), *told]
    assert [name for name, _ in rest][-1] == "end"
    assert {name for name, _ in rest[:-1]} == {"progress"}
    last = rest[-1][1]
    assert (last["state"], last["report"]["updated"]) == ("done", 8)
    assert last["progress"]["phase"] == "build"
    with site.http.stream("GET", f"{HERE}/jobs/{job['id']}/events") as answer:
        assert [name for name, _ in events(answer)] == ["end"]  # one that has ended says so at once


def test_one_run_at_a_time(site: Site, photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(photos, monkeypatch)
    first = site.ask("jobs", "POST", json={"force": True}).json()
    assert gate.reached.wait(10)
    assert first["id"] in problem(site.ask("jobs", "POST", json={}), 409)
    assert site.search(id=1, k=3).status_code == 200  # searching goes on
    gate.opened.set()
    site.ended(first)
    assert site.ask("jobs", "POST", json={}).status_code == 202


def test_a_job_is_stopped_and_what_it_did_is_kept(
    site: Site, photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(photos, monkeypatch)
    for number in range(700):
        save(root / f"more/{number:03}.png", 1_000 + number)
    job = site.ask("jobs", "POST", json={}).json()
    assert gate.reached.wait(30)
    answer = site.ask(f"jobs/{job['id']}/cancel", "POST")
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    gate.opened.set()
    job = site.ended(job)
    assert (job["state"], job["report"]["interrupted"]) == ("cancelled", True)
    assert len(photos) < 708
    monkeypatch.undo()
    job = site.ended(site.ask("jobs", "POST", json={}).json())
    assert job["state"] == "done"
    assert len(photos) == 708
    assert photos.check() == []


@pytest.mark.parametrize(
    ("error", "words"), [(StoreError("the disk is full."), "the disk is full."), (RuntimeError("x"), "RuntimeError")]
)
def test_a_job_that_fails_says_why(
    site: Site, photos: Collection, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def broken(*folders: Any, **how: Any) -> Report:
        raise error

    monkeypatch.setattr(photos, "index", broken)
    job = site.ended(site.ask("jobs", "POST", json={}).json())
    assert (job["state"], job["report"]) == ("failed", None)
    assert words in job["error"]


def test_a_job_that_is_none(site: Site) -> None:
    for method, path in (("GET", "jobs/nothing"), ("GET", "jobs/nothing/events"), ("POST", "jobs/nothing/cancel")):
        assert "no job" in problem(site.ask(path, method), 404)


def test_the_end_of_the_server_stops_a_job_and_a_new_server_goes_on(
    photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(photos, monkeypatch)
    save(root / "new.png", 50)
    with serving(photos) as site:
        site.ask("jobs", "POST", json={"force": True})
        assert gate.reached.wait(10)
        followed = site.http.stream("GET", f"{HERE}/jobs/{site.ask('jobs').json()['jobs'][0]['id']}/events")
        with followed as answer:
            told = events(answer)
            assert next(told)[0] == "progress"
            site.server.should_exit = True
            gate.opened.set()
            assert all(name in ("progress", "end") for name, _ in told)  # which comes to an end
    monkeypatch.undo()
    with serving(photos) as site:
        assert site.ask("jobs").json() == {"jobs": []}
        assert site.ended(site.ask("jobs", "POST", json={}).json())["state"] == "done"
        assert len(photos) == 9


def test_followers_are_bounded(site: Site, photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(photos, monkeypatch)
    monkeypatch.setattr(routes, "LISTENERS", 1)
    job = site.ask("jobs", "POST", json={}).json()
    assert gate.reached.wait(10)
    with site.http.stream("GET", f"{HERE}/jobs/{job['id']}/events") as answer:
        told = events(answer)
        next(told)
        refused = httpx.get(f"{site.url}{HERE}/jobs/{job['id']}/events")
        assert "follow" in problem(refused, 429)
        gate.opened.set()


def test_only_the_last_jobs_are_remembered(photos: Collection) -> None:
    jobs = Jobs(photos)
    for _ in range(KEPT + 3):
        job = jobs.start()
        while job.state == "running":
            time.sleep(0.005)
    assert len(jobs.all()) == KEPT
    assert jobs.all()[0] is job
    with pytest.raises(Problem):
        jobs.start(["/elsewhere"])
    jobs.close()


def test_skipped_files_are_listed_with_their_reasons(site: Site, root: Path) -> None:
    listed = site.ask("skipped").json()
    assert listed["total"] == 1
    assert listed["skipped"][0]["path"] == str(root / "broken.png")
    assert "not an image" in listed["skipped"][0]["reason"]
    assert site.ask("skipped", params={"offset": 1}).json() == {"skipped": [], "total": 1}


def test_a_collection_says_what_it_is(site: Site, photos: Collection, root: Path) -> None:
    told = site.ask(HERE).json()
    assert {**told, "job": None} == {
        "name": "photos",
        "job": None,
        "read_only": False,
        "set_aside": None,
        "takes_text": False,
        **photos.info(),
    }
    assert list(told["roots"]) == [str(root)]
    assert site.ask("/api/v1/collections").json() == {"collections": [told]}
    assert "nothing" in problem(site.ask("/api/v1/collections/nothing"), 404)


def figures(site: Site) -> dict[str, float]:
    text = site.ask("/metrics").text
    return {name: float(value) for name, value in re.findall(r"^(imagekin\S+) (\S+)$", text, re.MULTILINE)}


def test_requests_and_stages_are_counted(site: Site) -> None:
    before = figures(site)
    for number in (1, 2, 99):
        site.ask(f"items/{number}")
    site.send(encoded(picture(1)), encoded(picture(2)))
    site.ask("/nowhere")
    after = figures(site)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    route = '"/api/v1/collections/{collection}/items/{id}"'
    assert more(f'imagekin_requests_total{{method="GET",route={route},status="200"}}') == 2
    assert more(f'imagekin_requests_total{{method="GET",route={route},status="404"}}') == 1
    assert more('imagekin_requests_total{method="GET",route="none",status="404"}') == 1
    for stage in ("decode", "embed", "search"):
        assert more(f'imagekin_stage_seconds_count{{stage="{stage}"}}') == 1
        assert more(f'imagekin_stage_seconds_sum{{stage="{stage}"}}') > 0
    assert more("imagekin_batch_size_sum") == 2
    assert after["imagekin_images"] == 8
    assert not [name for name in after if "99" in name]  # what was asked for is never a label
