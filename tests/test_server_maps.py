"""The map over HTTP: laid out by a job, told in one piece, kept over a restart."""

from __future__ import annotations

import gzip
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import imagekin
from imagekin import maps
from imagekin.collection import Collection
from imagekin.errors import InputError, StoreError
from imagekin.pipeline import cores
from imagekin.server import atlas
from imagekin.server.routes.maps import _takes_gzip
from tests.pictures import folder, save
from tests.pixel_collection import indexed
from tests.served import HERE, Site, problem, serving, site_of

NAMES = [f"{'cat' if n % 3 else 'dog'}/{n:02}.png" for n in range(12)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "photos", NAMES)


photos = indexed("function")


site = site_of("photos", "function")


def test_before_the_first_there_is_none(site: Site) -> None:
    answer = site.ask("map")
    assert "no map was made yet" in problem(answer, 404)
    assert answer.json()["code"] == "NoMap"


def test_a_map_is_laid_out_and_told(site: Site, photos: Collection) -> None:
    report = site.done("map", method="pca")
    assert (report["method"], report["images"], report["title"]) == ("pca", 12, "PCA")
    told = site.ask("map").json()
    assert (told["method"], told["images"], told["stale"]) == ("pca", 12, False)
    assert told["told"] == report["told"]
    expected = imagekin.map(photos, "pca")
    assert told["ids"] == expected.ids.tolist()
    assert np.allclose(np.array([told["x"], told["y"]]).T, expected.xy, atol=5.1e-5)
    assert all(len(str(abs(value))) <= 6 for value in told["x"])  # 0.1234
    label = told["fields"]["label"]
    assert [label["names"][number] for number in label["of"]] == [item.label for item in photos.get(told["ids"])]
    assert told["about"]["seed"] == 0


def test_the_job_is_one_of_its_kind(site: Site) -> None:
    answer = site.ask("map", "POST", json={})
    assert answer.headers["location"] == f"{HERE}/jobs/{answer.json()['id']}"
    job = site.ended(answer.json())
    assert (job["kind"], job["state"], job["folders"]) == ("map", "done", [])
    assert site.ask("map").json()["method"] == "tsne"  # the best that is installed


def test_what_is_gone_is_left_out_and_what_is_new_makes_it_stale(site: Site, root: Path) -> None:
    site.done("map", method="pca")
    first = site.ask("map").json()
    site.ask(f"items/{first['ids'][3]}", "DELETE")
    told = site.ask("map").json()
    assert (told["stale"], told["images"], len(told["x"]), len(told["fields"]["label"]["of"])) == (True, 11, 11, 11)
    assert told["ids"] == first["ids"][:3] + first["ids"][4:]
    assert told["x"] == first["x"][:3] + first["x"][4:]
    site.done("map", method="pca")
    assert site.ask("map").json()["stale"] is False
    save(root / "new.png", 99)
    site.done("jobs")
    assert site.ask("map").json()["stale"] is True


def test_it_is_there_after_a_restart_and_from_the_command_line(photos: Collection) -> None:
    with serving(photos) as site:
        site.done("map", method="pca")
        before = site.ask("map").content
    with serving(photos) as site:
        assert site.ask("map").content == before
        imagekin.map(photos, "tsne", limit=9)
        imagekin.map(photos, "tsne", label="cat")
        assert site.ask("map").content == before  # these show a part
        imagekin.map(photos, "tsne")
        assert site.ask("map").json()["method"] == "tsne"


def test_it_is_sent_small_and_once(site: Site) -> None:
    site.done("map", method="pca")
    with httpx.Client(base_url=site.url) as http:
        plain = http.get(f"{HERE}/map", headers={"Accept-Encoding": "identity"})
        with http.stream("GET", f"{HERE}/map", headers={"Accept-Encoding": "br, gzip"}) as answer:
            packed, headers = b"".join(answer.iter_raw()), answer.headers
        assert gzip.decompress(packed) == plain.content
        assert headers["content-encoding"] == "gzip"
        assert headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
        assert headers["cache-control"] == "private, no-cache"
        assert headers["etag"] == f"W/{plain.headers['etag']}"
        for tag in (headers["etag"], plain.headers["etag"]):
            again = http.get(f"{HERE}/map", headers={"If-None-Match": tag})
            assert (again.status_code, again.content) == (304, b"")
        assert http.get(f"{HERE}/map", headers={"If-None-Match": '"x"'}).status_code == 200


def test_it_is_told_anew_only_where_what_it_shows_has_changed(
    site: Site, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.done("map", method="pca")
    before = site.ask("map").content
    told: list[Any] = []
    real = atlas._plain

    def noted(*about: Any) -> dict[str, Any]:
        told.append(about)
        return real(*about)

    monkeypatch.setattr(atlas, "_plain", noted)
    revision = photos.store.revision
    photos.tag([1, 2], "beach")
    assert photos.store.revision > revision
    assert site.ask("map").content == before
    assert told == []
    photos.remove(1)
    assert site.ask("map").json()["images"] == 11
    assert len(told) == 1


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [("", False), ("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000", False),
     ("identity", False), ("xgzip", False), ("*", False)],
)  # fmt: skip
def test_only_who_takes_gzip_gets_it(accepted: str, takes: bool) -> None:
    assert _takes_gzip(accepted) is takes


