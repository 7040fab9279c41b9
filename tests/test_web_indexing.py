"""Indexing as the page shows it: live, stopped, done again, with every file that could not be taken and why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from imagekin.collection import Collection
from imagekin.embed.pixels import PixelEmbedder
from tests.pictures import folder
from tests.served import HERE, serving
from tests.visits import Visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

NAMES = [f"{'cat' if n % 3 else 'dog'}/{n:03}.png" for n in range(200)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = folder(tmp_path_factory.mktemp("indexing") / "photos", NAMES)
    (root / "torn.png").write_bytes((root / "dog/000.png").read_bytes()[:60])
    (root / "page<i>.jpg").write_bytes(b"<!doctype html><p>no picture")
    return root


class Gate:
    """Lets one batch after another through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.turns = threading.Semaphore(1)
        real = PixelEmbedder._embed

        def embed(model: PixelEmbedder, batch: NDArray[np.uint8]) -> NDArray[Any]:
            if not self.free.is_set():
                self.turns.acquire()
            return real(model, batch)

        monkeypatch.setattr(PixelEmbedder, "_embed", embed)

    def open(self) -> None:
        self.free.set()
        self.turns.release(100)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open()


def chip(visit: Visit) -> Any:
    return visit.page.locator("#state a.chip")


def test_progress_is_live_and_pictures_appear(chrome: Chromium, photos: Collection, root: Path, gate: Gate) -> None:
    with serving(photos, folders=(str(root),)) as site:
        site.served.jobs.start([str(root)])
        with visiting(chrome, site) as visit:
            visit.go()
            expect(chip(visit)).to_contain_text("Indexing")
            chip(visit).click()
            assert visit.state()["view"] == ["indexing"]
            bar = visit.page.get_by_role("progressbar", name="Progress")
            expect(bar).to_be_visible()
            expect(visit.view.get_by_role("status").first).to_contain_text("of 202")
            expect(visit.page.get_by_role("button", name="Stop")).to_be_enabled()
            gate.open()
            expect(chip(visit)).to_be_hidden()
            expect(visit.page.get_by_text("200 added, 2 skipped")).to_be_visible()
            expect(visit.page.locator("#state .facts")).to_have_text("photos · 200 pictures")
            skips = visit.view.locator(".skips")
            expect(skips).to_contain_text("2 files could not be indexed")
            expect(skips.get_by_text("torn.png")).to_be_visible()
            expect(skips.get_by_text("page<i>.jpg")).to_be_visible()
            expect(skips.get_by_text("a web page, not an image")).to_be_visible()
            visit.page.get_by_role("link", name="Search", exact=True).click()
            expect(visit.pictures.first).to_be_visible()


def test_it_is_stopped_and_done_again(chrome: Chromium, photos: Collection, root: Path, gate: Gate) -> None:
    with serving(photos, folders=(str(root),)) as site:
        site.served.jobs.start([str(root)])
        with visiting(chrome, site) as visit:
            visit.go("#/indexing")
            visit.page.get_by_role("button", name="Stop").click()
            visit.until("performance.getEntriesByType('resource').some(each => each.name.endsWith('/cancel'))")
            gate.open()
            expect(visit.view.locator(".past")).to_contain_text("(stopped)")
            visit.page.get_by_role("button", name="Index again").click()
            expect(visit.view.locator(".past li")).to_have_count(2)
            expect(visit.view.locator(".roots")).to_contain_text("200 pictures")
            visit.page.get_by_role("button", name="Index again").click()
            expect(visit.view.locator(".past li").first).to_contain_text("200 unchanged")


def test_a_collection_without_anything_says_how_to_begin(chrome: Chromium, photos: Collection) -> None:
    with serving(photos) as site, visiting(chrome, site) as visit:
        visit.go()
        expect(visit.page.get_by_text("the collection is empty")).to_be_visible()
        visit.page.get_by_role("link", name="Indexing").click()
        expect(visit.page.get_by_text("None yet.")).to_be_visible()
        expect(visit.page.get_by_text("None: every picture of the folders could be read.")).to_be_visible()


FOLLOW = """async ([base, id]) => {
  const { follow } = await import("/static/js/api.js");
  return new Promise((done) => follow(base, id, done));
}"""
TURN = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_job_that_a_new_server_does_not_know_is_over(chrome: Chromium, photos: Collection) -> None:
    with serving(photos) as site, visiting(chrome, site) as visit:
        visit.go("#/indexing")
        told = visit.page.evaluate(FOLLOW, [HERE, "f" * 16])
        visit.tab.faults.clear()  # the browser's own line on the address that is not there
    assert told["state"] == "failed"
    assert "started anew" in told["error"]


def test_a_page_that_nobody_sees_holds_no_connection(
    chrome: Chromium, photos: Collection, root: Path, gate: Gate
) -> None:
    def listeners() -> int:
        line = next(line for line in site.ask("/metrics").text.splitlines() if line.startswith("imagekin_listeners"))
        return int(float(line.split()[1]))

    def until(number: int) -> None:
        end = time.monotonic() + 30
        while listeners() != number:
            assert time.monotonic() < end
            time.sleep(0.05)

    with serving(photos, folders=(str(root),)) as site:
        site.served.jobs.start([str(root)])
        with visiting(chrome, site) as visit:
            visit.go("#/indexing")
            until(1)
            visit.page.evaluate(TURN, True)
            until(0)
            visit.page.evaluate(TURN, False)
            until(1)
            gate.open()
            expect(chip(visit)).to_be_hidden()
