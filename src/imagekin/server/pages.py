"""The page's files: read once, looked up by name, so that nothing a request says ever becomes a path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

TYPES: Final[Mapping[str, str]] = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webp": "image/webp",
    "ico": "image/x-icon",
    "json": "application/json",
    "webmanifest": "application/manifest+json",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
}
"""By suffix; files with others are not served."""


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the page."""

    data: bytes
    type: str
    tag: str


def load(folder: Traversable | None = None) -> dict[str, Page]:
    """The files of the page by their name below its folder: ``index.html``, ``js/views/map.js``.

    Unless another *folder* is given, what draws maps is among them as ``plane/…``: pages of maps share it.
    """
    if folder is not None:
        return dict(_loaded(folder, ""))
    package = files("imagekin")
    return dict(_loaded(package / "web", "") + _loaded(package / "maps" / "plane", "plane/"))


def _loaded(folder: Traversable, before: str) -> list[tuple[str, Page]]:
    found: list[tuple[str, Page]] = []
    for entry in folder.iterdir():
        kind = TYPES.get(entry.name.rpartition(".")[2])
        if entry.is_dir():
            found += _loaded(entry, f"{before}{entry.name}/")
        elif kind is not None and not entry.name.startswith("."):
            data = entry.read_bytes()
            found.append((before + entry.name, Page(data, kind, f'"{hashlib.sha256(data).hexdigest()[:32]}"')))
    return found
