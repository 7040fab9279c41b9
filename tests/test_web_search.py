"""Finding pictures on the page as a person does: by any picture, by a region of it, by more and less, with filters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, expect

import imagekin
from tests.served import Site, serving
from tests.visits import SCENES, TAKES, Visit, name_of, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

ALL = SCENES * TAKES


def base(scene: int, take: int) -> str:
    return name_of(scene, take).partition("/")[2]


def kin(scene: int, without: int | None = None) -> set[str]:
    """The names of all takes of a scene."""
    return {base(scene, take) for take in range(TAKES) if take != without}


def answered(visit: Visit) -> None:
    """Wait until there is an answer."""
    expect(visit.view.get_by_role("status").first).to_contain_text("nearest first")


def found(visit: Visit, names: set[str]) -> None:
    """Wait until these are the nearest."""
    visit.until(
        f"JSON.stringify([...document.querySelectorAll('main > section:not([hidden]) a.picture[href]')]"
        f".slice(0, {len(names)}).map(each => each.ariaLabel.split(',')[0]).sort())"
        f" === {json.dumps(json.dumps(sorted(names), separators=(',', ':')))}"
    )
    answered(visit)


# -- what is searched by -----------------------------------------------------------------------------------------------


def clicked(visit: Visit, picture: Locator) -> tuple[int, int]:
    """Click a picture; its scene and take."""
    name = (picture.get_attribute("aria-label") or "").partition(",")[0]
    picture.click()
    expect(visit.page.get_by_alt_text(f"{name}, which is searched by")).to_be_visible()
    return int(name[5:7]), int(name[8])


def test_a_click_searches_and_back_and_reload_work(visit: Visit) -> None:
    visit.go()
    expect(visit.page.get_by_role("heading", level=2)).to_contain_text("look like this one")
    visit.settled()
    shown = visit.names(8)
    visit.page.reload()
    visit.settled()
    assert visit.names(8) == shown  # by chance, but not by another one
    scene, take = clicked(visit, visit.pictures.nth(3))
    found(visit, kin(scene, without=take))
    assert list(visit.state()) == ["view", "id"]
    assert re.search(r"^\d+\.\d %", visit.view.locator(".tile").first.inner_text())
    other = clicked(visit, visit.pictures.first)
    assert other[0] == scene
    found(visit, kin(scene, without=other[1]))
    visit.page.go_back()
    found(visit, kin(scene, without=take))
    visit.page.reload()
    found(visit, kin(scene, without=take))
    visit.page.go_back()
    expect(visit.page.get_by_role("heading", level=2)).to_be_visible()
    visit.settled()
    assert visit.names(8) == shown


def test_a_file_is_chosen_and_kept_for_reload_and_back(visit: Visit, photographs: Path) -> None:
    visit.go()
    with visit.page.expect_file_chooser() as choosing:
        visit.page.get_by_role("button", name="Choose a picture").click()
    choosing.value.set_files(photographs / name_of(7, 0))
    found(visit, kin(7))
    assert list(visit.state()) == ["view", "image"]
    visit.page.reload()
    found(visit, kin(7))
    expect(visit.page.get_by_alt_text("Your picture, which is searched by")).to_be_visible()
    with visit.page.expect_file_chooser() as choosing:
        visit.page.keyboard.press("/")
    choosing.value.set_files(photographs / name_of(9, 0))
    found(visit, kin(9))
    visit.page.go_back()
    found(visit, kin(7))


def test_a_link_to_somebody_elses_picture_says_so(visit: Visit) -> None:
    visit.go("#/search?image=abc")
    expect(visit.page.get_by_role("alert").first).to_contain_text("give it once more")


def test_a_picture_is_pasted(chrome: Chromium, gallery: Site) -> None:
    with visiting(chrome, gallery, permissions=["clipboard-read", "clipboard-write"]) as visit:
        visit.go()
        visit.settled()
        copied = visit.page.evaluate(
            """async () => {
                const image = document.querySelector('a.picture img.here');
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
                canvas.getContext('2d').drawImage(image, 0, 0);
                const blob = await new Promise(done => canvas.toBlob(done, 'image/png'));
                await navigator.clipboard.write([new ClipboardItem({'image/png': blob})]);
                return image.closest('a').ariaLabel;
            }"""
        )
        visit.page.keyboard.press("Control+V")
        found(visit, kin(int(copied[5:7])))


def drop(visit: Visit, data: bytes, name: str, kind: str) -> None:
    """Let a file fall onto the page."""
    transfer = visit.page.evaluate_handle(
        """([bytes, name, type]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name, {type}));
            return transfer;
        }""",
        [list(data), name, kind],
    )
    visit.page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    expect(visit.page.get_by_text("Drop the picture to search by it")).to_be_visible()
    visit.page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(visit.page.get_by_text("Drop the picture to search by it")).to_be_hidden()


def test_a_picture_is_dropped_anywhere(visit: Visit, photographs: Path) -> None:
    visit.go("#/browse")
    drop(visit, (photographs / name_of(5, 1)).read_bytes(), "<b>mine</b>.jpg", "image/jpeg")
    found(visit, kin(5))
    expect(visit.page.locator(".asked .name")).to_have_text("<b>mine</b>.jpg")
    drop(visit, b"%PDF-", "paper.pdf", "application/pdf")
    expect(visit.page.get_by_role("alert").filter(has_text="That is no picture")).to_be_visible()
    drop(visit, b"no picture at all", "broken.jpg", "image/jpeg")
    expect(visit.view.get_by_role("alert")).to_be_visible()
    assert not visit.names()
    visit.tab.faults.clear()  # the browser itself notes that the server refused


def test_a_photograph_is_taken(visit: Visit) -> None:
    visit.go()
    visit.page.get_by_role("button", name="Photograph").click()
    camera = visit.page.get_by_role("dialog", name="Camera")
    camera.get_by_role("button", name="Take the photograph").click()
    expect(camera).to_be_hidden()
    answered(visit)
    assert list(visit.state()) == ["view", "image"]
    visit.page.get_by_role("button", name="Photograph").click()
    camera.get_by_role("button", name="Cancel").click()
    expect(camera).to_be_hidden()


def test_by_address_only_where_that_is_allowed(visit: Visit) -> None:
    visit.go("#/search?url=https%3A%2F%2Fexample.org%2Fa.jpg")
    expect(visit.view.get_by_role("alert")).to_contain_text("searching by URL is off")
    visit.tab.faults.clear()


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
    visit.until("document.querySelector('a.picture').ariaLabel.includes(', sea')")
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


# -- the answers -------------------------------------------------------------------------------------------------------


def test_scrolling_on_brings_every_answer_once(visit: Visit) -> None:
    visit.go("#/search?id=1")
    answered(visit)
    seen: set[str] = set()
    for _ in range(60):
        seen |= set(visit.names())
        if len(seen) == ALL - 1:
            break
        visit.page.mouse.move(600, 600)
        visit.page.mouse.wheel(0, 900)
        visit.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert len(seen) == ALL - 1
    expect(visit.view.get_by_role("status").first).to_contain_text(f"{ALL - 1} pictures, nearest first")
    visit.until("document.querySelectorAll('a.picture').length < 120")


def test_back_leads_to_where_one_was(visit: Visit) -> None:
    visit.go("#/search?id=1")
    answered(visit)
    for _ in range(4):
        visit.page.mouse.move(600, 600)
        visit.page.mouse.wheel(0, 500)
    visit.until("scrollY > 700 && history.state?.top === scrollY")
    top = visit.page.evaluate(
        """() => {
            const at = scrollY;
            [...document.querySelectorAll('a.picture')].find(each => each.getBoundingClientRect().top > 200).click();
            return at;
        }"""
    )
    visit.until("scrollY < 100")
    visit.page.go_back()
    visit.until(f"Math.abs(scrollY - {top}) < 3")
    visit.page.reload()
    visit.until(f"Math.abs(scrollY - {top}) < 3")


def test_the_first_pictures_are_there_soon(visit: Visit, record_property: object) -> None:
    visit.go()
    visit.settled()
    paint = visit.until("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    assert callable(record_property)
    record_property("first paint, ms", paint)
    assert paint > 0


def test_a_server_that_needs_a_token_asks_for_it(chrome: Chromium, photographs: Path, tmp_path: Path) -> None:
    token = "a-token-of-some-length"
    with imagekin.open(tmp_path / "c", model="pixels") as photos, serving(photos, token=token) as site:
        with visiting(chrome, site) as visit:
            visit.page.goto(site.url)
            dialog = visit.page.get_by_role("dialog", name="Token")
            dialog.get_by_label("Token").fill("not-the-token-at-all")
            dialog.get_by_role("button", name="Open").click()
            expect(dialog.get_by_role("alert")).to_contain_text("this is not the token")
            dialog.get_by_label("Token").fill(token)
            dialog.get_by_role("button", name="Open").click()
            expect(visit.page.get_by_text("the collection is empty")).to_be_visible()
            visit.tab.faults.clear()
