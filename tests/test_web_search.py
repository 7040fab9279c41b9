"""Finding pictures on the page as a person does: by any picture, by a region of it, by more and less, with filters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, expect

import imagekin
from tests.served import Site, serving
from tests.visits import SCENES, TAKES, Visit, answered, found, kin, name_of, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

ALL = SCENES * TAKES


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
