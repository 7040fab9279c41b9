"""Words on the page: a field for them where the model takes them, beside everything else that is searched by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from tests.served import Site, site_of
from tests.test_web_access import axe
from tests.visits import Visit, visit_of, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Locator

site = site_of("colours", "module")
visit = visit_of("site")


def field(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Describe what to look for")


def shows(visit: Visit, *colours: str) -> None:
    """Wait until the nearest pictures are of these colours, each twice."""
    wanted = [f", {colour}" for colour in colours for _ in range(2)]
    visit.until(
        f"{wanted}.every((words, at) => document.querySelectorAll('a.picture[href]')[at]?.ariaLabel?.includes(words))"
    )
    expect(visit.view.get_by_role("status").first).to_contain_text("nearest first")


def test_words_search_and_the_address_keeps_them(visit: Visit) -> None:
    visit.go()
    field(visit.page).fill("something violet")
    field(visit.page).press("Enter")
    shows(visit, "violet")
    assert axe(visit) == []
    assert visit.state() == {"view": ["search"], "text": ["something violet"]}
    visit.page.reload()
    shows(visit, "violet")
    expect(field(visit.page)).to_have_value("something violet")
    field(visit.page).fill("2:yellow - 2:red")
    visit.page.get_by_role("search").get_by_role("button", name="Search").click()
    shows(visit, "green")
    visit.page.go_back()
    shows(visit, "violet")
    field(visit.page).fill("")
    visit.page.wait_for_url("**/#/search")
    expect(visit.page.get_by_role("heading", level=2)).to_be_visible()


def test_words_beside_a_picture_a_region_and_more(visit: Visit, swatches: Path) -> None:
    red = visit.site.ask("items", params={"under": str(swatches / "red/light.png")}).json()["items"][0]["id"]
    visit.go(f"#/search?id={red}&region=0.1,0.1,0.5,0.5")
    visit.page.keyboard.press("t")
    expect(field(visit.page)).to_be_focused()
    with visit.page.expect_request("**/search") as asked:
        visit.page.keyboard.type("green + 2:green − blue")
        visit.page.keyboard.press("Enter")
    shows(visit, "green")
    sent = asked.value.post_data_json
    assert isinstance(sent, dict)
    assert (sent["text"], sent["id"], sent["crop"]) == (["green", "2:green", "-blue"], red, [5, 3, 24, 16])
    first = visit.pictures.first
    first.focus()
    visit.page.keyboard.press("+")
    expect(visit.page.locator(".chip.plus")).to_have_count(1)
    assert visit.state()["text"] == ["green + 2:green − blue"]
    visit.pictures.nth(3).click()
    visit.page.wait_for_function("() => !location.hash.includes('text')")
    expect(field(visit.page)).to_have_value("")


def test_what_cannot_be_searched_by_is_said(visit: Visit) -> None:
    visit.go("#/search?text=-red")
    expect(visit.view.get_by_role("alert")).to_contain_text("hits are to be like")
    visit.tab.faults.clear()
    visit.go("#/browse")
    visit.page.keyboard.press("t")
    assert visit.state()["view"] == ["browse"]  # the field is not there yet


def test_a_model_without_words_has_no_field(chrome: Chromium, gallery: Site) -> None:
    with visiting(chrome, gallery) as visit:
        visit.go()
        visit.settled()
        expect(visit.page.locator("form.words")).to_be_hidden()
        visit.page.keyboard.press("t")
        assert visit.page.evaluate("document.activeElement.tagName") != "INPUT"
