"""A map as one HTML file that needs nothing else: zoom, pictures under the pointer, neighbours, colours, search.

Names, labels and metadata are hostile.  They reach the page only as JSON, and the document only as text; the content
security policy lets the one script and the one style of this module run, by their hashes, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.benchmark.svg import safe
from imagekin.errors import InputError
from imagekin.evaluation.records import Progress
from imagekin.maps import fields as properties
from imagekin.maps import graph, payload, thumbnails
from imagekin.maps.records import Map
from imagekin.maps.thumbnails import Sheets
from imagekin.replacement import failures, replace
from imagekin.types import Distances, Item

if TYPE_CHECKING:
    from imagekin.collection import Collection

NEIGHBOURS: Final = 12
"""Nearest pictures that a click shows."""

_DRAWING: Final = ("colours.js", "points.js", "space.js", "tiles.js", "names.js", "plane.js", "hand.js")
"""Modules of the folder ``plane``, which the server's page loads as they are; each after those that it imports."""

_SCRIPTS: Final = ("data.js", "looks.js", "view.js", "panel.js")
_MODULE: Final = re.compile(r"^(?:import [^;]*;\n|export (?=const |class ))", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Content:
    """What a page is made of.

    Attributes:
        made: the map.
        items: its pictures, in its order.
        near: positions of the nearest others of each, −1 for none, and their distances, both ``(n, k)``; by the
            vectors, not by the map.
        sheets: thumbnails in the order of ``payload.spatial``, or None for a page without pictures.
        colour: name of the field that it is coloured by at first; by default the first, which is the label.
        notes: what a reader must know besides, in sentences.
    """

    made: Map
    items: Sequence[Item]
    near: tuple[NDArray[np.int64], Distances]
    sheets: Sheets | None = None
    colour: str | None = None
    notes: Sequence[str] = ()


def of_collection(
    photos: Collection,
    made: Map,
    *,
    neighbours: int = NEIGHBOURS,
    side: int | None = None,
    colour: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Content:
    """Gather what the page of a map of a collection holds.

    Args:
        photos: the collection that was laid out.
        made: its map.
        neighbours: nearest pictures that a click shows, found by the collection's engine.
        side: of the thumbnails in pixels, 0 for none; by default as large as stays within about
            ``thumbnails.BUDGET`` bytes.
        colour: see ``Content``.
        progress: called now and then.

    Raises:
        InputError: a picture has left the collection since, or an argument is out of range.
    """
    check(side, neighbours)
    items = photos.get(made.ids)
    k = min(neighbours, len(made) - 1)
    if progress is not None:
        progress(Progress(0, 1, "Neighbours"))
    near = graph.in_store(photos.store, made.ids, k)
    sheets, notes = None, []
    side = thumbnails.side_for(len(made)) if side is None else side
    if side:
        order = payload.spatial(made.xy)
        sheets = thumbnails.sheets([items[row].path for row in order.tolist()], side, progress)
        if sheets.unread:
            notes.append(f"{sheets.unread:,} pictures could not be read and are grey.")
    return Content(made, items, near, sheets, colour, notes)


def check(side: int | None, neighbours: int) -> None:
    """See that a page can have such thumbnails and so many neighbours.

    Raises:
        InputError: it cannot.
    """
    if side is not None and side != 0 and not 8 <= side <= 256:
        raise InputError(f"a thumbnail of a page has 8 to 256 pixels a side, or 0 for none, not {side!r}.")
    if not 0 <= neighbours <= 100:
        raise InputError(f"a page shows 0 to 100 neighbours of a picture, not {neighbours!r}.")


def page(content: Content) -> str:
    """The HTML.

    Raises:
        InputError: there is no such field to colour by.
    """
    return "\n".join(_lines(content)) + "\n"


def save(content: Content, path: str | os.PathLike[str]) -> Path:
    """Write the page, in place of a file that may be there, whole or not at all.

    Raises:
        InputError: it cannot be written, or there is no such field to colour by.
    """
    target, text = Path(path).expanduser(), page(content)
    with failures(path):
        replace(target, text.encode("ascii", "xmlcharrefreplace"))
    return target


def _lines(content: Content) -> Iterator[str]:
    made = content.made
    script, style = _script(), _asset("page", "page.css")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = f"{made.name}: a map of {len(made):,} pictures"
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
    yield f"<title>{safe(title)}</title><style>{style}</style></head><body>"
    head = f"<h1>{safe(made.name)}</h1><p>{len(made):,} pictures, {safe(made.title)}. {safe(made.told())}</p>"
    notes = " ".join([*made.notes, *content.notes])
    head += f"<p>{safe(notes)}</p>" if notes else ""
    pictures = content.sheets is not None
    text = _asset("page", "page.html").replace("@head@", head).replace("@pictures@", "" if pictures else "hidden")
    yield text.replace("@label@", f"Map of {len(made):,} pictures")
    yield f'<script type="application/json" id="data">{payload.as_json(_data(content))}</script>'
    for sheet in content.sheets.files if content.sheets is not None else ():
        yield f'<script type="text/plain" class="sheet">{base64.b64encode(sheet).decode()}</script>'
    yield f"<script>{script}</script></body></html>"


def _data(content: Content) -> dict[str, object]:
    found = properties.of_items(content.items)
    if content.colour is not None:
        first = properties.chosen(found, content.colour)
        found = [first, *(field for field in found if field is not first)]
    order = payload.spatial(content.made.xy)
    sheets = content.sheets
    return {
        **payload.body(content.made, content.items, found, content.near, order),
        "side": sheets.side if sheets is not None else 0,
        "across": sheets.across if sheets is not None else 1,
    }


def _script() -> str:
    """All scripts as one, as a page that may load nothing needs it: modules share its scope."""
    drawing = "".join(_asset("plane", name) for name in _DRAWING)
    return f'"use strict";\n{_MODULE.sub("", drawing)}' + "".join(_asset("page", name) for name in _SCRIPTS)


def _asset(folder: str, name: str) -> str:
    return files("imagekin.maps").joinpath(folder, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
