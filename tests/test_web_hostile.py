"""Names, labels, columns and folders that want to be more than text: on every view they are text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import imagekin
from imagekin.store.batch import Batch, Put
from imagekin.testing.items import HOSTILE
from imagekin.types import FileInfo
from tests.pictures import save
from tests.served import Site, serving
from tests.visits import Visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

SCRIPTS = [
    "<script>window.owned=1</script>", "<img src=x onerror=window.owned=1>", "\"><svg onload=window.owned=1>",
    "'-window.owned=1-'", "javascript:window.owned=1", "{{constructor.constructor('window.owned=1')()}}",
    "${window.owned=1}", "</title><script>window.owned=1</script>", "<iframe srcdoc='<script>parent.owned=1</script>'>",
    "<a href=javascript:window.owned=1>x</a>", "<style>*{display:none}</style>", "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>", "&lt;b&gt;", "<!--", "]]>", "\\u003cscript\\u003e",
    "#/search?id=1", "?id=1&open=1", "%3Cscript%3E", "__proto__", "constructor", "toString",
]  # fmt: skip
TURNS = [
    "\u202egpj.exe", "a\u2066b\u2069", "\u200b\u200d\ufeff", "\u0000nul", "line\nbreak", "\u001b[31m", "\udcff\udc80",
    "e\u0301" * 30, "\U0001f408" * 40,
]  # fmt: skip
PATHS = [*HOSTILE, *(f"/p/{each.replace('/', '∕')}.jpg" for each in [*SCRIPTS, *TURNS])]
NAMES = [f"/p/{each.replace('/', '∕')}/in/{number}.jpg" for number, each in enumerate([*SCRIPTS, *TURNS])]
VIEWS = ["search", "browse", "map", "duplicates", "tags", "indexing"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Items that have such names; their thumbnails are those of one picture, by its content."""
    place = tmp_path_factory.mktemp("hostile")
    save(place / "photos/plain.png", 1)
    with imagekin.open(place / "c", model="pixels") as photos:
        photos.index(place / "photos")
        plain = next(photos.items())
        vector = photos.store.vectors([plain.id])[1][0]
        paths = list(dict.fromkeys([*PATHS, *NAMES]))
        words = [*SCRIPTS, *TURNS[:2]]
        puts = [
            Put(FileInfo(path, 9 + number, 10**18, 1), bytes.fromhex(plain.hash), plain.width, plain.height, vector,
                words[number % len(words)], None, tags=("<b>tag</b>",) if number % 2 else ())
            for number, path in enumerate(paths)
        ]  # fmt: skip
        photos.store.write(Batch(puts=puts, skips=[(FileInfo(path, 3, 4), SCRIPTS[0]) for path in PATHS]))
        photos.store.set_root("/p", "parent")
        with serving(photos) as site:
            site.ask(
                f"items/{plain.id}/thumbnail", params={"size": 384, "v": plain.hash}, headers={"Accept": "image/webp"}
            )
            yield site


def unharmed(visit: Visit) -> None:
    assert visit.page.evaluate("window.owned") is None
    assert visit.page.evaluate("document.querySelectorAll('script').length") == 1
    assert (
        visit.page.evaluate(
            "document.querySelectorAll('iframe, object, embed, base, style, [onerror], [onload], [onclick]').length"
        )
        == 0
    )
    assert visit.page.evaluate(
        "[...document.querySelectorAll('a[href]')].every(each => new URL(each.href).origin === location.origin)"
    )
    assert visit.page.title().endswith("· photos · imagekin")
    text = visit.page.evaluate("document.body.textContent")
    for each in "\u202e\u2066\u200b\u0000\u001b":
        assert each not in text


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_takes_a_name_for_more_than_text(chrome: Chromium, site: Site, view: str) -> None:
    with visiting(chrome, site) as visit:
        visit.go(f"#/{view}")
        visit.until("document.querySelectorAll('main > section:not([hidden]) *').length > 8")
        unharmed(visit)
        if view in ("search", "browse"):
            total = site.ask("outline").json()["total"]
            seen: set[str] = set()
            for _ in range(40):
                seen |= {each.get_attribute("title") or "" for each in visit.pictures.all()}
                visit.page.mouse.move(700, 500)
                visit.page.mouse.wheel(0, 700)
                visit.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
                if len(seen) >= total:
                    break
            assert len(seen) == total
            assert "/p/<script>window.owned=1<∕script>.jpg" in seen
            assert "/p/\\u202egpj.exe.jpg" in seen
            assert "/p/not-utf8-\\udcff\\udc80.jpg" in seen
            unharmed(visit)
        visit.tab.faults.clear()  # thumbnails of what is not there, and answers that there is no map yet


def test_a_picture_with_such_a_name_is_searched_by_looked_at_and_tagged(chrome: Chromium, site: Site) -> None:
    with visiting(chrome, site) as visit:
        for name in ("/p/<script>window.owned=1<∕script>.jpg", "/p/\u202egpj.exe", "/p/not-utf8-\udcff\udc80.jpg"):
            number = next(
                item["id"] for item in site.ask("items", params={"limit": 1000}).json()["items"] if item["path"] == name
            )
            visit.go(f"#/search?id={number}&open={number + 1}")
            expect(visit.page.get_by_role("dialog", name="Picture")).to_be_visible()
            expect(visit.pictures.first).to_be_visible()
            unharmed(visit)
        visit.tab.faults.clear()


@pytest.mark.parametrize("hash", [
    "#/search?id=<script>window.owned=1</script>", "#/__proto__?constructor=1", "#/search?__proto__=1&plus=x&minus=y",
    "#/browse?under=%00&where='", "#/search?id=1e99", "#/search?region=1,2,3&id=1", "#/../../etc?open=../x",
    "#/%%%?%%%", "#/search?id=1&k=-5&near=abc&side=x&from=y", "#" + "a" * 5000,
])  # fmt: skip
def test_no_address_breaks_the_page(chrome: Chromium, site: Site, hash: str) -> None:
    with visiting(chrome, site) as visit:
        visit.go(hash)
        unharmed(visit)
        visit.page.get_by_role("link", name="Indexing").click()
        expect(visit.page.get_by_role("heading", name="Folders")).to_be_visible()
        visit.tab.faults = [each for each in visit.tab.faults if "Failed to load resource" not in each]


def test_such_names_in_the_tree_of_folders(chrome: Chromium, site: Site) -> None:
    with visiting(chrome, site) as visit:
        visit.go("#/browse")
        tree = visit.page.get_by_role("tree", name="Folders")
        tree.get_by_text("p", exact=True).click()
        expect(tree.get_by_text(SCRIPTS[0].replace("/", "∕"), exact=True)).to_be_visible()
        expect(tree.get_by_text("\\u202egpj.exe", exact=True)).to_be_visible()
        tree.get_by_text(SCRIPTS[1].replace("/", "∕"), exact=True).click()
        expect(visit.pictures).to_have_count(1)
        unharmed(visit)
        tree.get_by_text("\\udcff\\udc80").click()
        expect(visit.pictures).to_have_count(1)  # it has no name that could be asked for
        visit.tab.faults.clear()


def test_a_page_of_another_site_cannot_hold_this_one(chrome: Chromium, site: Site, tmp_path: Path) -> None:
    holder = tmp_path / "holder.html"
    holder.write_text(f"<iframe src='{site.url}/'></iframe>")
    page = chrome.new_page()
    page.goto(holder.as_uri())
    frame = page.frames[1]
    assert not frame.url.startswith(site.url) or frame.locator("#bar").count() == 0
    page.close()
