"""The page of a map: nothing in it acts, nothing is fetched, and in a browser it shows the right picture."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagekin.errors import InputError
from imagekin.maps import payload, webpage
from imagekin.maps.records import Map
from imagekin.maps.thumbnails import Sheets
from imagekin.maps.webpage import Content
from imagekin.types import Item
from tests.browser import Browser, chromium

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">\u202e'&<!--"
SIDE = 16


def tone(row: int) -> tuple[int, int, int]:
    """A colour for each of many pictures, coarse enough to come through compression."""
    return 40 * (row % 6) + 20, 40 * (row // 6 % 6) + 20, 40 * (row // 36 % 6) + 20


def sheets(order: Any) -> Sheets:
    """Tiles of one colour each, as if the pictures were such."""
    across = 2_048 // SIDE
    files = []
    for at in range(0, len(order), across * across):
        some = [tone(row) for row in order[at : at + across * across].tolist()]
        high = -(-len(some) // across)
        cells = np.full((high * across, 3), 128, np.uint8)
        cells[: len(some)] = some
        picture = cells.reshape(high, across, 3).repeat(SIDE, axis=0).repeat(SIDE, axis=1)
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "WEBP", quality=70, method=0)
        files.append(content.getvalue())
    return Sheets(SIDE, across, tuple(files), 0)


def content(count: int, *, pictures: bool = True, name: str = "c") -> Content:
    """A map on rings: row r's nearest are r + 1, r + 2, r + 3."""
    random = np.random.default_rng(0)
    angle, far = random.uniform(0, 7, count), 0.15 + 0.1 * (np.arange(count) % 9)
    xy = (np.column_stack([np.cos(angle), np.sin(angle)]) * far[:, None]).astype(np.float32)
    made = Map(
        name, "tsne", "x 1", {"perplexity": 30.0}, 0, "cosine", None, 64, 50, np.arange(count) + 5, xy, 10, 0.4, 0.9
    )
    items = [
        Item(row + 5, f"/photos/{row % 9}/{row:06}.jpg", 400, 300, label=f"ring {row % 9}" if row % 9 else HOSTILE,
             metadata={"iso": float(row), "camera": HOSTILE if row % 2 else "plain"})
        for row in range(count)
    ]  # fmt: skip
    near = (np.arange(count)[:, None] + np.array([1, 2, 3])) % count
    gaps = np.broadcast_to(np.array([0.1, 0.2, 0.3], np.float32), near.shape)
    order = payload.spatial(xy)
    return Content(made, items, (near, gaps), sheets(order) if pictures else None)


