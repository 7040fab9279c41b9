"""Right and wrong on the server's page: said by hand and by keys, kept, taken back, and learned from."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from imagekin import verification
from imagekin.collection import Collection
from tests.judged import by_classes, sorted_photos
from tests.served import Site, serving, site_of
from tests.web_pages import Opener, until

photos = sorted_photos(12)
site = site_of("photos", "function")


@pytest.fixture
def closed(photos: Collection) -> Iterator[Site]:
    """The same for somebody who may only look."""
    photos.judge(1, right=[2])
    with serving(photos, read_only=True) as running:
        yield running


def said(site: Site) -> set[tuple[int | str, int, bool]]:
    return {(each.asked, each.item, each.fits) for each in site.served.collection.judgements()}


def tile(page: Page, place: int) -> Locator:
    return page.locator(".tile").nth(place)


def number(page: Page, place: int) -> int:
    return int(page.evaluate(f"document.querySelectorAll('.tile')[{place}].tile.id"))


def test_thumbs_say_it_and_say_it_again_takes_it_back(site: Site, opened: Opener) -> None:
    page = opened(site, "#/search?id=1")
    expect(page.locator(".judge")).not_to_have_count(0)
    line = page.get_by_role("group", name="Right and wrong")
    expect(line).to_be_hidden()
    first, second = number(page, 0), number(page, 1)
    tile(page, 0).locator(".right").click()
    tile(page, 1).locator(".wrong").click()
    expect(line).to_contain_text("1 right, 1 wrong here; 2 answers about 1 search in all.")
    assert said(site) == {(1, first, True), (1, second, False)}
    tile(page, 1).locator(".right").click()
    expect(line).to_contain_text("2 right, 0 wrong here")
    expect(tile(page, 1).locator(".right")).to_have_attribute("aria-pressed", "true")
    expect(tile(page, 1).locator(".wrong")).to_have_attribute("aria-pressed", "false")
    page.reload()
    expect(tile(page, 0).locator(".right")).to_have_attribute("aria-pressed", "true")
    tile(page, 0).locator(".right").click()
    tile(page, 1).locator(".right").click()
    expect(line).to_be_hidden()
    assert said(site) == set()


def test_keys_say_it(site: Site, opened: Opener) -> None:
    page = opened(site, "#/search?id=1")
    tile(page, 0).locator("a.picture").focus()
    page.keyboard.press("y")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    expect(page.get_by_role("status").filter(has_text="1 right, 1 wrong here")).to_be_visible()
    assert said(site) == {(1, number(page, 0), True), (1, number(page, 1), False)}
    assert page.evaluate("document.activeElement.closest('.tile')?.tile.id") == number(page, 1)


def test_a_thumb_keeps_the_keys(site: Site, opened: Opener) -> None:
    page = opened(site, "#/search?id=1")
    tile(page, 1).locator(".wrong").click()
    expect(tile(page, 1).locator(".wrong")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.activeElement.className") == "wrong"
    assert page.evaluate("document.activeElement.closest('.tile').tile.id") == number(page, 1)
    page.keyboard.press("Enter")
    expect(tile(page, 1).locator(".wrong")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("group", name="Right and wrong")).to_be_hidden()
    until(page, "document.activeElement.className === 'wrong'")
    assert said(site) == set()


def test_an_answer_that_did_not_arrive_does_not_hold_up_the_next(site: Site, opened: Opener) -> None:
    page = opened(site, "#/search?id=1")
    expect(page.locator(".judge")).not_to_have_count(0)
    broken = re.compile("/judgements")
    page.route(broken, lambda route: route.fulfill(status=422, json={"detail": "The disk is full."}))
    tile(page, 0).locator(".right").click()
    expect(page.locator("#notices")).to_contain_text("The disk is full.")
    page.unroute(broken)
    tile(page, 1).locator(".right").click()
    expect(page.get_by_role("group", name="Right and wrong")).to_contain_text("1 answer about 1 search in all.")
    assert said(site) == {(1, number(page, 1), True)}


def test_searches_that_are_no_item_have_a_name(site: Site, opened: Opener) -> None:
    page = opened(site, "#/search?id=1&plus=20")
    tile(page, 0).locator(".right").click()
    expect(page.get_by_role("group", name="Right and wrong")).to_contain_text("1 right, 0 wrong here")
    assert {asked for asked, _, _ in said(site)} == {"id=1&plus=20"}
    page.goto(page.url.partition("#")[0] + "#/search?id=1")
    expect(page.get_by_role("group", name="Right and wrong")).to_contain_text("1 answer about 1 search in all.")
    expect(page.locator(".judge [aria-pressed=true]")).to_have_count(0)


def test_pictures_in_no_order_are_not_judged(site: Site, opened: Opener) -> None:
    site.served.collection.judge(1, right=[2])
    page = opened(site, "#/search")
    expect(page.locator(".tile a.picture[href]").first).to_be_visible()
    expect(page.locator(".judge")).to_have_count(0)
    expect(page.get_by_role("group", name="Right and wrong")).to_be_hidden()


def test_whoever_may_only_look_cannot_say_anything(closed: Site, opened: Opener) -> None:
    page = opened(closed, "#/search?id=1")
    expect(page.locator(".tile a.picture[href]").first).to_be_visible()
    expect(page.locator(".judge")).to_have_count(0)
    page.locator(".tile a.picture").first.focus()
    page.keyboard.press("y")
    expect(page.get_by_role("group", name="Right and wrong")).to_be_hidden()
    assert said(closed) == {(1, 2, True)}


def test_learning_says_what_came_of_it_and_can_be_taken_back(site: Site, opened: Opener) -> None:
    photos = site.served.collection
    shuffled = {item.id: item.id % 3 for item in photos.items()}  # of what nobody can see: nothing is to be learned
    by_classes(photos, shuffled, 10)
    page = opened(site, "#/search?id=1")
    page.get_by_role("button", name="Learn from 100 answers").click()
    dialog = page.get_by_role("dialog", name="What was learned")
    expect(dialog).to_contain_text("Nothing was changed", timeout=30_000)
    expect(dialog).to_contain_text("judge more, and learn again.")
    expect(dialog.get_by_role("button", name="Undo")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    assert photos.reduce is None


def test_what_was_learned_is_shown_and_undone(site: Site, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagekin.train import questions

    monkeypatch.setattr(questions, "_verdict", lambda change: (True, "The head is better: so it was decided."))
    photos = site.served.collection
    by_classes(photos, {item.id: item.id % 3 for item in photos.items()}, 10)
    page = opened(site, "#/search?id=1")
    page.get_by_role("button", name="Learn from 100 answers").click()
    dialog = page.get_by_role("dialog", name="What was learned")
    expect(dialog).to_contain_text("Searches are better now", timeout=30_000)
    expect(dialog.locator("meter")).to_have_count(2)
    dialog.get_by_role("button", name="Close").click()
    assert photos.reduce == "head"
    line = page.get_by_role("group", name="Right and wrong")
    expect(line).to_contain_text("Searches go by what 100 answers taught.")
    line.get_by_role("button", name="Undo what was learned").click()
    expect(line).not_to_contain_text("taught")
    assert photos.reduce is None


def test_too_few_answers_are_told(site: Site, opened: Opener) -> None:
    site.served.collection.judge(1, right=[2], wrong=[20])
    page = opened(site, "#/search?id=1")
    page.get_by_role("button", name="Learn from 2 answers").click()
    expect(page.locator("#notices")).to_contain_text("judgements of at least 5 searches", timeout=20_000)
    expect(page.get_by_role("button", name="Learn from 2 answers")).to_be_enabled()


def test_matches_are_told_where_the_collection_is_calibrated(site: Site, opened: Opener) -> None:
    verification.calibrate(site.served.collection)
    page = opened(site, "#/search?id=1")
    expect(tile(page, 0).locator(".says b")).to_have_text("99 % match")
    expect(tile(page, 0).locator(".says b")).to_have_attribute("title", page.evaluate(
        "`${(100 * document.querySelector('.tile').tile.item.similarity).toFixed(1)} % similar`"))  # fmt: skip
    assert ", 99 % match, " in str(tile(page, 0).locator("a.picture").get_attribute("aria-label"))
    tile(page, 0).locator("a.picture").focus()
    page.keyboard.press("o")
    expect(page.get_by_role("dialog", name="Picture")).to_contain_text("99 % sure to show the same")
    page.goto(page.url.partition("#")[0] + "#/search?id=1&plus=2")
    until(page, "/^[0-9.]+ %$/.test(document.querySelector('.tile .says b')?.textContent)")
