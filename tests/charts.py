"""The map of a page as tests hold it: where its pictures lie, what is selected on it."""

from __future__ import annotations

import time

from playwright.sync_api import Page

from tests.served import Site
from tests.web_pages import until

CHART = "document.querySelector('.chart').chart"


def make(site: Site) -> None:
    """Have a map made, by PCA."""
    job = site.ask("map", "POST", json={"method": "pca"}).json()
    while site.ask(f"jobs/{job['id']}").json()["state"] == "running":
        time.sleep(0.05)
    assert site.ask("map").status_code == 200


def shown(page: Page) -> None:
    """Wait until the map is drawn."""
    until(page, f"{CHART.removesuffix('.chart')}?.chart.plane.frames.length > 0")


def on_page(page: Page, row: int) -> tuple[float, float]:
    """Where the picture of a row lies on the page."""
    box = page.locator(".map-over").bounding_box()
    assert box is not None
    x, y = page.evaluate(f"{CHART}.plane.onScreen({row})")
    return box["x"] + x, box["y"] + y


def rows_of(page: Page, label: str) -> list[int]:
    """The rows whose pictures have a label."""
    field = page.evaluate(f"{CHART}.facts.fields.label")
    return [row for row, code in enumerate(field["of"]) if code >= 0 and field["names"][code] == label]


def ids_of(page: Page, label: str) -> set[int]:
    """The ids of the pictures that have a label."""
    ids = page.evaluate(f"{CHART}.facts.ids")
    return {ids[row] for row in rows_of(page, label)}


def selected(page: Page) -> set[int]:
    """The ids that are selected."""
    return set(page.evaluate(f"{CHART}.context.selection.ids"))
