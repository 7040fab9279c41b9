"""How the map on the server's page is drawn: by WebGL or without, in the right colours, a hundred thousand points."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import imagekin
from imagekin.store.batch import Batch, Put
from imagekin.types import FileInfo
from tests import sorts
from tests.charts import CHART, make, on_page, rows_of, shown
from tests.served import Site, serving
from tests.web_pages import Opener

MANY = 100_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a map of a few pictures."""
    place = tmp_path_factory.mktemp("drawn")
    with imagekin.open(place / "collection", model="pixels") as photos:
        photos.index(sorts.save(place / "pictures", 5), label_from="parent")
        with serving(photos) as site:
            make(site)
            yield site


@pytest.mark.parametrize("way", ["canvas", "webgl"])
def test_both_ways_of_drawing_show_the_classes_colour(opened: Opener, made: Site, way: str) -> None:
    page = opened(made, f"#/map?points={way}")
    shown(page)
    if way == "webgl" and not page.evaluate("!!document.createElement('canvas').getContext('webgl')"):
        pytest.skip("this browser has no WebGL, not even in software")
    assert page.evaluate(f"'gl' in {CHART}.plane.points") is (way == "webgl")
    page.get_by_label("Names of classes").uncheck()
    page.evaluate(f"{CHART}.plane.pictures = null; {CHART}.plane.redraw()")
    rows = page.evaluate(f"{CHART}.facts.fields.label.of")
    colours = page.evaluate(f"{CHART}.facts.fields.label.colours")
    row = rows_of(page, "green")[0]
    page.evaluate(f"{CHART}.plane.look({CHART}.plane.places[{2 * row}], {CHART}.plane.places[{2 * row + 1}], 1e9)")
    x, y = on_page(page, row)
    page.mouse.move(5, 5)
    page.wait_for_timeout(100)
    seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((round(x), round(y)))
    wanted = colours[rows[row]]
    assert seen == pytest.approx([int(wanted[at : at + 2], 16) for at in (1, 3, 5)], abs=60)


@pytest.fixture(scope="module")
def vast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hundred thousand pictures on a map; their files are not there."""
    place = tmp_path_factory.mktemp("vast")
    with imagekin.open(place / "collection", model="pixels") as photos:
        photos.index(sorts.save(place / "pictures", 1), label_from="parent")
        random, dim = np.random.default_rng(0), photos.store.dim
        for start in range(0, MANY, 10_000):
            vectors = random.normal(0, 1, (10_000, dim)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            photos.store.write(Batch(puts=[
                Put(FileInfo(f"{place}/pictures/{start + row}.png", 1, 1), (start + row).to_bytes(16, "big"), 4, 3,
                    vectors[row], label=f"class {row % 40}")
                for row in range(10_000)
            ]))  # fmt: skip
        with serving(photos) as site:
            make(site)
            yield site


@pytest.mark.parametrize("way", ["canvas", "webgl"])
def test_a_hundred_thousand_points(opened: Opener, vast: Site, way: str, record_property: Any) -> None:
    page = opened(vast, f"#/map?points={way}")
    shown(page)
    assert page.evaluate(f"{CHART}.plane.count") == MANY + 3
    steps = page.evaluate(
        "new Promise((done) => { const times = []; let last = 0; let turn = 0; const step = (now) => {"
        f"times.push(now - last); last = now; {CHART}.plane.look(0, 0, {CHART}.plane.view.whole * (1 + turn / 20));"
        "if (++turn < 40) requestAnimationFrame(step); else done(times.slice(1)); }; requestAnimationFrame(step); })"
    )
    drawn = page.evaluate(f"{CHART}.plane.frames.slice(-39)")
    record_property(f"median ms between frames, {way}", float(np.median(steps)))
    record_property(f"median ms of script a frame, {way}", float(np.median(drawn)))
    page.locator(".map-over").focus()
    page.keyboard.press("0")
    page.keyboard.press("s")
    expect(page.locator(".dock strong")).to_have_text("100,003 pictures selected")
    page.keyboard.press("Escape")
    assert len(steps) == 39
