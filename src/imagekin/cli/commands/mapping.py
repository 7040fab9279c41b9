"""``imagekin map``: the collection laid out in the plane, as a page, a plot or coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from imagekin import escape
from imagekin.cli import evaluating, output
from imagekin.cli.commands.options import by_model, filtered
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from imagekin.maps import Map


@click.command("map")
@click.option("--out", multiple=True, metavar="FILE", help="map.html, .png, .svg, .pdf, .npz; may be repeated.")
@click.option("--method", default="tsne", show_default=True, metavar="tsne|umap|pca", help="How to lay pictures out.")
@click.option("--colour", metavar="FIELD", help="label, folder, changed, … or a metadata column. [label]")
@click.option("--pictures", is_flag=True, help="In a plot: pictures in place of points.")
@click.option("--grid", is_flag=True, help="In a plot: all pictures, each in a cell of a grid.")
@click.option("--thumbnails", type=click.IntRange(0), metavar="PIXELS", help="Side of a picture; 0 for a page without.")
@click.option("--nearest", type=click.IntRange(0, 100), metavar="K", help="Pictures that a click shows. [12]")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only N pictures, drawn at random.")
@click.option("--components", type=click.IntRange(2), metavar="N", help="Numbers that PCA leaves first. [50]")
@click.option("--perplexity", type=float, metavar="P", help="Of t-SNE: neighbours that count, about. [30]")
@click.option("--neighbours", type=click.IntRange(2), metavar="K", help="Of UMAP. [15]")
@click.option("--min-dist", type=float, metavar="D", help="Of UMAP: 0 for tight groups, 1 for loose ones. [0.1]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn at random.")
@filtered
@by_model
@shared
@click.pass_obj
def command(settings: Settings, /, out: tuple[str, ...], **how: Any) -> None:
    """Lay the pictures out in the plane so that those which look alike lie close together."""
    from imagekin import maps

    targets = [maps.writable(path) for path in out or ("map.html",)]
    style = {name: how.pop(name) for name in ("colour", "pictures", "grid", "thumbnails")}
    nearest = how.pop("nearest")
    look = maps.Style(**style, **({} if nearest is None else {"neighbours": nearest}))
    with settings.open() as photos, evaluating.bar(settings) as step:
        look.check(photos, targets)
        made = maps.map(photos, progress=step, **{name: value for name, value in how.items() if value is not None})
        files = [maps.draw(photos, made, target, look, progress=step) for target in targets]
    if settings.json:
        output.record({**made.to_dict(), "files": [str(path) for path in files]})
        return
    output.say(escape.terminal(line) for line in (*_told(made), *map(str, files)))


def _told(made: Map) -> Iterator[str]:
    yield f"{made.name}: {output.plural(len(made), 'picture')}, {made.title}, {made.seconds:,.1f} s"
    yield made.told()
    yield from (f"Note: {note}" for note in made.notes)
