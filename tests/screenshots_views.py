"""Pictures of the map, duplicates and tags: ``python -m tests.screenshots_views COLLECTION [FOLDER]`` takes them anew.

COLLECTION holds Caltech-101; what is made there is a map, a search for duplicates, and a tag that is taken away again.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

import imagekin
from tests.browser import started
from tests.charts import CHART, around, draw, finished, rows_of, shown
from tests.screenshots import DOCS, QUALITY, first, shot
from tests.served import serving
from tests.visits import Visit, visiting

TAG = "sunflowers"


def chart(visit: Visit, folder: Path) -> None:
    """A line around the leopards, as it is drawn."""
    visit.go("#/map")
    shown(visit.page)
    visit.page.wait_for_timeout(500)
    visit.page.get_by_role("button", name="Lasso").click()
    draw(visit.page, around(visit.page, rows_of(visit.page, "Leopards"), 0.9), lift=False)
    visit.page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(visit.page.screenshot()))  # as it is: the pointer must not move
    picture.convert("RGB").save(folder / "page-map.webp", "WEBP", quality=QUALITY, method=6)
    visit.page.mouse.up()


def near(visit: Visit, folder: Path) -> None:
    """Pictures in place of points, in the dark."""
    visit.go("#/map")
    shown(visit.page)
    row = rows_of(visit.page, "scorpion")[20]
    visit.page.evaluate(f"{CHART}.plane.look(...{CHART}.plane.places.slice({2 * row}, {2 * row + 2}), 2_200)")
    visit.page.wait_for_timeout(6_000)
    shot(visit, folder / "page-map-close.webp")


def duplicates(visit: Visit, folder: Path) -> None:
    visit.go("#/duplicates")
    visit.page.locator(".duplicate-group").nth(3).wait_for()
    visit.page.wait_for_timeout(3_000)
    shot(visit, folder / "page-duplicates.webp")


def tags(visit: Visit, folder: Path) -> None:
    """Six sunflowers have a tag, others are proposed."""
    some = [first(visit.site, "sunflower", number) for number in range(6)]
    visit.site.ask("tags", "POST", json={"ids": some, "add": [TAG]})
    visit.go(f"#/tags?tag={TAG}")
    visit.page.locator(".answer").first.wait_for()
    visit.settled()
    visit.page.wait_for_timeout(2_000)
    shot(visit, folder / "page-tags.webp")
    visit.site.ask("tags", "DELETE", params={"tag": TAG})


def main(collection: str, folder: Path = DOCS) -> None:
    """Take them all."""
    size = {"viewport": {"width": 1280, "height": 800}}
    with started() as chrome, imagekin.open(collection) as photos, serving(photos) as site:
        finished(site, "map", method="tsne")
        finished(site, "duplicates")
        for view in (chart, near, duplicates, tags):
            with visiting(chrome, site, **size, color_scheme="dark" if view is near else "light") as visit:
                view(visit, folder)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:3]))