class Tags(HTMLParser):
    """Every tag with its attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)


def test_nothing_hostile_becomes_a_tag_and_nothing_is_fetched() -> None:
    text = webpage.page(content(50, name=HOSTILE))
    assert text.isascii()
    tags = Tags(text)
    assert [tag for tag, _ in tags.tags].count("script") == 3
    assert not [tag for tag, _ in tags.tags if tag in ("img", "link", "iframe", "object")]
    assert not [
        each for _, attributes in tags.tags for each in attributes if each.startswith("on") or each in ("src", "href")
    ]
    assert "\u202e" not in text
    assert "http" not in re.sub(r"http-equiv", "", text)


def test_the_policy_names_the_script_and_the_style_and_nothing_else() -> None:
    text = webpage.page(content(5))
    policy = next(attributes["content"] for tag, attributes in Tags(text).tags if "http-equiv" in attributes)
    assert policy is not None
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_what_is_packed_comes_out_again() -> None:
    made = content(40)
    order = payload.spatial(made.made.xy)
    data = json.loads(Tags(webpage.page(made)).scripts[0])
    places = np.frombuffer(base64.b64decode(data["places"]), "<f4").reshape(-1, 2)
    near = np.frombuffer(base64.b64decode(data["near"]), "<u4").reshape(-1, 3)
    ids = np.frombuffer(base64.b64decode(data["ids"]), "<f8")
    assert np.array_equal(places, made.made.xy[order])
    assert np.array_equal(ids[near], (((ids - 5)[:, None] + [1, 2, 3]) % 40) + 5)
    assert set(np.frombuffer(base64.b64decode(data["alike"]), "<u2").tolist()) == {9000, 8000, 7000}
    assert [data["folders"][0][:8], data["names"][0][-4:]] == ["/photos/", ".jpg"]
    label, *others = data["fields"]
    assert (label["name"], sum(label["sizes"]), len(label["names"])) == ("label", 40, 9)
    assert {each["name"] for each in others} >= {"folder", "iso", "camera"}


def test_the_order_of_rows_follows_the_map() -> None:
    xy = np.random.default_rng(0).uniform(-1, 1, (2_000, 2)).astype(np.float32)
    order = payload.spatial(xy)
    assert sorted(order.tolist()) == list(range(2_000))
    steps = np.linalg.norm(np.diff(xy[order], axis=0), axis=1)
    assert steps.mean() < 0.1 * np.linalg.norm(np.diff(xy, axis=0), axis=1).mean()


def test_another_field_may_come_first(tmp_path: Path) -> None:
    made = content(30, pictures=False)
    chosen = Content(made.made, made.items, made.near, colour="iso")
    data = json.loads(Tags(webpage.page(chosen)).scripts[0])
    assert data["fields"][0]["name"] == "iso"
    assert data["side"] == 0
    with pytest.raises(InputError, match="no 'lens' to be coloured by"):
        webpage.save(Content(made.made, made.items, made.near, colour="lens"), tmp_path / "m.html")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="cannot write"):
        webpage.save(made, tmp_path / "absent" / "m.html")


# -- in a browser ------------------------------------------------------------------------------------------------------

COUNT = 100_000
HAS_WEBGL = "!!document.createElement('canvas').getContext('webgl')"
IN_SOFTWARE = (
    "(gl => !gl || /swiftshader|llvmpipe/i.test(gl.getParameter("
    "gl.getExtension('WEBGL_debug_renderer_info').UNMASKED_RENDERER_WEBGL)))"
    "(document.createElement('canvas').getContext('webgl', {failIfMajorPerformanceCaveat: true}))"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, Path]:
    """A hundred thousand pictures."""
    made = content(COUNT)
    return made, webpage.save(made, tmp_path_factory.mktemp("page") / "map.html")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return webpage.save(content(300), tmp_path / "map.html")


def lonely(made: Content) -> int:
    """A picture with no other near it on the screen, in the page's order."""
    xy = made.made.xy[payload.spatial(made.made.xy)]
    far = np.flatnonzero(np.abs(np.hypot(*xy.T) - 0.95) < 0.01)
    return int(far[len(far) // 2])


@pytest.mark.parametrize("way", ["#webgl", "#canvas"])
def test_a_hundred_thousand_pictures(
    browser: Browser, large: tuple[Content, Path], way: str, record_property: Any
) -> None:
    made, path = large
    browser.open(path, hash=way)
    browser.until("window.imagekinMap && imagekinMap.frames.length > 0")
    assert browser.run("imagekinMap.count") == COUNT
    assert browser.run("imagekinMap.webgl()") is (way == "#webgl" and browser.run(HAS_WEBGL))
    row = lonely(made)
    source = int(payload.spatial(made.made.xy)[row])
    browser.run(f"imagekinMap.look(...{made.made.xy[source].tolist()}, imagekinMap.view.whole * 60)")
    x, y = browser.run(f"imagekinMap.draw(), imagekinMap.onScreen({row})")
    browser.move(x, y)
    browser.until(f"document.querySelector('#card canvas')?.dataset.painted === '{row}'")
    pixel = browser.run(
        "[...document.querySelector('#card canvas').getContext('2d').getImageData(60, 40, 1, 1).data].slice(0, 3)"
    )
    assert pixel == pytest.approx(tone(source), abs=14)
    assert browser.run("document.getElementById('card').textContent").endswith(f"{source:06}.jpg")
    browser.click(x, y)
    browser.until("document.querySelectorAll('#near button').length === 3")
    listed = browser.run(
        "[...document.querySelectorAll('#near button')].map((each) => each.getAttribute('aria-label'))"
    )
    assert [re.findall(r"(\d{6})\.jpg, (\d+) %", each)[0] for each in listed] == [
        (f"{(source + step) % COUNT:06}", share) for step, share in ((1, "90"), (2, "80"), (3, "70"))
    ]
    assert browser.run("imagekinMap.state.chosen") == row
    browser.press("Escape")
    assert browser.run("imagekinMap.state.chosen") == -1
    steps = browser.run(
        "new Promise((done) => { const times = []; let last = 0; let turn = 0; const step = (now) => {"
        "times.push(now - last); last = now; imagekinMap.look(0, 0, imagekinMap.view.whole * (1 + turn / 20));"
        "if (++turn < 40) requestAnimationFrame(step); else done(times.slice(1)); }; requestAnimationFrame(step); })"
    )
    record_property(f"median ms a frame{way}", float(np.median(steps)))
    record_property(f"page MB{way}", path.stat().st_size / 1e6)
    assert len(steps) == 39
    assert browser.faults == []
    assert [url for url in browser.asked if not url.startswith(("file:", "data:"))] == []


def test_hostile_names_stay_text(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.until("document.querySelectorAll('#legend button').length === 9")
    shown = browser.run("document.querySelector('#legend button').textContent")
    assert shown.startswith("</script><img src=x onerror=")
    assert "\\u202e" in shown
    assert browser.run("document.title") == "c: a map of 300 pictures"
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.scripts.length") == 3
    assert browser.faults == []


def test_webgl_is_used_where_it_is_quick(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.until("window.imagekinMap && imagekinMap.frames.length > 0")
    assert browser.run("imagekinMap.webgl()") is not browser.run(IN_SOFTWARE)


def typed(text: str) -> str:
    """A script that types into the search box."""
    return (
        f"(box => {{ box.value = {json.dumps(text)}; box.dispatchEvent(new Event('input')); }})"
        "(document.getElementById('search'))"
    )


def test_the_legend_isolates_and_the_search_finds(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.until("document.querySelectorAll('#legend button').length === 9")
    lit = "imagekinMap.matching()"
    assert browser.run(lit) == 300
    browser.run("document.querySelectorAll('#legend button')[3].click()")
    assert browser.run("document.querySelectorAll('#legend button')[3].getAttribute('aria-pressed')") == "true"
    assert browser.run(lit) == 33
    browser.run("document.getElementById('all').click()")
    assert browser.run(lit) == 300
    browser.run(typed("RING 2"))
    browser.until(f"{lit} < 300")
    assert browser.run(lit) == 34
    assert browser.run("document.getElementById('hits').textContent") == "34 of 300 pictures"
    browser.run(typed("000123.jpg"))
    browser.until(f"{lit} === 1")
    browser.run("document.querySelector('#found button').click()")
    assert browser.run("imagekinMap.path(imagekinMap.state.chosen)") == "/photos/6/000123.jpg"


def test_numbers_have_a_scale(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.until("window.imagekinMap")
    browser.run(
        "(box => { box.value = [...box.options].findIndex((each) => each.text === 'iso');"
        "box.dispatchEvent(new Event('change')); })(document.getElementById('field'))"
    )
    assert browser.run("document.getElementById('scale').hidden") is False
    assert browser.run("document.getElementById('legend').hidden") is True
    assert float(browser.run("document.getElementById('high').textContent")) == pytest.approx(296, abs=2)


def test_keys_and_wheel_move_the_map(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.until("window.imagekinMap")
    browser.run("document.getElementById('over').focus()")
    before = browser.run("imagekinMap.view")
    browser.press("ArrowRight")
    assert browser.run("imagekinMap.view.x") > before["x"]
    browser.press("+")
    assert browser.run("imagekinMap.view.scale") == pytest.approx(1.4 * before["scale"])
    browser.press("0")
    browser.wheel(300, 300, -120)
    browser.until(f"imagekinMap.view.scale > {before['scale']} * 1.2")
    browser.press("Enter")
    assert browser.run("imagekinMap.state.chosen") >= 0
    assert "nearest pictures are listed" in browser.run("document.getElementById('said').textContent")
    assert browser.faults == []


def test_a_page_without_pictures_or_for_one_picture(browser: Browser, tmp_path: Path) -> None:
    made = content(40, pictures=False)
    browser.open(webpage.save(made, tmp_path / "bare.html"), dark=True, width=600)
    browser.until("window.imagekinMap")
    assert browser.run("document.getElementById('pictures').closest('label').hidden") is True
    browser.run("imagekinMap.choose(3)")
    assert browser.run("document.querySelectorAll('canvas').length") == 2
    one = Map(
        "one", "pca", "x 1", {}, 0, "cosine", None, 4, 2, np.array([9]), np.zeros((1, 2), np.float32), 0, None, None
    )
    nobody = np.empty((1, 0), np.int64), np.empty((1, 0), np.float32)
    browser.open(webpage.save(Content(one, [Item(9, "/a.jpg", 3, 2)], nobody), tmp_path / "one.html"))
    browser.until("window.imagekinMap")
    browser.run("imagekinMap.choose(0)")
    assert browser.run("document.querySelector('.path').textContent") == "/a.jpg"
    assert browser.faults == []
