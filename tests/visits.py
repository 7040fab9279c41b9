"""The page as a person has it: pictures that are served, and a tab that shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from PIL import ImageEnhance

import imagekin
from tests.browser import Browser
from tests.photographs import photograph, save
from tests.served import Site, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Locator, Page

SCENES = 42
TAKES = 4
FOLDERS = ("sea", "town", "wood")


def name_of(scene: int, take: int) -> str:
    return f"{FOLDERS[scene % 3]}/scene{scene:02}-{take}.jpg"


def base(scene: int, take: int) -> str:
    """The name of a picture in its folder."""
    return name_of(scene, take).partition("/")[2]


def kin(scene: int, without: int | None = None) -> set[str]:
    """The names of all takes of a scene."""
    return {base(scene, take) for take in range(TAKES) if take != without}


def album(root: Path) -> Path:
    """Photographs of many scenes, each taken several times under another light; scenes have shapes of their own."""
    for scene in range(SCENES):
        shape = (160, 110) if scene % 4 else (100, 150)
        whole = photograph(scene, *shape)
        for take in range(TAKES):
            save(root / name_of(scene, take), ImageEnhance.Brightness(whole).enhance(1 - 0.08 * take))
    return root


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the album."""
    return album(tmp_path_factory.mktemp("album") / "photos")


@pytest.fixture(scope="module")
def gallery(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of the album."""
    with imagekin.open(tmp_path_factory.mktemp("gallery") / "c", model="pixels") as photos:
        photos.index(photographs)
        with serving(photos) as site:
            yield site


class Visit:
    """A tab that shows a site.

    Attributes:
        page: the tab itself.
        tab: what went wrong in it.
    """

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.tab = Browser(page)
        page.on("filechooser", lambda _: None)  # so that choosers are seen from now on, whoever waits for one

    def go(self, hash: str = "") -> None:
        """Open an address of the page and wait for its first words."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.site.url}/{hash}")
        self.page.locator("main > section:not([hidden])").wait_for()

    @property
    def view(self) -> Locator:
        return self.page.locator("main > section:not([hidden])")

    @property
    def pictures(self) -> Locator:
        """The pictures that are shown."""
        return self.view.locator("a.picture[href]")

    def picture(self, name: str) -> Locator:
        """A picture by the beginning of its name."""
        return self.view.get_by_role("link", name=re.compile(rf"^{re.escape(name)}"))

    def names(self, most: int | None = None) -> list[str]:
        """What the first pictures are called."""
        labels = self.pictures.evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
        return [str(label).partition(",")[0] for label in labels[:most]]

    def state(self) -> dict[str, list[str]]:
        """The address's state; its view is there as ``view``."""
        place, _, query = self.page.url.partition("#/")[2].partition("?")
        return {"view": [place], **parse_qs(query)}

    def until(self, script: str) -> Any:
        """Wait until an expression is true on the page."""
        return self.tab.until(script)

    def settled(self) -> None:
        """Wait until every picture on the page has been loaded, or has failed to."""
        self.until(
            "[...document.querySelectorAll('main > section:not([hidden]) a.picture img[src]')]"
            ".every(each => each.complete) && document.querySelector('a.picture img.here')"
        )


def answered(visit: Visit) -> None:
    """Wait until there is an answer."""
    from playwright.sync_api import expect

    expect(visit.view.get_by_role("status").first).to_contain_text("nearest first")


def found(visit: Visit, names: set[str]) -> None:
    """Wait until these are the nearest."""
    visit.until(
        f"JSON.stringify([...document.querySelectorAll('main > section:not([hidden]) a.picture[href]')]"
        f".slice(0, {len(names)}).map(each => each.ariaLabel?.split(',')[0]).sort())"
        f" === {json.dumps(json.dumps(sorted(names), separators=(',', ':')))}"
    )
    answered(visit)


@contextmanager
def visiting(chrome: Chromium, site: Site, **how: Any) -> Iterator[Visit]:
    """A tab of its own, with nothing kept from others; it has to end without faults."""
    options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce", **how}
    context = chrome.new_context(**options)
    context.set_default_timeout(60_000)
    try:
        visit = Visit(context.new_page(), site)
        yield visit
        assert visit.tab.faults == []
        assert [url for url in visit.tab.asked if not url.startswith((site.url, "blob:", "data:", "about:"))] == []
    finally:
        context.close()


def visit_of(site: str) -> Any:
    """A fixture ``visit``: a tab on what the fixture called *site* serves."""

    @pytest.fixture(name="visit")
    def fixture(chrome: Chromium, request: pytest.FixtureRequest) -> Iterator[Visit]:
        with visiting(chrome, request.getfixturevalue(site)) as visit:
            yield visit

    return fixture


visit = visit_of("gallery")
