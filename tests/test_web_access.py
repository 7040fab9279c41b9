"""For everybody: keys, screen readers, contrast, phones, motion; axe-core looks at every view as well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.pixel_collection import indexed
from tests.served import Site, site_of
from tests.visits import Visit, album, visit_of, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

VIEWS = [
    "search",
    "search?id=1",
    "search?id=1&plus=9&minus=40&label=sea",
    "browse",
    "search?id=1&open=3",
    "browse?open=3",
    "indexing",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = album(tmp_path_factory.mktemp("access") / "photos")
    (root / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return root


photos = indexed("module")
site = site_of("photos", "module")
visit = visit_of("site")


def axe(visit: Visit) -> list[dict[str, Any]]:
    """What axe-core finds wrong on the page."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-core comes with axe-playwright-python")
    source = next(Path(package.__file__).parent.rglob("axe.min.js")).read_text("utf-8")
    visit.page.evaluate(source)
    found = visit.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        {"rule": each["id"], "what": each["help"], "where": [node["html"][:200] for node in each["nodes"][:5]],
         "why": each["nodes"][0]["failureSummary"]}
        for each in found["violations"]
    ]  # fmt: skip


def test_axe_would_find_something(visit: Visit) -> None:
    visit.go()
    visit.page.evaluate(
        "document.querySelector('main').append(Object.assign(document.createElement('img'), {src: '/favicon.ico'}))"
    )
    assert [each["rule"] for each in axe(visit)] == ["image-alt"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(chrome: Chromium, site: Site, view: str, scheme: Any) -> None:
    with visiting(chrome, site, color_scheme=scheme) as visit:
        visit.go(f"#/{view}")
        if "indexing" not in view:
            visit.settled()
        if "open" in view:
            expect(visit.page.get_by_role("dialog", name="Picture").get_by_role("term").first).to_be_visible()
        assert axe(visit) == []


@pytest.mark.parametrize("view", ["search?id=1", "browse", "browse?open=3", "indexing"])
def test_a_phone_shows_all_of_it(chrome: Chromium, site: Site, view: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with visiting(chrome, site, **phone) as visit:
        visit.go(f"#/{view}")
        if view != "indexing":
            visit.settled()
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        small = visit.page.evaluate(
            "[...document.querySelectorAll('button, a[href], select, summary')]"
            ".filter(each => each.checkVisibility() && !each.matches('.skip, .chip *, p *'))"
            ".map(each => [each.getBoundingClientRect(), each.ariaLabel || each.textContent])"
            ".filter(([box]) => box.width && (box.width < 24 || box.height < 24)).map(([, name]) => name)"
        )
        assert small == []
        assert axe(visit) == []


def test_the_whole_way_by_keys(visit: Visit) -> None:
    visit.go()
    visit.settled()
    keys = visit.page.keyboard
    keys.press("Tab")
    expect(visit.page.get_by_role("link", name="To the pictures")).to_be_focused()
    keys.press("Enter")
    expect(visit.page.get_by_role("main")).to_be_focused()
    assert "main" not in visit.page.url
    order = []
    for _ in range(6):
        keys.press("Tab")
        order.append(visit.page.evaluate("document.activeElement.textContent || document.activeElement.ariaLabel"))
    assert order[:3] == ["Choose a picture", "Photograph", "Filters"]
    assert "scene" in order[3] or order[3] == visit.names(1)[0]
    visit.pictures.first.focus()
    keys.press("Enter")
    expect(visit.page.get_by_role("status").filter(has_text="nearest first")).to_be_visible()
    keys.press("2")
    assert visit.state()["view"] == ["browse"]
    keys.press("Shift+?")
    keys.press("?")
    expect(visit.page.get_by_role("dialog", name="Keys")).to_be_visible()
    keys.press("Escape")
    expect(visit.page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_everything_has_a_name_and_pictures_say_what_they_are(visit: Visit) -> None:
    visit.go("#/search?id=1")
    visit.settled()
    nameless = visit.page.evaluate(
        "[...document.querySelectorAll('button, a[href], input:not([type=file]), select')]"
        ".filter(each => each.checkVisibility() && !each.ariaLabel && !each.textContent.trim() && !each.labels?.length)"
        ".map(each => each.outerHTML)"
    )
    assert nameless == []
    grid = visit.page.get_by_role("grid", name="Pictures found, nearest first")
    expect(grid).to_be_visible()
    cell = grid.get_by_role("gridcell").first
    expect(cell).to_have_attribute("aria-selected", "false")
    label = visit.pictures.first.get_attribute("aria-label") or ""
    assert label.startswith("scene00-")
    assert ", sea, " in label
    assert label.endswith("% similar")


def test_dark_and_light_by_hand_are_remembered(visit: Visit) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    visit.go()
    light = visit.page.evaluate(ground)
    visit.page.get_by_role("button", name="Light or dark").click()
    dark = visit.page.evaluate(ground)
    assert light != dark
    visit.page.reload()
    visit.page.locator("main > section:not([hidden])").wait_for()
    assert visit.page.evaluate(ground) == dark
    visit.page.emulate_media(color_scheme="dark")
    assert visit.page.evaluate(ground) == dark
    visit.page.get_by_role("button", name="Light or dark").click()
    assert visit.page.evaluate(ground) == light


def test_nothing_moves_for_those_who_want_no_motion(visit: Visit) -> None:
    visit.go()
    visit.settled()
    moving = visit.page.evaluate(
        "[...document.querySelectorAll('*')].map(each => getComputedStyle(each).transitionDuration)"
        ".filter(each => each.split(', ').some(time => parseFloat(time) > 0)).length"
    )
    assert moving == 0


def test_zoomed_text_and_forced_colours_keep_the_page_whole(chrome: Chromium, site: Site) -> None:
    with visiting(chrome, site, forced_colors="active", viewport={"width": 640, "height": 480}) as visit:
        visit.go("#/search?id=1")
        visit.settled()
        visit.page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
