"""Comparing over HTTP, and by a client, gives what the library gives."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import imagekin
from imagekin import comparing
from imagekin.collection import Collection
from imagekin.errors import FetchError, ImageError, InputError, UnsupportedError
from tests.encoded import encoded
from tests.pictures import folder, picture, save
from tests.pixel_collection import indexed
from tests.served import Site, problem, serving, site_of

NAMES = [f"{n}.png" for n in range(6)]
CROP = (8, 4, 30, 20)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("photos"), NAMES)


photos = indexed("module")


site = site_of("photos", "module")


def send(site: Site, *pictures: bytes, **fields: Any) -> httpx.Response:
    """A comparison by a form."""
    return site.ask("compare", "POST", files=[("image", ("x", each)) for each in pictures], data=fields)


def test_two_items(site: Site, photos: Collection) -> None:
    answer = site.ask("compare", "POST", json={"id": 1, "with": 2})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found == photos.compare(1, 2).to_dict()
    assert (found["query"]["rows"], found["query"]["columns"], found["query"]["box"]) == (8, 8, [0, 0, 1, 1])
    for side in ("query", "hit"):
        assert np.sum(found[side]["values"]) == pytest.approx(found["similarity"], abs=1e-6)
    region = site.ask("compare", "POST", json={"id": 1, "with": 2, "crop": CROP})
    assert region.json() == photos.compare(1, 2, crop=CROP).to_dict()


def test_pictures_that_are_sent(site: Site, photos: Collection) -> None:
    new, other = encoded(picture(40, 96, 64)), encoded(picture(41))
    assert send(site, new, **{"with": "3"}).json() == photos.compare(new, 3).to_dict()
    assert send(site, new, **{"with": "3", "crop": "8,4,30,20"}).json() == photos.compare(new, 3, crop=CROP).to_dict()
    assert send(site, new, other).json() == photos.compare(new, other).to_dict()
    assert send(site, new, id="3", crop=["8", "4", "30", "20"]).json() == photos.compare(3, new, crop=CROP).to_dict()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"id": 1}, 422, "with"),
        ({"with": 1}, 422, "id"),
        ({"id": 1, "with": [2]}, 422, "with"),
        ({"id": 1, "with": 0}, 422, "with"),
        ({"id": "1", "with": 2}, 422, "id"),
        ({"id": 1, "with_": 2}, 422, "with"),
        ({"id": 1, "with": 2, "path": "/etc/passwd"}, 422, "path"),
        ({"id": 1, "with": 999}, 404, "no item 999"),
        ({"id": 1, "with": 2, "crop": [900, 0, 5, 5]}, 422, "has no pixel"),
        ({"id": 1, "with": 2, "crop": [0, 0, 5]}, 422, "crop"),
    ],
    ids=str,
)
def test_mistakes_are_answered_with_a_sentence(site: Site, body: Any, status: int, words: str) -> None:
    assert words in problem(site.ask("compare", "POST", json=body), status)


def test_forms_with_too_few_or_too_many(site: Site) -> None:
    new = encoded(picture(40))
    assert "two pictures" in problem(send(site, new), 422)
    assert "two pictures" in problem(send(site, new, new, **{"with": "3"}), 422)
    assert "two pictures" in problem(send(site, new, new, new), 422)
    assert "two pictures" in problem(send(site, new, id="1", **{"with": "3"}), 422)
    assert "cannot read the image" in problem(send(site, b"no picture", **{"with": "3"}), 422)
    assert "with" in problem(send(site, new, **{"with": "three"}), 422)
    assert "sent as" in problem(site.ask("compare", "POST", content=b"x", headers={"Content-Type": "text/plain"}), 415)


def test_an_item_that_is_not_what_was_indexed(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", NAMES[:4])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        save(root / NAMES[0], 9, width=50)
        (root / NAMES[1]).unlink()
        (root / NAMES[2]).rename(tmp_path / "elsewhere.png")
        (root / NAMES[2]).symlink_to(tmp_path / "elsewhere.png")
        with serving(photos) as site:
            for number, status, words in ((1, 409, "changed"), (2, 404, "not there"), (3, 403, "link")):
                assert words in problem(site.ask("compare", "POST", json={"id": number, "with": 4}), status)
                assert words in problem(site.search(id=number, crop=[0, 0, 9, 9]), status)


def test_a_model_that_cannot_tell_is_a_problem_that_programs_know(tmp_path: Path, root: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels(side=64)") as photos:
        photos.index(root)
        with serving(photos) as site:
            answer = site.ask("compare", "POST", json={"id": 1, "with": 2})
            assert "side=32" in problem(answer, 422)
            assert answer.json()["code"] == "UnsupportedError"
            with imagekin.open(site.url) as client, pytest.raises(UnsupportedError, match="side=32"):
                client.compare(1, 2)


def test_a_full_queue_says_so_at_once(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    held, asked = threading.Event(), threading.Event()
    real = comparing.compare

    def slow(*given: Any, **how: Any) -> Any:
        asked.set()
        assert held.wait(20)
        return real(*given, **how)

    monkeypatch.setattr(comparing, "compare", slow)
    with serving(photos) as site, ThreadPoolExecutor(1) as pool:
        site.served.comparisons.workers.waiting = 1
        first = pool.submit(site.ask, "compare", "POST", json={"id": 1, "with": 2})
        assert asked.wait(10)
        assert "try again" in problem(site.ask("compare", "POST", json={"id": 1, "with": 2}), 429)
        assert site.search(id=1, k=1).status_code == 200
        held.set()
        assert first.result().status_code == 200


def test_searching_by_a_region_of_an_item(site: Site, photos: Collection) -> None:
    expected = photos.search(id=3, k=4, crop=CROP)
    answer = site.search(id=3, k=4, crop=CROP)
    assert [hit["id"] for hit in answer.json()["results"][0]] == [hit.id for hit in expected]
    assert "decode" in answer.json()["seconds"]
    whole = site.search(id=[3, 4], k=6, crop="8,4,30,20", exclude_self=False).json()["results"]
    assert [len(row) for row in whole] == [6, 6]
    assert 3 in [hit["id"] for hit in whole[0]]
    assert "at most 16" in problem(site.search(id=list(range(1, 18)), crop=[0, 0, 5, 5]), 422)


def test_the_client_compares_as_a_collection_here(site: Site, photos: Collection, root: Path) -> None:
    path = root / NAMES[4]
    with imagekin.open(site.url) as client:
        for pair in ((1, 2), (path, 2), (2, path), (path, encoded(picture(40))), (picture(3), np.asarray(picture(5)))):
            for crop in (None, (8.5, 4, 30, 20)):
                here, there = photos.compare(*pair, crop=crop), client.compare(*pair, crop=crop)
                assert there.to_dict() == here.to_dict()
        assert client.search(id=3, k=4, crop=CROP) == photos.search(id=3, k=4, crop=CROP)
        with pytest.raises(InputError, match="999"):
            client.compare(1, 999)
        with pytest.raises(ImageError):
            client.compare(1, root / "nowhere.png")
        with pytest.raises(FetchError):
            client.compare(1, "http://example.com/a.png")
