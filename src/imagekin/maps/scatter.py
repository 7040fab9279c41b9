"""A map as points coloured by class, with names on it and an index below it like that of an atlas."""

from __future__ import annotations

import string
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import escape, figures
from imagekin.errors import InputError
from imagekin.maps import colours, naming
from imagekin.maps.fields import Field
from imagekin.maps.records import Map, Places

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED: Final = 240
"""Classes up to which names are given; of more, the largest."""

_WIDTH: Final = 14.0
_EDGE: Final = 0.45
_HEAD: Final = 0.85
_ROW: Final = 0.205
_COLUMN: Final = 2.15
_SQUARES: Final = 8
_NAME: Final = 7.5
_ENTRY: Final = 8.5
_LONGEST: Final = 24


def figure(made: Map, field: Field | None = None) -> Figure:
    """Draw a map as points: a colour and a mark a class, names where classes are densest, and an index of all.

    The index names each class with its mark, the square of the map where it is densest, and its number of pictures.  A
    field of numbers or dates has a scale instead.

    Args:
        made: the map.
        field: of the same pictures in the same order; None for points of one colour.

    Returns:
        A figure that belongs to no window; save it with ``figures.save``.

    Raises:
        InputError: the field is of other pictures.
        MissingPackageError: matplotlib is not installed.
    """
    check(made, field)
    groups = _Groups(made.xy, field) if field is not None and field.kind == "class" else None
    high = paper_height(made.xy)
    rows = 0 if groups is None else groups.rows
    scale = field is not None and groups is None
    foot = _ROW * (rows + 2) if rows else 0.9 if scale else 0.25
    whole = _HEAD + high + _EDGE + foot
    drawn = figures.new(_WIDTH, whole)
    drawn.set_layout_engine("none")
    axes = drawn.add_axes((_EDGE / _WIDTH, (foot + _EDGE) / whole, (_WIDTH - 2 * _EDGE) / _WIDTH, high / whole))
    heading(drawn, made, field)
    _frame(axes, made.xy)
    if groups is not None:
        _draw_classes(axes, made.xy, groups)
        _draw_names(axes, groups)
        _draw_index(drawn.add_axes((0, 0, 1, foot / whole)), groups, foot)
    else:
        _draw_values(drawn, axes, made.xy, field, foot / whole)
    return drawn


def check(made: Map, field: Field | None) -> None:
    """See that a field is of the map's pictures."""
    if field is not None and max(len(field.codes), len(field.values)) != len(made):
        count = max(len(field.codes), len(field.values))
        raise InputError(f"the field {field.name!r} is of {count:,} pictures and the map of {len(made):,}.")


def heading(drawn: Figure, made: Map, field: Field | None) -> None:
    """What the map is of and how far to believe it, at the top of a figure; inches from its corner."""
    width, height = drawn.get_size_inches()
    by = f", by {field.name}" if field is not None else ""
    text = f"{figures.short(made.name)}: {len(made):,} pictures, {made.title}{escape.terminal(by)}"
    place: dict[str, Any] = {"x": _EDGE / width, "ha": "left", "va": "top", **figures.PLAIN}
    drawn.text(y=1 - 0.14 / height, s=text, fontsize=13, color=figures.INK, fontweight="bold", **place)
    notes = " ".join([made.told(), *made.notes])
    told = figures.short(" ".join(filter(None, [made.model and f"{made.model}.", notes])), 210)
    drawn.text(y=1 - 0.45 / height, s=told, fontsize=9, color=figures.SOFT, **place)


def paper_height(xy: Places) -> float:
    """Inches that the map is high at its full width, within reason for a long and narrow one."""
    wide, high = _reach(xy)
    return float(np.clip((_WIDTH - 2 * _EDGE) * high / wide, 0.45 * _WIDTH, 1.2 * _WIDTH))


def _reach(xy: Places) -> tuple[float, float]:
    """Half of the width and the height that is shown, with a margin."""
    wide, high = (float(each) for each in np.abs(xy).max(axis=0, initial=0))
    return 1.04 * max(wide, 0.4), 1.04 * max(high, 0.4)


