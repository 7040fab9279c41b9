"""Maps of pictures: vectors laid out in the plane, as points, as pictures, and as a page to walk about in."""

from __future__ import annotations

from imagekin.maps import fields, grid, mosaic, scatter, thumbnails, webpage
from imagekin.maps.drawing import Style, draw, writable
from imagekin.maps.fields import Field
from imagekin.maps.methods import METHODS
from imagekin.maps.projection import COMPONENTS, latest, map, pointer
from imagekin.maps.records import Map
from imagekin.maps.saved import Latest, open, save

__all__ = [
    "COMPONENTS",
    "METHODS",
    "Field",
    "Latest",
    "Map",
    "Style",
    "draw",
    "fields",
    "grid",
    "latest",
    "map",
    "mosaic",
    "open",
    "pointer",
    "save",
    "scatter",
    "thumbnails",
    "webpage",
    "writable",
]
