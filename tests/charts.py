"""The map of a page as tests hold it: where its pictures lie, what is selected on it."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from playwright.sync_api import Page

from tests.served import Site
from tests.web_pages import until

CHART = "document.querySelector('.chart').chart"


def finished(site: Site, what: str, **options: Any) -> None:
    """Have something made by a job, and wait for its end."""
    job = site.ask(what, "POST", json=options).json()["id"]
    while (now := site.ask(f"jobs/{job}").json())["state"] == "running":
        time.sleep(0.05)
    assert now["state"] == "done", now


def make(site: Site) -> None:
    """Have a map made, by PCA."""
    finished(site, "map", method="pca")


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


def around(page: Page, rows: list[int], share: float = 1.0) -> list[tuple[float, float]]:
    """Corners of a line around some pictures, or around the *share* of them that is nearest to their middle."""
    places = np.array([on_page(page, row) for row in rows])
    middle = np.median(places, axis=0)
    reach = 14 + float(np.quantile(np.linalg.norm(places - middle, axis=1), share))
    turns = np.linspace(0, 5.9, 16).tolist()
    return [(middle[0] + reach * math.cos(turn), middle[1] + reach * math.sin(turn)) for turn in turns]


def draw(page: Page, line: list[tuple[float, float]], *, lift: bool = True) -> None:
    """Draw a line by mouse, and lift it at the end."""
    page.mouse.move(*line[0])
    page.mouse.down()
    for corner in line[1:]:
        page.mouse.move(*corner)
    if lift:
        page.mouse.up()
