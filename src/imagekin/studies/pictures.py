"""The pictures of a report, each as text that stands in the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from imagekin import figures, maps, plots
from imagekin.benchmark import plot as benchmarks
from imagekin.benchmark.svg import safe
from imagekin.distance import similarity
from imagekin.errors import ImagekinError, MissingPackageError
from imagekin.evaluation import plot as evaluations
from imagekin.evaluation import sheets
from imagekin.store.base import as_hit
from imagekin.studies.montage import montage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from imagekin.benchmark import Record
    from imagekin.collection import Collection
    from imagekin.evaluation import Confusion, Evaluation, SelfRetrieval, Sweep
    from imagekin.maps import Map
    from imagekin.studies.records import Neighbours, Study
    from imagekin.types import Item

_QUALITY: Final = 82
_TILE: Final = 120
_COLOURS: Final = 256
_NAMED: Final = 40
_SHOWN: Final = 2
_MOSAIC: Final = 2200

Drawing = Callable[[], "Figure"]


def inline(picture: Image.Image | None, caption: str) -> str:
    """A photograph or a sheet of them as a figure of the page, in JPEG; nothing for None."""
    if picture is None:
        return ""
    data = io.BytesIO()
    picture.convert("RGB").save(data, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return _figure(data.getvalue(), "jpeg", picture.size, caption)


def drawn(drawing: Drawing, caption: str) -> str:
    """A plot as a figure of the page, in PNG of few colours; a sentence where matplotlib is not installed."""
    try:
        made = drawing()
    except MissingPackageError as error:
        return f'<p class="note">{safe(error)}</p>'
    whole, small = io.BytesIO(), io.BytesIO()
    figures.drawn(made, whole, "png")
    with Image.open(whole) as plot:
        few = plot.convert("RGB").quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(small, "PNG", optimize=True)
        return _figure(small.getvalue(), "png", few.size, caption)


def _figure(data: bytes, kind: str, size: tuple[int, int], caption: str) -> str:
    text = base64.b64encode(data).decode("ascii")
    words = f"<figcaption>{safe(caption)}</figcaption>" if caption else ""
    return (
        f'<figure class="picture"><img src="data:image/{kind};base64,{text}" alt="{safe(caption)}" '
        f'width="{size[0]}" height="{size[1]}" loading="lazy">{words}</figure>'
    )


def gallery(found: Study, photos: Collection) -> Image.Image | None:
    """A picture of each class."""
    there = {item.id: item for item in photos.get([id for _, id in found.typical])}
    tiles = [(label, there[id].path) for label, id in found.typical if id in there]
    return montage(tiles) if tiles else None


def answer(photos: Collection, example: Neighbours, metric: str) -> Image.Image:
    """A picture and its nearest others on one sheet."""
    query, *near = photos.get([example.id, *example.hits])
    hits = [
        as_hit(item, distance, similarity(distance, metric))
        for item, distance in zip(near, example.distances, strict=True)
    ]
    caption = f"{query.label}: {Path(query.path).name}" if query.label else None
    return plots.sheet(query.path, hits, caption=caption, columns=max(1, len(hits)), tile=_TILE)


def confused(photos: Collection, confusion: Confusion, metric: str) -> Image.Image | None:
    """The sheet of a confused pair; None where a picture of it has left the collection."""
    try:
        return sheets.pair(photos, replace(confusion, examples=confusion.examples[:_SHOWN]), metric=metric, tile=_TILE)
    except ImagekinError:
        return None


def class_sizes(classes: Sequence[tuple[str, int]]) -> Drawing:
    """Bars, the largest class first."""

    def draw() -> Figure:
        made = figures.new(11, 2.6)
        axes = made.add_subplot()
        axes.bar(range(len(classes)), [size for _, size in classes], color=figures.PALE, width=0.8)
        figures.dress(axes, across=f"{len(classes):,} classes", up="images", grid="y")
        axes.set_xlim(-1, len(classes))
        few = len(classes) <= _NAMED
        names = [figures.short(label, 14) for label, _ in classes] if few else []
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8, **figures.PLAIN)
        return made

    return draw


def accuracy(found: Evaluation) -> Drawing:
    """Measures, worst classes, confusion matrix."""
    return lambda: evaluations.of_labels(found)


def edited(found: SelfRetrieval) -> Drawing:
    """recall@1 by edit."""
    return lambda: evaluations.of_edits(found)


def reduced(found: Sweep) -> Drawing:
    """Accuracy and search time against the dimension."""
    return lambda: evaluations.of_lengths(found)


def scatter(made: Map, items: Sequence[Item]) -> Drawing:
    """A map as points, coloured by label where there are labels."""
    return lambda: maps.scatter.figure(made, _labels(items))


def mosaic(made: Map, items: Sequence[Item]) -> Image.Image:
    """A map as pictures."""
    return maps.mosaic.picture(made, [item.path for item in items], _labels(items), side=_MOSAIC)


def _labels(items: Sequence[Item]) -> maps.Field | None:
    return next((field for field in maps.fields.of_items(items) if field.name == "label"), None)


def engines(found: Sequence[Record]) -> Drawing:
    """Recall against queries a second."""
    return lambda: benchmarks.figure(found)