@pytest.mark.parametrize("method", ["", "nothing", "imagekin.maps.pca", "../pca", 5, ["pca"], "x" * 50])
def test_only_methods_that_there_are(site: Site, method: Any) -> None:
    problem(site.ask("map", "POST", json={"method": method}), 422)
    assert site.ask("jobs").json() == {"jobs": []}


def test_nothing_to_lay_out_is_a_sentence(photos: Collection) -> None:
    photos.remove(where="id > 0")
    with serving(photos) as site:
        job = site.ended(site.ask("map", "POST", json={}).json())
        assert (job["state"], job["report"]) == ("failed", None)
        assert "no pictures to lay out" in job["error"]


def test_one_job_at_a_time_of_whatever_kind(site: Site, photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, opened = threading.Event(), threading.Event()
    real = maps.map

    def held(source: Any, method: str, *, progress: Any) -> Any:
        def step(now: Any) -> None:
            reached.set()
            assert opened.wait(30)
            progress(now)

        return real(source, method, progress=step)

    monkeypatch.setattr(maps, "map", held)
    job = site.ask("map", "POST", json={"method": "tsne"}).json()
    assert reached.wait(30)
    for path in ("jobs", "map", "duplicates"):
        assert f"laid out already, by job {job['id']}" in problem(site.ask(path, "POST", json={}), 409)
    assert site.ask(HERE).json()["job"] == job["id"]
    site.ask(f"jobs/{job['id']}/cancel", "POST")
    opened.set()
    job = site.ended(job)
    assert (job["state"], job["report"], job["error"]) == ("cancelled", None, None)
    assert set(job["progress"]) == {"done", "total", "what"}
    problem(site.ask("map"), 404)


def test_a_damaged_map_counts_as_none(site: Site, photos: Collection) -> None:
    site.done("map", method="pca")
    place = Path(photos.location) / "cache/maps"
    (kept,) = place.glob("*.npz")
    kept.write_bytes(b"x")
    photos.remove(1)
    problem(site.ask("map"), 404)
    for text in (b"", b"null", b"[]", b'{"version": 1, "key": "../../x", "made": 1, "inventory": "0"}', b"\xff"):
        (place / "latest.json").write_bytes(text)
        problem(site.ask("map"), 404)


def test_the_client_has_it(site: Site, photos: Collection) -> None:
    with imagekin.open(f"{site.url}/photos") as client:
        assert isinstance(client, imagekin.Client)
        assert client.last_map() is None
        steps: list[Any] = []
        made = client.map("tsne", progress=steps.append)
        here = imagekin.map(photos, "tsne")
        assert np.array_equal(made.ids, here.ids)
        assert np.allclose(made.xy, here.xy, atol=5.1e-5)
        assert made.to_dict() == {**here.to_dict(), "seconds": made.seconds}
        assert all(step.what for step in steps)
        again = client.last_map()
        assert again is not None
        assert again.told() == made.told()
        with pytest.raises(InputError, match="no method is called 'x'"):
            client.map("x")
        photos.remove(where="id > 0")
        with pytest.raises(StoreError, match="no pictures to lay out"):
            client.map("pca")


def test_names_and_labels_are_data_whatever_they_hold(photos: Collection, root: Path, tmp_path: Path) -> None:
    hostile = "</script><img src=x>\u202e\x1b[31m"
    save(root / "x.png", 90)
    labels = tmp_path / "labels.csv"
    labels.write_text(f'path,label\n{root}/x.png,"{hostile}"\n', "utf-8")
    photos.index(root, label_from=str(labels))
    with serving(photos) as site:
        site.done("map", method="pca")
        answer = site.ask("map")
        assert answer.content.isascii()
        assert hostile in json.loads(answer.content)["fields"]["label"]["names"]


def test_who_waits_for_a_map_holds_nobody_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.done("map", method="pca")
    begun, go, told = threading.Event(), threading.Event(), atlas._sheet

    def slow(*arguments: Any) -> atlas.Sheet:
        begun.set()
        assert go.wait(60)
        return told(*arguments)

    monkeypatch.setattr(atlas, "_sheet", slow)
    count = cores() + 2
    with ThreadPoolExecutor(count) as visitors:
        try:
            asked = [visitors.submit(site.ask, "map") for _ in range(count)]
            assert begun.wait(60)
            while site.served.mapping.busy < count:
                time.sleep(0.01)
            assert site.ask("items/5").json()["id"] == 5
            assert not any(each.done() for each in asked)
        finally:
            go.set()
        assert {each.result().json()["images"] for each in asked} == {12}
