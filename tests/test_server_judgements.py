"""Judgements over HTTP: what the page says, what it is told, and what is learned from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.errors import InputError, StoreError
from tests.judged import by_classes, sorted_photos
from tests.served import Site, problem, serving, site_of
from tests.test_train_heads import EACH as OF_CLASS
from tests.test_train_heads import filled, noisy

photos = sorted_photos(6)
site = site_of("photos", "function")


@pytest.fixture
def taught(tmp_path: Path) -> Iterator[Site]:
    """A collection whose pictures are hard to tell apart, with what somebody said of thirty searches."""
    vectors = noisy()
    with imagekin.open(filled(tmp_path / "hard", vectors, [None] * len(vectors))) as photos:
        by_classes(photos, {number + 1: number // OF_CLASS for number in range(len(vectors))}, 30)
        with serving(photos) as running:
            yield running


def said(answer: Any) -> list[tuple[int | str, int, bool]]:
    return [(each["asked"], each["item"], each["fits"]) for each in answer.json()["judgements"]]


def test_what_is_said_is_kept(site: Site, photos: Collection) -> None:
    assert site.ask("judgements").json() == {
        "judgements": [], "total": 0, "searches": 0, "changed": 0, "learned": None,
    }  # fmt: skip
    told = site.ask("judgements", "POST", json={"id": 1, "right": [2, 3], "wrong": [9]})
    assert told.status_code == 200
    assert said(told) == [(1, 2, True), (1, 3, True), (1, 9, False)]
    assert (told.json()["changed"], told.json()["total"], told.json()["searches"]) == (3, 3, 1)
    site.ask("judgements", "POST", json={"name": "text=sea & sun", "right": [4]})
    assert said(site.ask("judgements", params={"id": 1})) == said(told)
    found = site.ask("judgements", params={"name": "text=sea & sun"})
    assert (said(found), found.json()["total"]) == ([("text=sea & sun", 4, True)], 4)
    assert [each.item for each in photos.judgements()] == [2, 3, 9, 4]
    site.ask("judgements", "POST", json={"id": 1, "neither": [2], "wrong": [3]})
    assert said(site.ask("judgements", params={"id": 1})) == [(1, 9, False), (1, 3, False)]
    assert site.ask("judgements", "DELETE", params={"id": 1}).json() == {"removed": 2}
    assert site.ask("judgements", "DELETE", params={"all": True}).json() == {"removed": 1}
    assert photos.judgements() == []


@pytest.mark.parametrize(
    "body",
    [
        {}, {"id": 1}, {"right": [1]}, {"id": 1, "name": "x", "right": [2]}, {"id": 1, "right": [1]},
        {"id": 1, "right": [2], "wrong": [2]}, {"id": 1, "right": ["2"]}, {"id": "1", "right": [2]},
        {"id": 999, "right": [2]}, {"id": 1, "right": [999]}, {"name": "", "right": [2]},
        {"name": "x" * 501, "right": [2]}, {"name": "a\0b", "right": [2]}, {"id": 1, "right": [2], "else": 1},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(site: Site, body: dict[str, Any]) -> None:
    problem(site.ask("judgements", "POST", json=body), 422)
    assert site.ask("judgements").json()["total"] == 0


def test_whose_judgements_are_forgotten_must_be_said(site: Site) -> None:
    for wanted in ({}, {"id": 1, "all": True}, {"id": 1, "name": "x"}):
        problem(site.ask("judgements", "DELETE", params=wanted), 422)
    problem(site.ask("judgements", params={"id": 1, "name": "x"}), 422)


def test_a_server_that_may_only_be_looked_at(photos: Collection) -> None:
    photos.judge(1, right=[2])
    with serving(photos, read_only=True) as site:
        assert site.ask("judgements").json()["total"] == 1
        for path, method in (("judgements", "POST"), ("judgements?all=true", "DELETE"), ("learn", "POST")):
            problem(site.ask(path, method, json={} if method == "POST" else None), 403)
        problem(site.ask("learn/undo", "POST"), 403)
    assert len(photos.judgements()) == 1


def test_the_server_learns_and_forgets(taught: Site) -> None:
    report = taught.done("learn", source="judgements")
    assert (report["kept"], report["applied"], report["source"]) == (True, True, "judgements")
    assert report["measure"] == "right before wrong"
    assert report["after"] > report["before"] + 0.1 and report["low"] > 0
    learned = taught.ask("judgements").json()["learned"]
    assert (learned["source"], learned["judgements"]) == ("judgements", 300)
    assert taught.served.collection.reduce == "head"
    assert taught.ask("learn/undo", "POST").json() == {"reduce": None}
    assert taught.ask("judgements").json()["learned"] is None
    assert "has no head to take away" in problem(taught.ask("learn/undo", "POST"), 422)


def test_too_little_to_learn_from(site: Site) -> None:
    site.ask("judgements", "POST", json={"id": 1, "right": [2], "wrong": [9]})
    job = site.ended(site.ask("learn", "POST", json={"source": "judgements"}).json())
    assert job["state"] == "failed"
    assert "judgements of at least 5 searches" in job["error"]
    problem(site.ask("learn", "POST", json={"source": "clicks"}), 422)
    problem(site.ask("learn", "POST", json={"seed": -1}), 422)


def test_a_client_judges_and_learns(taught: Site) -> None:
    with imagekin.open(f"{taught.url}/photos") as client:
        assert isinstance(client, imagekin.Client)
        assert client.judge(1, right=[2], wrong=np.array([100])) >= 1
        assert [(each.item, each.fits) for each in client.judgements(1)][-1] == (100, False)
        assert client.judgements() == taught.served.collection.judgements()
        steps: list[Any] = []
        report = client.learn("judgements", progress=steps.append)
        assert report["applied"] and steps
        assert client.info()["reduce"]["spec"] == "head"
        assert client.unlearn() is None
        assert "reduce" not in client.info()
        with pytest.raises(InputError, match="no head to take away"):
            client.unlearn()
        assert client.judge("words", right=3) == 1
        assert client.forget_judgements("words") == 1
        with pytest.raises(InputError, match="in two ways"):
            client.judge(1, right=[5], wrong=[5])
        assert client.forget_judgements() > 299
        with pytest.raises(StoreError, match="at least 5 searches"):
            client.learn("judgements")


def test_hits_say_how_sure_they_are_where_the_collection_is_calibrated(site: Site, photos: Collection) -> None:
    assert "match" not in site.search(id=1).json()["results"][0][0]
    from imagekin import verification

    verification.calibrate(photos)
    calibration = verification.of(photos.store)
    assert calibration is not None
    for found in (site.search(id=1, k=9), site.send((Path(photos.get([1])[0].path)).read_bytes(), k=9)):
        hits = found.json()["results"][0]
        want = calibration.probability([hit["distance"] for hit in hits])
        np.testing.assert_allclose([hit["match"] for hit in hits], want)
        assert hits[0]["match"] > 0.9 and hits[-1]["match"] < 0.5
    both = site.search(id=[1, 9], k=3).json()["results"]
    assert all("match" in hit for row in both for hit in row)
    for more in ({"plus": [2]}, {"minus": [9]}):
        assert "match" not in site.search(id=1, **more).json()["results"][0][0], "a sum is no picture"
    part = site.search(id=1, crop=[0, 0, 20, 20]).json()["results"][0][0]
    assert "similarity" in part and "match" not in part, "a region is no picture"
    photos.reduce = "pca-whiten:5"
    assert "match" not in site.search(id=1).json()["results"][0][0], "it was calibrated for other vectors"
