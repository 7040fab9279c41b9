"""Duplicates on the server's page, used by hand: looked for, another one kept, a plan read, done, and taken back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import imagekin
from tests.photographs import photograph, save
from tests.served import Site, serving
from tests.web_pages import Opener, until


@dataclass
class Folder:
    """A site, and the folder that its pictures are in."""

    site: Site
    root: Path

    def names(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Folder]:
    """Two exact copies of a picture, a smaller one of another, and two that are alone."""
    root = tmp_path / "pictures"
    first = save(root / "first.jpg", photograph(1))
    shutil.copy2(first, root / "second.jpg")
    save(root / "large.jpg", photograph(2))
    save(root / "small.jpg", photograph(2).resize((180, 120)), quality=80)
    for seed in (3, 4):
        save(root / f"alone {seed}.jpg", photograph(seed))
    with imagekin.open(tmp_path / "collection", model="pixels") as photos:
        photos.index(root)
        with serving(photos, set_aside=str(tmp_path / "aside")) as site:
            yield Folder(site, root)


def looked(page: Page) -> None:
    """Have duplicates looked for."""
    page.get_by_role("button", name="Look for duplicates").click()
    expect(page.locator(".duplicate-group")).to_have_count(2)


def group_of(page: Page, name: str) -> Locator:
    return page.locator(".duplicate-group").filter(has_text=name)


def test_groups_say_what_is_kept_and_why(copies: Folder, opened: Opener) -> None:
    page = opened(copies.site, "#/duplicates")
    expect(page.get_by_role("heading", name="Duplicates have not been looked for yet")).to_be_visible()
    looked(page)
    expect(page.get_by_role("heading", name="2 groups of duplicates")).to_be_visible()
    smaller = group_of(page, "small.jpg")
    expect(smaller.locator(".member.kept")).to_contain_text("large.jpg")
    expect(smaller.locator("header")).to_contain_text("Kept: ")
    expect(smaller).to_contain_text("saved anew or edited")
    expect(group_of(page, "second.jpg")).to_contain_text("the same bytes")
    until(page, "[...document.querySelectorAll('.member img')].every((each) => each.naturalWidth > 0)")
    smaller.get_by_role("button", name="Look at small.jpg").click()
    until(page, "location.hash.includes('open=')")


def test_nothing_happens_before_the_plan_is_agreed_to_and_it_can_be_undone(copies: Folder, opened: Opener) -> None:
    before = copies.names()
    page = opened(copies.site, "#/duplicates")
    looked(page)
    page.get_by_label("What to do", exact=True).select_option("delete")
    page.get_by_role("button", name="See what would happen").click()
    plan = page.get_by_role("dialog", name="What would happen")
    expect(plan.locator("tbody tr")).to_have_count(1)
    expect(plan).to_contain_text("Nothing has been touched yet.")
    plan.get_by_role("button", name="Do nothing").click()
    expect(plan).to_have_count(0)
    assert copies.names() == before
    page.get_by_role("button", name="See what would happen").click()
    page.get_by_role("button", name="Delete them: 1 file").click()
    expect(page.locator("#notices")).to_contain_text("1 file done")
    expect(page.locator(".duplicate-group")).to_have_count(1)
    gone = before - copies.names()
    assert len(gone) == 1
    assert gone <= {"first.jpg", "second.jpg"}
    page.locator("#notices").get_by_role("button", name="Undo").click()
    expect(page.locator("#notices")).to_contain_text("1 file brought back")
    assert before <= copies.names()
    page.reload()
    page.get_by_text("Done before: 1 time").click()
    expect(page.locator(".logs")).to_contain_text("nothing left to undo")


def test_another_picture_can_be_kept_in_a_group_that_is_ticked(copies: Folder, opened: Opener) -> None:
    page = opened(copies.site, "#/duplicates")
    looked(page)
    smaller = group_of(page, "small.jpg")
    smaller.get_by_label("Keep small.jpg").check()
    expect(smaller.locator(".member.kept")).to_contain_text("small.jpg")
    expect(smaller.locator("header")).to_contain_text("You chose which one is kept.")
    smaller.get_by_role("checkbox").check()
    page.get_by_label("What to do", exact=True).select_option("move")
    expect(page.get_by_label("Which groups")).to_have_value("ticked")
    page.get_by_role("button", name="See what would happen").click()
    plan = page.get_by_role("dialog", name="What would happen")
    expect(plan.locator("tbody tr")).to_have_count(1)
    expect(plan.locator("tbody td").first).to_contain_text("large.jpg")
    plan.get_by_role("button", name="Set them aside: 1 file").click()
    expect(page.locator("#notices")).to_contain_text("1 file done")
    assert "large.jpg" not in copies.names()
    assert {"small.jpg", "first.jpg", "second.jpg"} <= copies.names()
    page.get_by_text("Done before: 1 time").click()
    page.locator(".logs").get_by_role("button", name="Undo").click()
    expect(page.locator("#notices")).to_contain_text("1 file brought back")
    assert "large.jpg" in copies.names()


def test_hard_links_are_for_exact_copies_only(copies: Folder, opened: Opener) -> None:
    page = opened(copies.site, "#/duplicates")
    looked(page)
    page.get_by_label("Which kinds").select_option("")
    page.get_by_label("What to do", exact=True).select_option("hardlink")
    expect(page.get_by_label("Which kinds")).to_be_disabled()
    expect(page.get_by_label("Which kinds")).to_have_value("exact")
    page.get_by_role("button", name="See what would happen").click()
    page.get_by_role("button", name="Make them one file: 1 file").click()
    expect(page.locator("#notices")).to_contain_text("1 file done")
    assert (copies.root / "first.jpg").samefile(copies.root / "second.jpg")
    expect(group_of(page, "second.jpg")).to_contain_text("already one file")


@pytest.fixture
def still(copies: Folder) -> Iterator[Site]:
    """A site of the same collection that may only be looked at."""
    copies.site.ask("tags", "POST", json={"ids": [1], "add": ["seen"]})
    with serving(copies.site.served.collection, read_only=True) as site:
        yield site


def test_a_server_to_look_at_offers_nothing_that_changes(still: Site, opened: Opener) -> None:
    page = opened(still, "#/duplicates")
    looked(page)
    expect(group_of(page, "small.jpg").locator(".member.kept")).to_contain_text("large.jpg")
    expect(page.get_by_role("button", name="See what would happen")).to_have_count(0)
    page.goto(f"{still.url}/#/tags?tag=seen")
    expect(page.get_by_role("heading", name="seen")).to_be_visible()
    for name in ("Rename…", "Delete…", "Accept"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_a_phone_has_room_for_it_and_keys_reach_it(copies: Folder, opened: Opener) -> None:
    page = opened(copies.site, "#/duplicates", width=390, height=800)
    looked(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    smaller = group_of(page, "small.jpg")
    smaller.get_by_label("Keep large.jpg").focus()
    page.keyboard.press("ArrowRight")
    expect(smaller.get_by_label("Keep small.jpg")).to_be_focused()
    expect(smaller.locator(".member.kept")).to_contain_text("small.jpg")