class _Groups:
    """The classes of a field on a map: numbers for their looks, and where they are densest."""

    def __init__(self, xy: Places, field: Field) -> None:
        self.codes, self.names, self.sizes = field.codes, field.names, field.sizes
        self.peaks = naming.peaks(xy, field.codes, len(field.names))
        self.looks = colours.assigned(self.peaks, self.sizes)
        self.listed = sorted(np.argsort(-self.sizes, kind="stable")[:NAMED].tolist())
        self.columns = max(1, int((_WIDTH - 2 * _EDGE) / _COLUMN))
        self.column = (_WIDTH - 2 * _EDGE + 0.2) / self.columns  # what follows the last needs no gap
        self.rows = -(-len(self.listed) // self.columns)
        wide, high = _reach(xy)
        share = (self.peaks / (wide, high) + 1) / 2
        square = np.clip((share * _SQUARES).astype(int), 0, _SQUARES - 1)
        self.squares = [f"{string.ascii_uppercase[across]}{_SQUARES - up}" for across, up in square.tolist()]


def _frame(axes: Any, xy: Places) -> None:
    """Squares of an atlas: letters across, numbers down, as axes of such a map mean nothing."""
    wide, high = _reach(xy)
    axes.set_xlim(-wide, wide)
    axes.set_ylim(-high, high)
    names = (list(string.ascii_uppercase[:_SQUARES]), [str(_SQUARES - at) for at in range(_SQUARES)])
    for axis, half, texts in ((axes.xaxis, wide, names[0]), (axes.yaxis, high, names[1])):
        edges = np.linspace(-half, half, _SQUARES + 1)
        axis.set_ticks(edges, [""] * len(edges))
        axis.set_ticks((edges[:-1] + edges[1:]) / 2, texts, minor=True)
    axes.grid(True, which="major", color=figures.EDGE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, colors=figures.SOFT, labelsize=9)
    for spine in axes.spines.values():
        spine.set_color(figures.EDGE)


def _size(n: int) -> float:
    """Area of a point in square points, so that n of them neither vanish nor melt into one."""
    return float(np.clip(160_000 / max(n, 1), 1.5, 60))


def _draw_classes(axes: Any, xy: Places, groups: _Groups) -> None:
    none = groups.codes < 0
    size = _size(len(xy))
    axes.scatter(*xy[none].T, s=size, c=colours.NONE, alpha=0.6, linewidths=0, zorder=2, rasterized=True)
    for code in np.argsort(-groups.sizes, kind="stable").tolist():
        mine, look = groups.codes == code, int(groups.looks[code])
        axes.scatter(
            *xy[mine].T,
            s=size,
            c=colours.colour(look),
            marker=colours.mark(look),
            alpha=0.75,
            linewidths=0,
            zorder=3,
            rasterized=True,
        )


def _draw_names(axes: Any, groups: _Groups) -> None:
    """Names near the densest places; a thin line leads to a name that had to give way."""
    from matplotlib.patheffects import withStroke

    listed = [code for code in groups.listed if groups.sizes[code]]
    if not listed:
        return
    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    scale = _paper(axes) / (high - low, top - bottom)  # inches a unit
    names = [figures.short(groups.names[code], _LONGEST) for code in listed]
    boxes = np.array([(_text_width(name, _NAME) / 2 + 0.025, 0.075) for name in names])
    anchors = (groups.peaks[listed] - (low, bottom)) * scale
    at = naming.spread(anchors, boxes, tuple(_paper(axes).tolist()))
    shown = naming.readable(at, boxes, np.argsort(-groups.sizes[listed], kind="stable").tolist())
    halo = [withStroke(linewidth=2.2, foreground="white")]
    for place in np.flatnonzero(shown).tolist():
        x, y = at[place] / scale + (low, bottom)
        colour = _dark(colours.colour(int(groups.looks[listed[place]])))
        if (np.abs(at[place] - anchors[place]) > boxes[place] + 0.04).any():
            line = np.array([groups.peaks[listed[place]], (x, y)])
            axes.plot(*line.T, color=colour, linewidth=0.7, alpha=0.8, zorder=4)
        axes.text(
            x, y, names[place], fontsize=_NAME, color=colour, ha="center", va="center", zorder=5, path_effects=halo,
            fontweight="bold", **figures.PLAIN,
        )  # fmt: skip


def _paper(axes: Any) -> NDArray[np.float64]:
    """Inches that the axes take on the paper."""
    box = axes.get_position()
    return np.asarray(axes.figure.get_size_inches() * (box.width, box.height), np.float64)


def _text_width(text: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not any(map(str.isprintable, text)) or not text.strip():  # nothing has an outline
        return 0.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # it is drawn as a box, and measured as one
        try:
            path = TextPath(
                (0, 0), text.replace("$", r"\$"), prop=FontProperties(size=size, weight="bold"), usetex=False
            )
        except AttributeError:  # matplotlib, for a text whose every glyph is empty
            return 0.0
    return float(path.get_extents().width) / 72


def _dark(colour: str) -> str:
    """The same hue, dark enough to be read on white."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(0.72 * part):02x}" for part in parts)


def _draw_index(axes: Any, groups: _Groups, foot: float) -> None:
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(0, foot)
    axes.axis("off")
    for place, code in enumerate(groups.listed):
        across, down = divmod(place, groups.rows)
        x, y = _EDGE + across * groups.column, foot - _ROW * (down + 0.75)
        look = int(groups.looks[code])
        axes.scatter([x + 0.05], [y], s=32, c=colours.colour(look), marker=colours.mark(look), linewidths=0)
        name = figures.short(groups.names[code], 20)
        axes.text(x + 0.16, y, name, fontsize=_ENTRY, color=figures.INK, va="center_baseline", **figures.PLAIN)
        what = f"{groups.squares[code]}  {groups.sizes[code]:,}"
        axes.text(
            x + groups.column - 0.2, y, what, fontsize=_ENTRY - 1, color=figures.SOFT, ha="right", va="center_baseline"
        )
    _draw_remark(axes, groups)


def _draw_remark(axes: Any, groups: _Groups) -> None:
    left = len(groups.names) - len(groups.listed)
    none = int((groups.codes < 0).sum())
    parts = [
        "Letter and number: the square where most of a class lies; then its number of pictures.",
        f"{left:,} smaller classes have no name here." if left else "",
        f"{none:,} grey points have no class." if none else "",
    ]
    text = " ".join(filter(None, parts))
    axes.text(_EDGE, _ROW * 0.7, text, fontsize=8, color=figures.SOFT, va="center", **figures.PLAIN)


def _draw_values(drawn: Figure, axes: Any, xy: Places, field: Field | None, foot: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    size = _size(len(xy))
    if field is None:
        axes.scatter(*xy.T, s=size, c=figures.ACCENT, alpha=0.6, linewidths=0, zorder=3, rasterized=True)
        return
    shares, low, high = colours.on_scale(field.values)
    none = ~np.isfinite(shares)
    ramp = LinearSegmentedColormap.from_list("map", colours.RAMP)
    axes.scatter(*xy[none].T, s=size, c=colours.NONE, alpha=0.6, linewidths=0, zorder=2, rasterized=True)
    axes.scatter(*xy[~none].T, s=size, c=ramp(shares[~none]), alpha=0.85, linewidths=0, zorder=3, rasterized=True)
    bar = drawn.colorbar(
        ScalarMappable(Normalize(low, high), ramp),
        cax=drawn.add_axes((0.3, foot * 0.62, 0.4, foot * 0.18)),
        orientation="horizontal",
    )
    bar.outline.set_visible(False)
    ticks = np.linspace(low, high, 5)
    bar.set_ticks(ticks.tolist(), labels=[value_text(tick, field.kind) for tick in ticks.tolist()])
    bar.ax.tick_params(colors=figures.SOFT, length=0, labelsize=9)


def value_text(value: float, kind: str) -> str:
    """A number or a date for people."""
    if kind != "date":
        return f"{value:,.3g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(np.datetime64(int(value), "s"))[:10]
