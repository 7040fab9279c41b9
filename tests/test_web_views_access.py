"""The map, duplicates and tags for everybody: axe-core finds nothing wrong with them, in the light and in the dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

import imagekin
from tests import sorts
from tests.charts import finished, make
from tests.served import Site, serving
from tests.test_web_access import axe
from tests.visits import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

VIEWS = {
    "map": ".map-legend li",
    "map?label=red&colour=tag%3Arose": ".map-legend li",
    "duplicates": ".member img",
    "tags": ".tag-list a",
    "tags?tag=rose": ".answer",
}
"""Addresses, and what is there once the view is."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("views")
    root = sorts.save(place / "pictures", 8)
    shutil.copy(root / "red" / "00.png", root / "red" / "copy.png")
    with imagekin.open(place / "c", model="pixels") as photos:
        photos.index(root, label_from="parent")
        photos.tag([item.id for item in photos.items(label="red", limit=4)], "rose")
        with serving(photos) as site:
            make(site)
            finished(site, "duplicates", exact=True)
            yield site


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(chrome: Chromium, site: Site, view: str, scheme: Any) -> None:
    with visiting(chrome, site, color_scheme=scheme) as visit:
        visit.go(f"#/{view}")
        visit.page.locator(VIEWS[view]).first.wait_for()
        assert axe(visit) == []
        if view == "duplicates":
            visit.page.get_by_role("button", name="See what would happen").click()
            visit.page.get_by_role("dialog", name="What would happen").wait_for()
            assert axe(visit) == []
