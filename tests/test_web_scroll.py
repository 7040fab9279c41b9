"""A hundred thousand pictures on the page: one can be anywhere at once, and only what is near exists."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.store.batch import Batch, Put
from imagekin.types import FileInfo
from tests.pictures import save
from tests.served import Site, serving
from tests.visits import Visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

COUNT = 100_000
FILES = 24


def many(photos: Collection) -> None:
    """Items up to 100,000, each with the content of one of a few files, whose thumbnails are there."""
    some = list(photos.items())
    vector = np.zeros(photos.store.dim, np.float32)
    vector[0] = 1
    shape = random.Random(0)
    for first in range(len(some), COUNT, 5_000):
        numbers = range(first, min(first + 5_000, COUNT))
        puts = []
        for number in numbers:
            file = FileInfo(f"/many/{number // 1000:03}/{number:06}.jpg", 1 + number, 10**18 + number, 1)
            digest = bytes.fromhex(some[number % FILES].hash)
            sides = shape.choice((300, 400, 600)), shape.choice((300, 400))
            puts.append(Put(file, digest, *sides, vector, f"class {number % 101}"))
        photos.store.write(Batch(puts=puts))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("scroll")
    for number in range(FILES):
        save(place / f"photos/{number:02}.png", number, width=400, height=300)
    with imagekin.open(place / "c", model="pixels") as photos:
        photos.index(place / "photos")
        with serving(photos) as site:
            for item in list(photos.items()):
                for size in (256, 384, 512):
                    address = f"items/{item.id}/thumbnail"
                    site.ask(address, params={"size": size, "v": item.hash}, headers={"Accept": "image/webp"})
            many(photos)
            yield site


@pytest.fixture
def visit(chrome: Chromium, site: Site) -> Iterator[Visit]:
    with visiting(chrome, site) as visit:
        yield visit


FRAMES = """([pixels, frames]) => new Promise(done => {
    const times = [];
    let last = performance.now();
    const step = now => {
        times.push(now - last);
        last = now;
        scrollBy(0, pixels);
        if (times.length < frames) requestAnimationFrame(step);
        else done(times.slice(2));
    };
    requestAnimationFrame(step);
})"""


def test_one_can_be_anywhere_at_once(visit: Visit) -> None:
    visit.go("#/browse")
    visit.until("document.querySelector('.found').textContent === '100,000 pictures'")
    ids = visit.site.ask("outline", params={"order": "path"}).json()["ids"]
    for share in (0.37, 0.93, 0.11):
        visit.page.evaluate(f"scrollTo(0, {share} * document.documentElement.scrollHeight)")
        visit.until(
            f"Math.abs(document.querySelector('.tile').tile.index / {COUNT} - {share}) < 0.01"
            " && [...document.querySelectorAll('.tile')].every(each => each.tile.item)"
        )
        visit.settled()
        shown = visit.page.evaluate(
            "[...document.querySelectorAll('.tile')].map(each => [each.tile.index, each.tile.item.id])"
        )
        assert all(ids[index] == number for index, number in shown)
        assert shown[0][0] / COUNT == pytest.approx(share, abs=0.01)
    visit.pictures.first.focus()
    visit.page.keyboard.press("Control+End")
    visit.until("document.activeElement.closest('.tile')?.tile.index === 99999")


def test_only_what_is_near_exists(visit: Visit, record_property: Any) -> None:
    visit.go("#/browse")
    visit.until("document.querySelectorAll('.tile').length > 20")
    for pixels, frames in ((30, 100), (400, 60), (20_000, 60)):
        times = visit.page.evaluate(FRAMES, [pixels, frames])
        record_property(
            f"median and 95th percentile of frames at {pixels} pixels a frame, ms",
            np.percentile(times, [50, 95]).round(1).tolist(),
        )
        assert visit.page.evaluate("document.querySelectorAll('.tile').length") < 400
        assert visit.page.evaluate("document.querySelectorAll('*').length") < 6_000
    visit.settled()
    rows = visit.page.evaluate(
        "[...document.querySelectorAll('.row')].map(each => each.getBoundingClientRect())"
        ".map(each => [each.top, each.bottom]).sort((one, other) => one[0] - other[0])"
    )
    assert max(abs(below[0] - above[1]) for above, below in itertools.pairwise(rows)) < 8
    assert rows[0][0] <= 0
    assert rows[-1][1] >= 800


def test_what_flies_past_is_not_loaded(visit: Visit) -> None:
    visit.go("#/browse")
    visit.settled()
    asked = len([url for url in visit.tab.asked if "/thumbnail" in url])
    visit.page.evaluate(FRAMES, [30_000, 30])
    visit.settled()
    passed = 30 * 30_000 / 200 * 5
    assert len([url for url in visit.tab.asked if "/thumbnail" in url]) - asked < passed / 10


def test_a_narrower_window_keeps_the_place(visit: Visit) -> None:
    visit.go("#/browse")
    visit.until("document.querySelectorAll('.tile').length > 20")
    visit.page.evaluate("scrollTo(0, 1_000_000)")
    visit.until("document.querySelector('.tile')?.tile.index > 10000")
    first = "[...document.querySelectorAll('.tile')].find(each => each.getBoundingClientRect().bottom > 60).tile.index"
    before = visit.page.evaluate(first)
    visit.page.set_viewport_size({"width": 900, "height": 800})
    visit.until("document.querySelector('.grid').clientWidth < 660")
    visit.until(f"Math.abs({first} - {before}) < 30")
