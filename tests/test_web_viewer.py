"""Looking at one picture: its facts, query and hit side by side, where they agree, from one to the next."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.visits import Visit, name_of

if TYPE_CHECKING:
    pass


def viewer(visit: Visit) -> Locator:
    return visit.page.get_by_role("dialog", name="Picture")


def heats(visit: Visit) -> Any:
    """Where each heat map lies within its picture, as shares, and how much of it is painted."""
    return visit.page.evaluate(
        """[...document.querySelectorAll('canvas.heat')].filter(each => !each.hidden).map(each => {
            const inner = each.getBoundingClientRect();
            const outer = each.parentElement.querySelector('img').getBoundingClientRect();
            const data = each.getContext('2d').getImageData(0, 0, each.width, each.height).data;
            let painted = 0;
            for (let at = 3; at < data.length; at += 4) painted += data[at] > 60;
            return {box: [(inner.left - outer.left) / outer.width, (inner.top - outer.top) / outer.height,
                          inner.width / outer.width, inner.height / outer.height], painted: 4 * painted / data.length};
        })"""
    )


def test_query_and_hit_side_by_side_and_where_they_agree(visit: Visit) -> None:
    visit.go("#/search?id=1")
    visit.pictures.nth(1).hover()
    name = visit.names(2)[1]
    visit.view.get_by_role("button", name=f"Look at {name}").click()
    dialog = viewer(visit)
    expect(dialog.get_by_role("heading", name=name)).to_be_visible()
    expect(dialog.get_by_alt_text("What is searched by")).to_be_visible()
    expect(dialog.get_by_role("definition").first).to_have_text(re.compile(r"^\d+\.\d %$"))
    with visit.page.expect_response("**/compare") as asked:
        visit.page.keyboard.press("h")
    expect(dialog.get_by_role("button", name="Where they agree")).to_have_attribute("aria-pressed", "true")
    expect(dialog.get_by_text("They agree most")).to_be_visible()
    found = asked.value.json()
    shown = heats(visit)
    assert len(shown) == 2
    for each, key in zip(shown, ("query", "hit"), strict=True):
        assert each["box"] == pytest.approx(found[key]["box"], abs=0.02)
        assert 0.02 < each["painted"] < 1
        assert sum(map(sum, found[key]["values"])) == pytest.approx(found["similarity"], abs=1e-3)
    visit.page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading", name=visit.names(3)[2])).to_be_visible()
    expect(dialog.get_by_text("They agree most")).to_be_visible()
    visit.page.keyboard.press("h")
    visit.until("[...document.querySelectorAll('canvas.heat')].every(each => each.hidden)")


def test_closing_leads_back_to_where_one_was(visit: Visit) -> None:
    visit.go("#/search?id=1")
    visit.pictures.nth(2).focus()
    visit.page.keyboard.press("o")
    dialog = viewer(visit)
    expect(dialog).to_be_visible()
    shown = visit.state()["open"]
    visit.page.keyboard.press("ArrowRight")
    visit.until(f"!location.hash.includes('open={shown[0]}&') && !location.hash.endsWith('open={shown[0]}')")
    visit.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    visit.until("!location.hash.includes('open')")
    visit.until("document.activeElement.matches('a.picture')")
    visit.page.go_forward()
    expect(dialog).to_be_visible()
    visit.page.reload()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_a_picture_that_was_given_beside_a_hit_and_a_region_of_it(visit: Visit, photographs: Path) -> None:
    visit.go()
    with visit.page.expect_file_chooser() as choosing:
        visit.page.get_by_role("button", name="Choose a picture").click()
    choosing.value.set_files(photographs / name_of(6, 0))
    visit.page.wait_for_url("**image=*")
    visit.page.evaluate("location.hash += '&region=0.1,0.1,0.6,0.6'")
    expect(visit.page.locator(".region:visible")).to_have_count(1)
    visit.pictures.first.focus()
    visit.page.keyboard.press("o")
    dialog = viewer(visit)
    expect(dialog.get_by_alt_text("What is searched by")).to_be_visible()
    expect(dialog.locator(".region.still")).to_be_visible()
    dialog.get_by_role("button", name="Where they agree").click()
    expect(dialog.get_by_text("They agree most")).to_be_visible()
    visit.until("[...document.querySelectorAll('canvas.heat')].every(each => !each.hidden)")
    area, heat = (
        visit.page.evaluate(
            "(box => [box.left, box.top, box.right, box.bottom])"
            f"(document.querySelector('{each}').getBoundingClientRect())"
        )
        for each in (".region.still", ".pane canvas.heat")
    )
    assert heat[0] >= area[0] - 2
    assert heat[1] >= area[1] - 2
    assert heat[2] <= area[2] + 2
    assert heat[3] <= area[3] + 2


def test_without_a_query_a_picture_stands_alone_with_its_facts(visit: Visit) -> None:
    visit.go("#/browse")
    visit.pictures.first.focus()
    visit.page.keyboard.press("o")
    dialog = viewer(visit)
    item = visit.site.ask(f"items/{visit.state()['open'][0]}").json()
    for words in (item["path"], item["label"], f"{item['width']} × {item['height']}"):
        expect(dialog.get_by_role("definition").filter(has_text=words).first).to_be_visible()
    expect(dialog.get_by_role("button", name="Where they agree")).to_be_hidden()
    with visit.page.expect_download() as saving:
        dialog.get_by_role("link", name="The file").click()
    assert saving.value.suggested_filename == item["name"]
    assert saving.value.path().read_bytes() == Path(item["path"]).read_bytes()
    dialog.get_by_role("button", name="Search by this").click()
    expect(dialog).to_be_hidden()
    assert visit.state()["id"] == [str(item["id"])]


def test_a_server_that_cannot_tell_says_so(visit: Visit) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(
            status=422, content_type="application/problem+json", body='{"detail": "this model has no places."}'
        )

    visit.page.route("**/compare", refuse)
    visit.go("#/search?id=1&open=5")
    dialog = viewer(visit)
    dialog.get_by_role("button", name="Where they agree").click()
    expect(dialog.get_by_text("this model has no places.")).to_be_visible()
    visit.tab.faults.clear()


def test_an_item_that_is_no_more(visit: Visit) -> None:
    visit.go("#/browse?open=99999")
    expect(visit.page.get_by_role("alert")).to_contain_text("no item 99999")
    expect(viewer(visit)).to_be_hidden()
    assert "open" not in visit.state()
    visit.tab.faults.clear()
