"""The map on the server's page, used by hand: made, looked at, moved, coloured, and selected from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

import imagekin
from imagekin.collection import Collection
from tests import sorts
from tests.charts import CHART, around, draw, ids_of, make, on_page, rows_of, selected, shown
from tests.served import Site, serving
from tests.web_pages import Opener, until

EACH = 20


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    place = tmp_path_factory.mktemp("map")
    with imagekin.open(place / "collection", model="pixels") as collection:
        collection.index(sorts.save(place / "pictures", EACH), label_from="parent")
        yield collection


@pytest.fixture(scope="module")
def site(photos: Collection) -> Iterator[Site]:
    with serving(photos) as running:
        yield running


@pytest.fixture(scope="module")
def made(site: Site) -> Site:
    """The site with a map."""
    make(site)
    return site


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Site]:
    """A site that has no map yet; its pictures are in ``tmp_path / "pictures"``."""
    with imagekin.open(tmp_path / "collection", model="pixels") as photos:
        photos.index(sorts.save(tmp_path / "pictures", 4), label_from="parent")
        with serving(photos) as site:
            yield site


def test_a_map_is_made_from_the_page(fresh: Site, opened: Opener, tmp_path: Path) -> None:
    page = opened(fresh, "#/map")
    expect(page.get_by_role("heading", name="No map has been made yet")).to_be_visible()
    page.get_by_label("Method").select_option("pca")
    page.get_by_role("button", name="Make the map").click()
    shown(page)
    expect(page.locator(".map-side header")).to_contain_text("12 pictures")
    assert fresh.ask("map").json()["method"] == "pca"
    sorts.save(tmp_path / "pictures" / "more", 1)
    fresh.served.collection.index()
    page.reload()
    shown(page)
    expect(page.locator(".map-side")).to_contain_text("The collection has changed since the map was made.")
    page.get_by_role("button", name="Make it anew").click()
    page.get_by_role("button", name="Make it", exact=True).click()
    expect(page.locator(".map-side header")).to_contain_text("15 pictures")


def test_the_picture_under_the_pointer_is_shown_and_a_click_opens_it(opened: Opener, made: Site) -> None:
    page = opened(made, "#/map")
    shown(page)
    page.evaluate(f"{CHART}.plane.pictures = null; {CHART}.plane.draw()")  # points alone: pictures come when they come
    facts = page.evaluate(f"{CHART}.facts")
    row = rows_of(page, "blue")[3]
    page.mouse.move(*on_page(page, row))
    under = page.evaluate(f"{CHART}.plane.hovered")
    card = page.locator(".map-card")
    expect(card).to_be_visible()
    expect(card.locator("strong")).to_have_text("blue")
    expect(card.locator("span")).to_have_text(made.ask(f"items/{facts['ids'][under]}").json()["name"])
    until(page, "document.querySelector('.map-card img').naturalWidth > 0")
    colour = page.evaluate(
        "(() => { const c = document.createElement('canvas'); c.width = c.height = 1; const to = c.getContext('2d');"
        "to.drawImage(document.querySelector('.map-card img'), 0, 0, 1, 1);"
        "return [...to.getImageData(0, 0, 1, 1).data]; })()"
    )
    assert colour[2] > 150 > max(colour[:2])
    page.mouse.click(*on_page(page, row))
    until(page, "location.hash.includes('open=')")
    assert f"open={facts['ids'][under]}" in page.url


@pytest.mark.parametrize("way", ["lasso", "shift"])
def test_a_line_around_pictures_selects_them(opened: Opener, made: Site, way: str) -> None:
    page = opened(made, "#/map")
    shown(page)
    red, green = rows_of(page, "red"), rows_of(page, "green")
    if way == "lasso":
        page.get_by_role("button", name="Lasso").click()
    else:
        page.keyboard.down("Shift")
    draw(page, around(page, red))
    expect(page.locator(".dock strong")).to_have_text(f"{EACH} pictures selected")
    assert selected(page) == ids_of(page, "red")
    assert set(page.evaluate(f"[...{CHART}.plane.states]")) == {2, 3}
    draw(page, around(page, green))
    assert selected(page) == ids_of(page, "red") | ids_of(page, "green")
    page.keyboard.up("Shift")
    if way == "lasso":
        page.keyboard.down("Alt")
        draw(page, around(page, red))
        page.keyboard.up("Alt")
        assert selected(page) == ids_of(page, "green")
    page.get_by_role("button", name="Select none").click()
    assert set(page.evaluate(f"[...{CHART}.plane.states]")) == {2}


def test_wheel_drag_and_keys_move_the_map(opened: Opener, made: Site) -> None:
    page = opened(made, "#/map")
    shown(page)
    view = f"({{...{CHART}.plane.view}})"
    before = page.evaluate(view)
    x, y = map(round, on_page(page, rows_of(page, "red")[0]))
    page.mouse.move(x, y)
    page.mouse.wheel(0, -240)
    until(page, f"{CHART}.plane.view.scale > {1.5 * before['scale']}")
    assert on_page(page, rows_of(page, "red")[0]) == pytest.approx((x, y), abs=4)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 30, steps=5)
    page.mouse.up()
    assert on_page(page, rows_of(page, "red")[0]) == pytest.approx((x + 50, y + 30), abs=8)
    over = page.locator(".map-over")
    over.focus()
    page.keyboard.press("0")
    assert page.evaluate(view)["scale"] == pytest.approx(before["whole"])
    page.keyboard.press("+")
    assert page.evaluate(view)["scale"] == pytest.approx(1.4 * before["whole"])
    page.keyboard.press("ArrowRight")
    assert page.evaluate(view)["x"] == pytest.approx(80 / (1.4 * before["whole"]))
    expect(page.locator(".map-card")).to_be_visible()
    middle = page.evaluate(f"{CHART}.facts.ids[{CHART}.plane.middle()]")
    page.keyboard.press("Space")
    assert selected(page) == {middle}
    page.keyboard.press("0")
    page.keyboard.press("s")
    assert len(selected(page)) == 3 * EACH
    page.keyboard.press("Escape")
    assert not selected(page)
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('open=')")


def test_two_fingers_zoom_and_one_draws(opened: Opener, made: Site) -> None:
    page = opened(made, "#/map", width=390, height=800, touch=True)
    shown(page)
    before = page.evaluate(f"{CHART}.plane.view.scale")
    box = page.locator(".map-over").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    line = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": left, "y": top, "id": place} for place, (left, top) in enumerate(places)]
        line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x - 20, y), (x + 20, y))
    for reach in (30, 40, 60):
        touch("touchMove", (x - reach, y), (x + reach, y))
    touch("touchEnd")
    assert page.evaluate(f"{CHART}.plane.view.scale") == pytest.approx(3 * before, rel=0.1)
    page.get_by_role("button", name="The whole map").tap()
    page.get_by_role("button", name="Lasso").tap()
    corners = around(page, rows_of(page, "blue"))
    touch("touchStart", corners[0])
    for corner in corners[1:]:
        touch("touchMove", corner)
    touch("touchEnd")
    until(page, f"{CHART}.context.selection.size > 0")
    assert selected(page) == ids_of(page, "blue")


def test_colours_by_tag_and_filters_light_what_fits(opened: Opener, made: Site) -> None:
    page = opened(made, "#/map?label=red")
    shown(page)
    expect(page.get_by_text(f"{EACH} of {3 * EACH} pictures are lit.")).to_be_visible()
    lit = page.evaluate(f"[...{CHART}.plane.states]")
    assert [row for row, state in enumerate(lit) if state == 2] == rows_of(page, "red")
    some = sorted(ids_of(page, "green"))[:5]
    made.ask("tags", "POST", json={"ids": some, "add": ["holiday"]})
    page.goto(f"{made.url}/#/map")
    page.reload()
    shown(page)
    page.locator(".map-rows > label select").select_option("tag:holiday")
    legend = page.locator(".map-legend button")
    expect(legend).to_have_text(["holiday5", f"none{3 * EACH - 5}"])
    assert "colour=tag%3Aholiday" in page.url
    legend.first.click()
    expect(page.get_by_text(f"5 of {3 * EACH} pictures are lit.")).to_be_visible()
    page.get_by_role("button", name="Select these").click()
    assert selected(page) == set(some)
    tints = page.evaluate(f"[...{CHART}.plane.tints]")
    rows = page.evaluate(f"{CHART}.facts.ids")
    colours = {tuple(tints[3 * row : 3 * row + 3]) for row, number in enumerate(rows) if number in some}
    assert len(colours) == 1
    others = {tuple(tints[3 * row : 3 * row + 3]) for row, number in enumerate(rows) if number not in some}
    assert colours.isdisjoint(others)


def test_where_one_looks_stays_after_a_picture_was_open_and_a_reload(opened: Opener, made: Site) -> None:
    page = opened(made, "#/map")
    shown(page)
    page.locator(".map-over").focus()
    for key in ("+", "+", "ArrowUp"):
        page.keyboard.press(key)
    until(page, "location.hash.includes('at=')")
    before = page.evaluate(f"[{CHART}.plane.view.x, {CHART}.plane.view.y, {CHART}.plane.view.scale]")
    page.goto(f"{made.url}/#/tags")
    expect(page.get_by_role("heading", name="Tags by example")).to_be_visible()
    page.go_back()
    expect(page.locator(".map-over")).to_be_visible()
    assert page.evaluate(f"[{CHART}.plane.view.x, {CHART}.plane.view.y, {CHART}.plane.view.scale]") == before
    page.reload()
    shown(page)
    after = page.evaluate(f"[{CHART}.plane.view.x, {CHART}.plane.view.y, {CHART}.plane.view.scale]")
    assert after == pytest.approx(before, rel=1e-3)
