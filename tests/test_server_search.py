"""Searching over HTTP gives what the library gives, and every mistake is answered with a sentence."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin import fetch
from imagekin.collection import Collection
from imagekin.errors import FetchError, ModelError
from imagekin.server import answers
from imagekin.server.batches import Batches
from imagekin.server.options import MAX_PICTURES
from imagekin.server.workers import Workers
from imagekin.types import Hit
from tests.encoded import encoded
from tests.pictures import folder, picture
from tests.pixel_collection import indexed
from tests.served import Site, problem, serving, site_of

NAMES = [f"{'cat' if n % 3 else 'dog'}/{n:02}.png" for n in range(24)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("photos"), NAMES)


photos = indexed("module")


site = site_of("photos", "module")


def told(hits: list[Hit]) -> list[tuple[Any, ...]]:
    return [(hit.id, hit.path, hit.label, hit.width, hit.distance, hit.similarity, hit.hash) for hit in hits]


def shown(answer: Any, row: int = 0) -> list[tuple[Any, ...]]:
    assert answer.status_code == 200, answer.text
    names = ("id", "path", "label", "width", "distance", "similarity", "hash")
    return [tuple(hit[name] for name in names) for hit in answer.json()["results"][row]]


def test_a_picture_that_is_sent_finds_what_the_library_finds(site: Site, photos: Collection) -> None:
    answer = site.send(encoded(picture(3)), k=7)
    assert shown(answer) == told(photos.search(picture(3), k=7))
    assert set(answer.json()["seconds"]) == {"decode", "embed", "search"}
    assert "decode;dur=" in answer.headers["server-timing"]


def test_an_item_finds_its_neighbours_and_not_itself(site: Site, photos: Collection) -> None:
    assert shown(site.search(id=5, k=6)) == told(photos.search(id=5, k=6))
    assert shown(site.search(id=5, k=6, exclude_self=False)) == told(photos.search(id=5, k=6, exclude_self=False))


def test_several_at_once_are_answered_in_order(site: Site, photos: Collection) -> None:
    both = site.search(id=[5, 9], k=3)
    assert [shown(both, 0), shown(both, 1)] == [told(photos.search(id=number, k=3)) for number in (5, 9)]
    three = site.send(*[encoded(picture(seed)) for seed in (1, 2, 3)], k=2)
    assert [shown(three, row) for row in range(3)] == [told(photos.search(picture(seed), k=2)) for seed in (1, 2, 3)]


def test_the_next_page_begins_where_the_last_one_ended(site: Site, photos: Collection) -> None:
    every = told(photos.search(id=5, k=24))
    pages = [shown(site.search(id=5, k=10, offset=offset)) for offset in (0, 10, 20)]
    assert [len(page) for page in pages] == [10, 10, 3]
    assert sum(pages, []) == every


def test_of_many_hits_only_those_that_are_told_are_read(
    site: Site, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    found = photos.store.found

    def counted(ids: Sequence[int]) -> Any:
        read.append(len(ids))
        return found(ids)

    monkeypatch.setattr(photos.store, "found", counted)
    assert len(shown(site.search(id=5, k=4, offset=15))) == 4
    assert read == [4]


@pytest.mark.parametrize(
    ("path", "wanted", "pool"),
    [("search", {"id": [5, 6]}, "search"), ("tags/proposals", {"tag": "new", "ids": [5, 6]}, "propose")],
)
def test_a_long_answer_is_made_beside_the_event_loop(
    path: str, wanted: dict[str, Any], pool: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: set[str] = set()
    dumped = answers.dumped

    def seen(value: Any) -> bytes:
        made.add(threading.current_thread().name.rpartition("_")[0])
        return dumped(value)

    monkeypatch.setattr(answers, "dumped", seen)
    assert site.ask(path, "POST", json=wanted).status_code == 200
    assert made == {f"imagekin-{pool}"}


@pytest.mark.parametrize(
    ("ids", "k", "offset", "fits"), [(100, 200, 0, True), (100, 201, 0, False), (2, 1_000, 9_001, False)]
)
def test_all_queries_together_may_ask_for_so_many_hits(site: Site, ids: int, k: int, offset: int, fits: bool) -> None:
    answer = site.search(id=[5] * ids, k=k, offset=offset)
    if fits:
        assert [len(row) for row in answer.json()["results"]] == [23] * ids
    else:
        assert "20,000" in problem(answer, 422)


def test_filters_act_inside_the_search(site: Site, photos: Collection, root: Path) -> None:
    dogs = told(photos.search(id=1, k=4, label="dog"))
    assert shown(site.search(id=1, k=4, label="dog")) == dogs
    assert shown(site.search(id=1, k=4, under=str(root / "dog"))) == dogs
    assert shown(site.search(id=1, k=4, where="label == 'dog'")) == dogs
    sent = site.send(encoded(picture(0)), k=4, label="dog", under=[str(root / "dog"), str(root / "cat")])
    assert shown(sent) == told(photos.search(picture(0), k=4, label="dog"))


def test_a_region_of_a_picture(site: Site, photos: Collection) -> None:
    crop = (4, 6, 20, 20)
    expected = told(photos.search(picture(3, 96, 64), k=3, crop=crop))
    assert shown(site.send(encoded(picture(3, 96, 64)), k=3, crop="4,6,20,20")) == expected


def test_plus_minus_and_the_least_similarity(site: Site) -> None:
    ids = [hit[0] for hit in shown(site.search(plus=[3, 5], minus=[8], k=30))]
    assert len(ids) == 21
    assert {3, 5, 8}.isdisjoint(ids)
    with_picture = shown(site.send(encoded(picture(2)), plus=["3", "5"], k=30))
    assert {3, 5}.isdisjoint(hit[0] for hit in with_picture)
    least = with_picture[4][5]
    assert shown(site.send(encoded(picture(2)), plus=["3", "5"], k=30, min_similarity=least)) == with_picture[:5]


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({}, 422, "a search needs a picture"),
        ({"id": []}, 422, "at least 1"),
        ({"url": []}, 422, "at least 1"),
        ({"id": 999}, 422, "no item 999"),
        ({"id": 0}, 422, "id"),
        ({"id": 2**63}, 422, "id"),
        ({"id": "one"}, 422, "id"),
        ({"id": 1, "k": 0}, 422, "k"),
        ({"id": 1, "k": 1_001}, 422, "k"),
        ({"id": 1, "zoom": 3}, 422, "zoom"),
        ({"id": 1, "url": "http://example.com/a.jpg"}, 422, "not by both"),
        ({"id": 1, "crop": [900, 0, 5, 5]}, 422, "has no pixel"),
        ({"id": 1, "under": "relative"}, 422, "whole path"),
        ({"id": 1, "under": "/a\0b"}, 422, "whole path"),
        ({"id": 1, "where": "import os"}, 422, "cannot read the filter"),
        ({"id": 1, "where": "colour == 'red'"}, 422, "colour"),
        ({"id": 1, "min_similarity": 3}, 422, "min_similarity"),
        ({"url": "http://example.com/a.jpg"}, 403, "--allow-urls"),
    ],
    ids=str,
)
def test_mistakes_are_answered_with_a_sentence(site: Site, options: Any, status: int, words: str) -> None:
    assert words in problem(site.search(**options), status)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"id": NaN}'])
def test_what_is_no_json_is_said(site: Site, body: bytes) -> None:
    answer = site.ask("search", "POST", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, answer.status_code)
    assert answer.status_code in (400, 422)


def test_pictures_that_are_none(site: Site) -> None:
    assert "cannot read the image" in problem(site.send(b"no picture"), 422)
    assert "empty" in problem(site.send(b""), 422)
    assert "no picture" in problem(site.ask("search", "POST", data={"k": "3"}, files={"other": ("a", b"x")}), 422)
    assert "SVG" in problem(site.send(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), 422)
    assert "has no pixel" in problem(site.send(encoded(picture(1)), crop="900,0,5,5"), 422)
    assert "at most" in problem(site.send(*[b"x"] * (MAX_PICTURES + 1)), 422)
    assert "sent as" in problem(site.ask("search", "POST", content=b"x", headers={"Content-Type": "image/png"}), 415)
    form = {"Content-Type": "multipart/form-data"}
    assert "boundary" in problem(site.ask("search", "POST", content=b"x", headers=form), 400)
    cut = {"Content-Type": "multipart/form-data; boundary=b"}
    assert "form" in problem(site.ask("search", "POST", content=b"--b\r\nContent-Disposition: form-", headers=cut), 400)
    both = site.send(encoded(picture(1)), id="3")
    assert "takes no id" in problem(both, 422)


def test_urls_are_fetched_only_when_the_owner_allows_it(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(url: str) -> bytes:
        asked.append(url)
        if "missing" in url:
            raise FetchError(f"cannot fetch {url!r}: the server answers with status 404.")
        return encoded(picture(4))

    with serving(photos, allow_urls=True) as site:
        assert "private" not in problem(site.search(url="http://127.0.0.1:9/a.png"), 422)  # the real one refuses
        monkeypatch.setattr(fetch, "get", get)
        answer = site.search(url="http://example.com/a.png", k=3)
        assert shown(answer) == told(photos.search(picture(4), k=3))
        assert "fetch" in answer.json()["seconds"]
        assert "404" in problem(site.search(url=["http://example.com/missing.png"]), 422)
    assert asked == ["http://example.com/a.png", "http://example.com/missing.png"]


# -- batches ---------------------------------------------------------------------------------------------------


def row(value: int, count: int = 1) -> Any:
    return np.full((count, 2, 2, 3), value, np.uint8)


def means(pictures: Any) -> Any:
    return pictures.reshape(len(pictures), -1).mean(axis=1, keepdims=True).astype(np.float32)


def test_what_comes_while_the_model_is_busy_is_embedded_together() -> None:
    sizes: list[int] = []
    free = threading.Event()

    def slow(pictures: Any) -> Any:
        assert free.wait(10)
        return means(pictures)

    async def main() -> list[Any]:
        batches = Batches(slow, lanes=1, on_batch=sizes.append)
        first = asyncio.ensure_future(batches.embed(row(1)))
        await asyncio.sleep(0)
        assert sizes == [1]  # the first waits for nobody
        rest = [asyncio.ensure_future(batches.embed(row(value, 2))) for value in range(2, 7)]
        await asyncio.sleep(0)
        free.set()
        answers = await asyncio.gather(first, *rest)
        batches.close()
        return [answer.ravel().tolist() for answer in answers]

    assert asyncio.run(main()) == [[1.0], *[[float(value)] * 2 for value in range(2, 7)]]
    assert sizes == [1, 10]


def test_no_batch_is_larger_than_the_model_likes_and_lanes_share() -> None:
    sizes: list[int] = []

    async def main() -> None:
        batches = Batches(means, lanes=2, on_batch=sizes.append)
        batches._free = 0  # both lanes are busy
        waiting = [asyncio.ensure_future(batches.embed(row(1))) for _ in range(80)]
        await asyncio.sleep(0)
        batches._free = 2
        batches._start()
        await asyncio.gather(*waiting)
        batches.close()

    asyncio.run(main())
    assert sizes[:2] == [32, 32]
    assert sum(sizes) == 80


def test_a_batch_that_fails_tells_all_of_it_and_the_next_goes_on() -> None:
    def picky(pictures: Any) -> Any:
        if pictures.min() == 0:
            raise ModelError("the model failed.")
        return means(pictures)

    async def main() -> None:
        batches = Batches(picky, lanes=1)
        with pytest.raises(ModelError):
            await batches.embed(row(0))
        gone = asyncio.ensure_future(batches.embed(row(0)))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await batches.embed(row(9))).tolist() == [[9.0]]
        batches.close()

    asyncio.run(main())


def test_many_at_once_are_each_answered_rightly(site: Site, photos: Collection) -> None:
    sources = {seed: encoded(picture(seed)) for seed in range(24)}
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda seed: shown(site.send(sources[seed], k=3)), sources))
    assert answers == [told(photos.search(picture(seed), k=3)) for seed in sources]


# -- too much --------------------------------------------------------------------------------------------------


def test_a_full_queue_says_so_at_once(photos: Collection) -> None:
    held, asked = threading.Event(), threading.Event()

    def slow(pictures: Any) -> Any:
        asked.set()
        assert held.wait(20)
        return photos.embedder.embed_prepared(pictures)

    with serving(photos) as site, ThreadPoolExecutor(3) as pool:
        site.served.searches.decoding.waiting = 2
        site.served.searches._batches._embed = slow
        waiting = [pool.submit(site.send, encoded(picture(seed)), k=1) for seed in (1, 2)]
        assert asked.wait(10)
        while site.served.searches.decoding.busy < 2:
            pass
        refused = site.send(encoded(picture(3)))
        assert "try again" in problem(refused, 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert site.search(id=1, k=1).status_code == 200  # what needs no model is answered
        assert site.ask("/healthz").status_code == 200
        held.set()
        assert [each.result().status_code for each in waiting] == [200, 200]
        assert site.send(encoded(picture(3)), k=1).status_code == 200


def test_places_are_given_back() -> None:
    async def main() -> None:
        workers = Workers("test", 1, waiting=2)
        for _ in range(5):
            with pytest.raises(ValueError, match="bad"):
                await workers.run(int, "bad")
        assert workers.busy == 0
        with workers.place(7):  # alone it may be more than there are places
            assert workers.busy == 7
        workers.close()

    asyncio.run(main())
