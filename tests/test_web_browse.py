"""Looking through a collection: folders, orders, sizes, far jumps; selecting pictures, and what is done with them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from imagekin.collection import Collection
from tests.pixel_collection import indexed
from tests.served import Site, problem, serving, site_of
from tests.visits import SCENES, TAKES, Visit, album, visit_of, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

ALL = SCENES * TAKES


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = album(tmp_path_factory.mktemp("browse") / "photos")
    (root / "wood/deep/deeper").mkdir(parents=True)
    for name in ("wood/scene02-0.jpg", "wood/scene02-1.jpg"):
        shutil.move(root / name, root / "wood/deep/deeper" / Path(name).name)
    return root


everything = indexed("module", "everything")
site = site_of("everything", "module")
visit = visit_of("site")


# -- the outline -------------------------------------------------------------------------------------------------------


def test_an_outline_has_every_item_in_order(site: Site) -> None:
    shown = site.ask("outline").json()
    items = site.ask("items", params={"limit": 1000}).json()["items"]
    assert shown["total"] == ALL
    assert shown["ids"] == [item["id"] for item in items]
    assert shown["aspects"] == [round(100 * item["width"] / item["height"]) for item in items]
    by: dict[str, Callable[[dict[str, Any]], Any]] = {
        "path": lambda item: item["path"],
        "date": lambda item: item["mtime"],
        "pixels": lambda item: item["width"] * item["height"],
        "size": lambda item: item["size"],
        "id": lambda item: item["id"],
    }
    for name, key in by.items():
        up, down = (site.ask("outline", params={"order": order}).json()["ids"] for order in (name, f"-{name}"))
        assert up == [item["id"] for item in sorted(items, key=key)]
        assert [key(site.ask(f"items/{number}").json()) for number in (down[0], down[-1])] == [
            max(map(key, items)),
            min(map(key, items)),
        ]
    labels = site.ask("outline", params={"order": "label"}).json()["ids"]
    assert [items[number - 1]["label"] for number in labels] == sorted(item["label"] for item in items)


def test_an_outline_is_filtered_and_made_anew(tmp_path: Path, photos: Collection, root: Path) -> None:
    photos.index(root / "sea")
    with serving(photos) as site:
        everything = site.ask("outline").json()
        some = site.ask("outline", params={"where": "height > 130"}).json()
        assert 0 < some["total"] < everything["total"]
        assert site.ask("outline", params={"under": str(root / "sea")}).json() == everything
        site.ask(f"items/{everything['ids'][0]}", "DELETE")
        assert site.ask("outline").json()["ids"] == everything["ids"][1:]
        assert "known" in problem(site.ask("outline", params={"where": "nothing == 1"}), 422)
        problem(site.ask("outline", params={"order": "rowid; DROP TABLE item"}), 422)


# -- folders and orders ------------------------------------------------------------------------------------------------


def test_the_tree_leads_into_folders(visit: Visit) -> None:
    visit.go("#/browse")
    expect(visit.view.get_by_role("status").first).to_have_text(f"{ALL} pictures")
    tree = visit.page.get_by_role("tree", name="Folders")
    tree.get_by_text("wood", exact=True).click()
    expect(visit.view.get_by_role("status").first).to_have_text(f"{SCENES // 3 * TAKES} pictures")
    assert visit.state()["under"][0].endswith("/wood")
    tree.get_by_text("deep", exact=True).click()
    expect(visit.pictures).to_have_count(2)
    visit.page.reload()
    expect(visit.pictures).to_have_count(2)
    expect(tree.get_by_role("treeitem", selected=True)).to_have_count(
        0 if tree.get_by_text("deep", exact=True).count() == 0 else 1
    )
    visit.page.go_back()
    expect(visit.view.get_by_role("status").first).to_have_text(f"{SCENES // 3 * TAKES} pictures")


def test_the_tree_by_keys(visit: Visit) -> None:
    visit.go("#/browse")
    tree = visit.page.get_by_role("tree", name="Folders")
    expect(tree.get_by_text("sea", exact=True)).to_be_visible()
    tree.get_by_role("treeitem").first.focus()
    keys = visit.page.keyboard
    for key in ("End", "ArrowRight", "ArrowRight", "Enter"):
        keys.press(key)
        if key == "ArrowRight":
            expect(tree.get_by_text("deep", exact=True)).to_be_visible()
    expect(visit.pictures).to_have_count(2)
    keys.press("ArrowLeft")
    keys.press("ArrowLeft")
    keys.press("ArrowLeft")
    expect(tree.get_by_text("deep", exact=True)).to_be_hidden()
    keys.press("Home")
    keys.press("Enter")
    expect(visit.view.get_by_role("status").first).to_have_text(f"{ALL} pictures")


def test_orders_and_sizes(visit: Visit) -> None:
    visit.go("#/browse")
    order = visit.page.get_by_label("Order")
    expect(visit.pictures.first).to_have_accessible_name(re.compile(r"^scene00-0\.jpg"))
    order.select_option("Added last")
    last = visit.site.ask("outline", params={"order": "-id"}).json()["ids"][0]
    name = visit.site.ask(f"items/{last}").json()["name"]
    visit.until(f"document.querySelector('a.picture')?.ariaLabel?.startsWith('{name}')")
    assert visit.state()["order"] == ["-id"]
    before = visit.pictures.first.bounding_box()
    visit.page.get_by_label("Size of the pictures").press("End")
    after = visit.pictures.first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] > 1.3 * before["height"]


def test_rows_are_justified(visit: Visit) -> None:
    visit.go("#/browse")
    expect(visit.pictures.first).to_be_visible()
    rows = visit.page.evaluate(
        "[...document.querySelectorAll('.row')].slice(0, -1)"
        ".map(row => [...row.children].map(each => each.firstChild.getBoundingClientRect()))"
        ".map(all => ({left: all[0].left, right: all.at(-1).right, heights: all.map(each => each.height)}))"
    )
    assert len(rows) > 3
    for row in rows:
        assert row["left"] == pytest.approx(rows[0]["left"], abs=0.6)
        assert row["right"] == pytest.approx(rows[0]["right"], abs=1.5)
        assert max(row["heights"]) - min(row["heights"]) < 0.6
        assert 100 < row["heights"][0] < 300


def test_keys_go_from_picture_to_picture(visit: Visit) -> None:
    visit.go("#/browse")
    visit.pictures.first.focus()
    focused = "document.activeElement.closest('.tile').tile.index"
    keys = visit.page.keyboard
    keys.press("ArrowRight")
    assert visit.page.evaluate(focused) == 1
    keys.press("ArrowDown")
    below = visit.page.evaluate(focused)
    assert below > 1
    keys.press("ArrowUp")
    assert abs(visit.page.evaluate(focused) - 1) <= 1
    keys.press("Control+End")
    assert visit.page.evaluate(focused) == ALL - 1
    visit.until("document.activeElement.getBoundingClientRect().bottom <= innerHeight")
    keys.press("Home")
    keys.press("Control+Home")
    assert visit.page.evaluate(focused) == 0
    visit.until("document.activeElement?.ariaLabel?.startsWith('scene00-0')")
    keys.press("Enter")
    visit.page.wait_for_url("**#/search?id=*")


# -- selecting ---------------------------------------------------------------------------------------------------------


def test_selecting_by_mouse(visit: Visit) -> None:
    visit.go("#/browse")
    toolbar = visit.page.get_by_role("toolbar", name="Selected pictures")
    expect(toolbar).to_be_hidden()
    visit.pictures.nth(1).click(modifiers=["Control"])
    expect(toolbar).to_contain_text("1 picture selected")
    visit.pictures.nth(4).click(modifiers=["Shift"])
    expect(toolbar).to_contain_text("4 pictures selected")
    visit.pictures.nth(2).click()
    expect(toolbar).to_contain_text("3 pictures selected")
    selected = visit.view.locator("[role=gridcell][aria-selected=true]")
    expect(selected).to_have_count(3)
    visit.page.keyboard.press("Escape")
    expect(toolbar).to_be_hidden()
    visit.pictures.nth(3).hover()
    visit.view.get_by_role("button", name=re.compile("^Select ")).click()
    expect(toolbar).to_contain_text("1 picture selected")
    toolbar.get_by_role("button", name="Search by these").click()
    visit.page.wait_for_url("**#/search?id=*")
    expect(toolbar).to_be_hidden()


def test_selecting_by_keys_and_searching_by_several(visit: Visit) -> None:
    visit.go("#/browse")
    visit.pictures.first.focus()
    keys = visit.page.keyboard
    keys.press("Space")
    keys.press("Shift+ArrowRight")
    keys.press("Shift+ArrowRight")
    toolbar = visit.page.get_by_role("toolbar", name="Selected pictures")
    expect(toolbar).to_contain_text("3 pictures selected")
    expect(visit.page.locator("#said")).to_contain_text("3 selected")
    keys.press("Control+a")
    expect(toolbar).to_contain_text(f"{ALL} pictures selected")
    keys.press("Escape")
    keys.press("Space")
    keys.press("Shift+ArrowRight")
    toolbar.get_by_role("button", name="Search by these").click()
    visit.page.wait_for_url("**plus=*")
    expect(visit.page.locator(".chip.plus")).to_have_count(2)


def test_removing_takes_pictures_out_of_the_collection_only(chrome: Chromium, root: Path, photos: Collection) -> None:
    photos.index(root / "sea")
    count = len(photos)
    with serving(photos) as site, visiting(chrome, site) as visit:
        visit.go("#/browse")
        for number in (0, 1):
            visit.pictures.nth(number).click(modifiers=["Control"])
        names = visit.names(2)
        toolbar = visit.page.get_by_role("toolbar", name="Selected pictures")
        toolbar.get_by_role("button", name="Remove…").click()
        sure = visit.page.get_by_role("dialog", name="Remove")
        expect(sure.get_by_role("button", name="Keep")).to_be_focused()
        sure.get_by_role("button", name="Keep").click()
        assert len(photos) == count
        toolbar.get_by_role("button", name="Remove…").click()
        sure.get_by_role("button", name="Remove").click()
        expect(visit.page.get_by_text("2 pictures taken out of the collection")).to_be_visible()
        expect(visit.view.get_by_role("status").first).to_have_text(f"{count - 2} pictures")
        assert not {*names} & {*visit.names()}
        assert len(photos) == count - 2
        assert all((root / "sea" / name).exists() for name in names)


def test_a_long_touch_selects_and_a_tap_searches(chrome: Chromium, site: Site) -> None:
    with visiting(chrome, site, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True) as visit:
        visit.go("#/browse")
        box = visit.pictures.nth(1).bounding_box()
        assert box is not None
        touch = visit.page.context.new_cdp_session(visit.page)
        at = [{"x": box["x"] + 30, "y": box["y"] + 30}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
        toolbar = visit.page.get_by_role("toolbar", name="Selected pictures")
        expect(toolbar).to_contain_text("1 picture selected")
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        visit.pictures.nth(2).tap()
        expect(toolbar).to_contain_text("2 pictures selected")
        toolbar.get_by_role("button", name="Select none").tap()
        visit.pictures.nth(2).tap()
        visit.page.wait_for_url("**#/search?id=*")
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
