"""What is added to a query on the page: a region of the picture, more like this and less like that, filters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.served import Site
from tests.visits import SCENES, TAKES, Visit, answered, found, kin, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

ALL = SCENES * TAKES


# -- a region ----------------------------------------------------------------------------------------------------------


def test_a_box_is_drawn_on_the_picture(visit: Visit, photographs: Path) -> None:
    visit.go("#/search?id=1")
    answered(visit)
    area = visit.page.locator(".area")
    visit.until("document.querySelector('.area img').naturalWidth > 0")
    box = area.bounding_box()
    assert box is not None
    mouse = visit.page.mouse
    mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.8 * box["height"])
    with visit.page.expect_response("**/search") as asked:
        mouse.up()
    wanted = [float(each) for each in visit.state()["region"][0].split(",")]
    assert wanted == pytest.approx([0.1, 0.2, 0.5, 0.6], abs=0.02)
    whole = visit.site.ask("items/1").json()
    sides = [whole["width"], whole["height"]] * 2
    crop = [round(share * side) for share, side in zip(wanted, sides, strict=True)]
    said = visit.site.search(id=1, crop=crop, k=60).json()["results"]
    assert asked.value.json()["results"] == said
    assert whole["name"] not in visit.names()
    region = visit.page.locator(".region:visible")
    expect(region).to_have_accessible_name(re.compile("Region: 50 by 60 per cent"))
    visit.page.get_by_role("button", name="Search by the whole picture").click()
    expect(region).to_have_count(0)
    assert "region" not in visit.state()


def test_a_box_by_touch(chrome: Chromium, gallery: Site) -> None:
    phone = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
    with visiting(chrome, gallery, **phone) as visit:
        visit.go("#/search?id=1")
        visit.until("document.querySelector('.area img').naturalWidth > 0")
        box = visit.page.locator(".area").bounding_box()
        assert box is not None
        touch = visit.page.context.new_cdp_session(visit.page)
        for kind, share in (("touchStart", 0.2), ("touchMove", 0.5), ("touchMove", 0.7), ("touchEnd", None)):
            at = (
                [] if share is None else [{"x": box["x"] + share * box["width"], "y": box["y"] + share * box["height"]}]
            )
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
        visit.page.wait_for_url("**region=*")
        wanted = [float(each) for each in visit.state()["region"][0].split(",")]
        assert wanted == pytest.approx([0.2, 0.2, 0.5, 0.5], abs=0.03)
        assert visit.page.evaluate("scrollY") == 0


def test_a_box_by_keys_alone(visit: Visit) -> None:
    visit.go("#/search?id=2")
    answered(visit)
    visit.page.get_by_role("button", name="Region").focus()
    keys = visit.page.keyboard
    keys.press("Enter")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowLeft", "Enter"):
        keys.press(key)
    visit.page.wait_for_url("**region=*")
    assert visit.state()["region"] == ["0.27,0.29,0.48,0.5"]
    visit.page.reload()
    region = visit.page.locator(".region:visible")
    region.focus()
    keys.press("Delete")
    expect(region).to_have_count(0)


# -- more like, less like ----------------------------------------------------------------------------------------------


def test_plus_and_minus(visit: Visit) -> None:
    visit.go("#/search?id=1")
    answered(visit)
    other = visit.picture("scene20").first
    name = other.get_attribute("aria-label") or ""
    other.scroll_into_view_if_needed()
    other.hover()
    visit.view.get_by_role("button", name=f"More like {name.partition(',')[0]}").click()
    chip = visit.page.locator(".chip.plus")
    expect(chip.get_by_role("img")).to_have_attribute("alt", name.partition(",")[0])
    found(visit, kin(0, without=0) | kin(20, without=int(name.partition(".")[0][-1])))
    first = visit.pictures.first
    first.focus()
    visit.page.keyboard.press("-")
    expect(visit.page.locator(".chip.minus")).to_have_count(1)
    assert len(visit.state()["minus"]) == 1
    chip.get_by_role("button").click()
    expect(chip).to_have_count(0)
    assert "plus" not in visit.state()


def test_a_picture_is_dragged_to_the_query(visit: Visit) -> None:
    visit.go("#/search?id=1")
    answered(visit)
    visit.settled()
    visit.pictures.nth(1).drag_to(visit.page.locator(".query"))
    expect(visit.page.locator(".chip.plus")).to_have_count(1)


# -- filters -----------------------------------------------------------------------------------------------------------


def test_filters_act_inside_the_search(visit: Visit) -> None:
    visit.go("#/search?id=1")
    visit.page.get_by_role("button", name="Filters").click()
    visit.page.get_by_label("Label", exact=True).fill("wood")
    visit.page.get_by_label("At most, pictures").fill("9")
    visit.page.get_by_label("At most, pictures").press("Enter")
    visit.page.wait_for_url("**k=9*")
    expect(visit.pictures).to_have_count(9)
    assert all(", wood" in (each.get_attribute("aria-label") or "") for each in visit.pictures.all())
    visit.page.get_by_role("button", name="Without label wood").click()
    visit.until("document.querySelector('a.picture')?.ariaLabel?.includes(', sea')")
    expect(visit.pictures).to_have_count(9)
    visit.page.reload()
    expect(visit.pictures).to_have_count(9)


def test_the_least_similarity_and_what_is_said_when_nothing_fits(visit: Visit) -> None:
    visit.go("#/search?id=1")
    visit.page.get_by_role("button", name="Filters").click()
    slider = visit.page.get_by_label("At least this similar")
    slider.focus()
    slider.press("End")
    visit.page.wait_for_url("**near=100*")
    expect(visit.view.get_by_text("No picture fits these filters.")).to_be_visible()
    visit.page.get_by_role("button", name="Search without filters").click()
    expect(visit.pictures.first).to_be_visible()
    assert list(visit.state()) == ["view", "id"]


def test_size_date_and_expression(visit: Visit) -> None:
    visit.go("#/search")
    visit.page.get_by_role("button", name="Filters").click()
    visit.page.get_by_label("Expression").fill("height > 130")
    visit.page.get_by_label("Expression").press("Enter")
    tall = sum(scene % 4 == 0 for scene in range(SCENES)) * TAKES
    visit.until("[...document.querySelectorAll('.tile')].every(each => each.tile.item.height > each.tile.item.width)")
    visit.pictures.first.focus()
    visit.page.keyboard.press("Control+End")
    visit.until(f"document.activeElement.closest('.tile')?.tile.index === {tall - 1}")
    visit.page.get_by_label("until", exact=True).fill("2001-01-01")
    visit.page.get_by_label("until", exact=True).press("Tab")
    expect(visit.view.get_by_text("No picture fits these filters.")).to_be_visible()
    visit.page.get_by_role("button", name="Clear", exact=True).click()
    visit.page.get_by_label("Longer side").select_option("640 pixels or more")
    expect(visit.view.get_by_text("No picture fits these filters.")).to_be_visible()
    visit.page.get_by_role("button", name="Search without filters").click()
    visit.page.get_by_label("Expression").fill("widht < 3")
    visit.page.get_by_label("Expression").press("Enter")
    expect(visit.view.get_by_role("alert")).to_contain_text("'width'")
    expect(visit.page.get_by_label("Expression")).to_have_attribute("aria-invalid", "true")
    visit.tab.faults.clear()


def test_only_in_a_folder(visit: Visit) -> None:
    visit.go("#/search?id=2")
    visit.page.get_by_role("button", name="Filters").click()
    visit.page.get_by_role("button", name="Choose…").click()
    tree = visit.page.get_by_role("dialog", name="Folder").get_by_role("tree")
    tree.get_by_role("treeitem", name=re.compile("^town,")).locator(".line").first.click()
    visit.page.wait_for_url("**under=*")
    visit.until("[...document.querySelectorAll('a.picture')].every(each => each.title.includes('/town/'))")
    assert visit.state()["under"][0].endswith("/photos/town")
