"""Pictures of the page for the documentation: ``python -m tests.screenshots COLLECTION [FOLDER]`` takes them anew.

COLLECTION holds Caltech-101, with a file or two that cannot be read; FOLDER is ``docs/images`` unless another is given.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import expect

import imagekin
from tests.browser import started
from tests.served import Site, serving
from tests.visits import Visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

DOCS = Path(__file__).parents[1] / "docs" / "images"
QUALITY = 78
PATIENCE = 300


def shot(visit: Visit, path: Path, width: int | None = None) -> None:
    """Write what is seen as WebP, at most *width* pixels wide."""
    visit.page.mouse.move(2, 2)
    visit.page.evaluate("document.activeElement.blur()")
    picture: Image.Image = Image.open(io.BytesIO(visit.page.screenshot()))
    if width is not None and picture.width > width:
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    picture.convert("RGB").save(path, "WEBP", quality=QUALITY, method=6)


def first(site: Site, label: str, number: int = 0) -> int:
    items = site.ask("items", params={"label": label, "limit": 100}).json()["items"]
    return int(items[number]["id"])


def search(visit: Visit, folder: Path) -> None:
    visit.go(f"#/search?id={first(visit.site, 'dalmatian')}")
    visit.settled()
    shot(visit, folder / "page-search.webp")


def region(visit: Visit, folder: Path) -> None:
    visit.go(
        f"#/search?id={first(visit.site, 'dalmatian')}&region=0.2,0.1,0.5,0.55&near=20"
        f"&plus={first(visit.site, 'Leopards', 3)}&minus={first(visit.site, 'dalmatian', 45)}"
    )
    visit.settled()
    shot(visit, folder / "page-dark.webp")


def compare(visit: Visit, folder: Path) -> None:
    visit.go(f"#/search?id={first(visit.site, 'dalmatian')}")
    visit.settled()
    visit.pictures.nth(3).focus()
    visit.page.keyboard.press("o")
    visit.page.keyboard.press("h")
    expect(visit.page.get_by_text("They agree most")).to_be_visible()
    visit.until(
        "[...document.querySelectorAll('.viewer .frame img')].every(each => each.complete && each.naturalWidth)"
    )
    shot(visit, folder / "page-compare.webp")


def browse(visit: Visit, folder: Path) -> None:
    ids = visit.site.ask("outline", params={"order": "path"}).json()["ids"]
    place = ids.index(first(visit.site, "butterfly"))
    visit.go("#/browse")
    visit.settled()
    visit.page.get_by_label("Size of the pictures").press("ArrowLeft")
    visit.page.evaluate(f"document.querySelector('.browse .grid').grid.focus({place + 14})")
    visit.settled()
    shown = visit.view.locator(".tile", has=visit.page.get_by_role("link", name="butterfly")).locator("a.picture")
    for number in (2, 3, 5):
        shown.nth(number).click(modifiers=["Control"])
    shot(visit, folder / "page-browse.webp")


def phone(visit: Visit, folder: Path) -> None:
    visit.go(f"#/search?id={first(visit.site, 'sunflower', 4)}")
    visit.settled()
    shot(visit, folder / "page-phone.webp", 585)


VIEWS: tuple[tuple[Callable[[Visit, Path], None], dict[str, Any]], ...] = (
    (search, {"viewport": {"width": 1280, "height": 860}}),
    (region, {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"}),
    (compare, {"viewport": {"width": 1280, "height": 760}}),
    (browse, {"viewport": {"width": 1280, "height": 860}}),
    (
        phone,
        {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True},
    ),
)


def indexing(chrome: Chromium, root: str, folder: Path) -> None:
    """A folder on its way into a new collection, a second time: the files that were skipped are known by then."""
    with (
        tempfile.TemporaryDirectory() as place,
        imagekin.open(Path(place) / "photos") as photos,
        serving(photos, folders=(root,)) as site,
        visiting(chrome, site, viewport={"width": 1280, "height": 620}) as visit,
    ):
        photos.index(root)
        site.served.jobs.start([root], force=True)
        visit.go("#/indexing")
        visit.tab.until("Number(document.querySelector('progress')?.value) > 3000", PATIENCE)
        shot(visit, folder / "page-indexing.webp")


def main(collection: str, folder: Path = DOCS) -> None:
    """Take them all."""
    with started() as chrome, imagekin.open(collection) as photos:
        with serving(photos) as site:
            for view, how in VIEWS:
                with visiting(chrome, site, **how) as visit:
                    view(visit, folder)
        indexing(chrome, next(iter(photos.roots())), folder)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:3]))
