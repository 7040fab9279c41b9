"""Tags on the server's page, used by hand: given, looked at, proposed, accepted, refused, renamed, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import imagekin
from tests import sorts
from tests.served import Site, serving
from tests.web_pages import Opener, until

EACH = 20


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with imagekin.open(tmp_path / "collection", model="pixels") as photos:
        photos.index(sorts.save(tmp_path / "pictures", EACH), label_from="parent")
        with serving(photos) as running:
            yield running


def ids(site: Site, label: str) -> list[int]:
    return [item["id"] for item in site.ask("items", params={"label": label, "limit": 100}).json()["items"]]


def tagged(site: Site, tag: str) -> set[int]:
    return {item["id"] for item in site.ask("items", params={"tag": tag, "limit": 100}).json()["items"]}


def give(site: Site, tag: str, some: list[int]) -> None:
    assert site.ask("tags", "POST", json={"ids": some, "add": [tag]}).json()["changed"] == len(some)


def proposals(page: Page) -> Locator:
    return page.get_by_role("grid", name="Proposed pictures").locator("a.picture")


def test_pictures_that_are_selected_get_a_name_and_others_are_proposed(site: Site, opened: Opener) -> None:
    page = opened(site, "#/browse?label=green")
    first = page.locator(".tile a.picture")
    expect(first).to_have_count(EACH)
    for at in range(3):
        first.nth(at).click(modifiers=["Control"])
    page.get_by_role("button", name="Tag…").click()
    dialog = page.get_by_role("dialog", name="Tag")
    dialog.get_by_label("Name").fill("meadow")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("3 pictures newly tagged meadow.")
    expect(dialog.locator(".chip")).to_contain_text("meadow")
    expect(page.locator(".tile .label").filter(has_text="#meadow")).to_have_count(3)
    dialog.get_by_role("button", name="Look for more like these").click()
    expect(page.get_by_role("heading", name="meadow")).to_be_visible()
    expect(page.locator(".tag-list a[aria-current]")).to_have_text("meadow3")
    expect(proposals(page).first).to_be_visible()
    green = set(ids(site, "green"))
    told = page.evaluate("[...document.querySelectorAll('.proposals .tile')].slice(0, 10).map((each) => each.tile.id)")
    assert set(told) <= green - tagged(site, "meadow")
    expect(page.locator(".answer b").first).to_contain_text(" %")


def test_a_accepts_and_r_refuses_what_has_the_keys_and_undo_takes_it_back(site: Site, opened: Opener) -> None:
    green = ids(site, "green")
    give(site, "meadow", green[:4])
    page = opened(site, "#/tags?tag=meadow")
    expect(proposals(page).first).to_be_visible()
    proposals(page).first.focus()
    at = "document.activeElement.closest('.tile').tile.id"
    first = page.evaluate(at)
    page.keyboard.press("a")
    until(page, f"{at} !== {first}")
    second = page.evaluate(at)
    page.keyboard.press("r")
    until(page, f"{at} !== {second}")
    expect(page.locator(".tag-list a")).to_have_text("meadow5")
    assert tagged(site, "meadow") == {*green[:4], first}
    page.reload()
    expect(proposals(page).first).to_be_visible()
    page.locator(".answer .refuse").first.click()
    page.get_by_role("button", name="Undo").click()
    page.locator(".answer .accept").first.click()
    expect(page.locator(".tag-list a")).to_have_text("meadow6")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tag-list a")).to_have_text("meadow5")
    assert tagged(site, "meadow") == {*green[:4], first}


def test_what_is_refused_is_not_proposed_again(site: Site, opened: Opener) -> None:
    give(site, "sea", ids(site, "blue")[:5])
    page = opened(site, "#/tags?tag=sea")
    expect(proposals(page).first).to_be_visible()
    proposals(page).first.focus()
    first = page.evaluate("document.activeElement.closest('.tile').tile.id")
    page.keyboard.press("R")
    page.goto(f"{site.url}/#/map")
    page.go_back()
    expect(proposals(page).first).to_be_visible()
    shown = page.evaluate("[...document.querySelectorAll('.proposals .tile')].map((each) => each.tile.id)")
    assert first not in shown


def test_all_above_a_confidence_are_accepted_at_once(site: Site, opened: Opener) -> None:
    blue = ids(site, "blue")
    give(site, "sea", blue[:8])
    page = opened(site, "#/tags?tag=sea")
    expect(proposals(page).first).to_be_visible()
    sure = page.locator("#sure")
    sure.focus()
    page.keyboard.press("Home")
    expect(page.locator(".proposal-tools output")).to_have_text("50 %")
    accept = page.get_by_role("button", name="Accept all")
    number = int(accept.inner_text().split()[-1])
    assert 0 < number <= EACH - 8 + 4
    expect(page.locator(".proposals .tile.also")).to_have_count(number)
    accept.click()
    expect(page.locator(".tag-list a")).to_have_text(f"sea{8 + number}")
    assert len(tagged(site, "sea")) == 8 + number
    assert len(tagged(site, "sea") & set(blue)) >= 8 + 0.8 * number


def test_tags_are_renamed_merged_selected_and_deleted(site: Site, opened: Opener) -> None:
    give(site, "beech", ids(site, "red")[:3])
    give(site, "beach", ids(site, "blue")[:4])
    hostile = "<img src=x onerror=alert(1)>"
    give(site, hostile, ids(site, "green")[:1])
    page = opened(site, "#/tags")
    expect(page.locator(".tag-list a")).to_have_text(["beach4", "beech3", f"{hostile}1"])
    page.get_by_role("link", name="beech").click()
    page.get_by_role("button", name="Rename…").click()
    page.get_by_label("New name").fill("beach")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("there is a tag 'beach' already, which 4 pictures have")
    page.get_by_label("Make the two one").check()
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.locator(".tag-list a")).to_have_text(["beach7", f"{hostile}1"])
    expect(page.get_by_role("heading", name="beach")).to_be_visible()
    page.get_by_role("button", name="Select them").click()
    expect(page.locator(".dock strong")).to_have_text("7 pictures selected")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".tag-list a")).to_have_text([f"{hostile}1"])
    assert tagged(site, "beach") == set()
    assert len(ids(site, "blue")) == EACH


def test_a_tag_is_taken_from_selected_pictures_in_the_dialog(site: Site, opened: Opener) -> None:
    red = ids(site, "red")
    give(site, "rose", red[:2])
    page = opened(site, "#/tags?tag=rose")
    page.get_by_role("button", name="Select them").click()
    page.locator(".dock").get_by_role("button", name="Tag…").click()
    dialog = page.get_by_role("dialog", name="Tag")
    dialog.get_by_label("Name").fill("x" * 100)
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("2 pictures newly tagged")
    dialog.get_by_role("button", name="Take the tag rose from them").click()
    expect(dialog).to_contain_text("rose taken from 2 pictures.")
    assert tagged(site, "rose") == set()
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Tag…")).to_be_focused()


def test_a_phone_has_room_for_it(site: Site, opened: Opener) -> None:
    give(site, "rose", ids(site, "red")[:3])
    page = opened(site, "#/tags?tag=rose", width=390, height=800, touch=True)
    expect(proposals(page).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".answer .accept").first.tap()
    expect(page.locator(".tag-list a")).to_have_text("rose4")
