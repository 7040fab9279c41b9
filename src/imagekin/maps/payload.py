"""What a map's page holds: arrays as packed bytes in text, names that cannot end the element they stand in."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import escape, figures
from imagekin.maps import colours, naming
from imagekin.maps.fields import Field
from imagekin.maps.records import Map, Places
from imagekin.types import Distances, Item

NO_ROW: Final = 0xFFFFFFFF
"""Stands for "no neighbour"."""


def spatial(xy: Places) -> NDArray[np.int64]:
    """Rows in an order in which neighbours on the map mostly follow each other (Morton, 1966).

    What is looked at close up then lies on one or two sheets of thumbnails and not on all of them.
    """
    codes = np.zeros(len(xy), np.uint64)
    for axis in (0, 1):
        spread = ((xy[:, axis].astype(np.float64) + 1) / 2 * 65_535).clip(0, 65_535).astype(np.uint64)
        for bit in range(16):
            codes |= ((spread >> np.uint64(bit)) & np.uint64(1)) << np.uint64(2 * bit + axis)
    return np.argsort(codes, kind="stable")


def body(
    made: Map,
    items: Sequence[Item],
    fields: Sequence[Field],
    near: tuple[NDArray[np.int64], Distances],
    order: NDArray[np.int64],
) -> dict[str, Any]:
    """Everything but the sheets, as plain data; rows come in *order*.

    Args:
        made: the map.
        items: its pictures, in its order.
        fields: of the pictures.
        near: rows of the nearest others of each, −1 for none, and their distances, both ``(n, k)``.
        order: every row once.
    """
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows, gaps = near[0][order], near[1][order]
    folders, of, names = _parted([items[row].path for row in order.tolist()])
    sides = np.array([[items[row].width, items[row].height] for row in order.tolist()], np.float64).reshape(-1, 2)
    shapes = np.where((sides > 0).all(axis=1), sides[:, 0] / np.maximum(sides[:, 1], 1), 1.0).clip(0.1, 10)
    return {
        "count": len(order),
        "k": int(rows.shape[1]),
        "places": packed(made.xy[order], "<f4"),
        "ids": packed(made.ids[order], "<f8"),
        "near": packed(np.where(rows >= 0, place[rows], NO_ROW), "<u4"),
        "alike": packed(_alike(gaps, made.metric), "<u2"),
        "shapes": packed(shapes, "<f4"),
        "folders": folders,
        "folderOf": packed(of, "<u4"),
        "names": names,
        "fields": [_field(field, made.xy, order) for field in fields],
        "palette": colours.PALETTE,
        "ramp": colours.RAMP,
        "none": colours.NONE,
        "accent": figures.ACCENT,
    }


def packed(values: NDArray[Any], kind: str) -> str:
    """An array's bytes in base64, little-endian."""
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()


def as_json(value: Any) -> str:
    """JSON that may stand in a ``<script>`` element: ASCII, and nothing that HTML could read as a tag or comment."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _alike(gaps: Distances, metric: str) -> NDArray[np.int64]:
    """``distance.similarity`` of many, in ten-thousandths; 0 for none."""
    far = gaps.astype(np.float64)
    shares = 1 / (1 + far) if metric == "euclidean" else -far if metric == "inner" else 1 - far
    return np.asarray((np.nan_to_num(shares, nan=0, posinf=0, neginf=0).clip(0, 1) * 1e4).round(), np.int64)


def _parted(paths: Sequence[str]) -> tuple[list[str], NDArray[np.int64], list[str]]:
    """Folders, the number of each path's folder, and the names in it: a long folder is written once only."""
    number: dict[str, int] = {}
    of, names = [], []
    for path in paths:
        name = PurePath(path).name
        folder = path[: len(path) - len(name)]
        of.append(number.setdefault(folder, len(number)))
        names.append(escape.terminal(name))
    return [escape.terminal(folder) for folder in number], np.array(of, np.int64), names


def _field(field: Field, xy: Places, order: NDArray[np.int64]) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": escape.terminal(field.name), "kind": field.kind}
    if field.kind != "class":
        _, low, high = colours.on_scale(field.values)
        return {**plain, "values": packed(field.values[order], "<f8"), "low": low, "high": high}
    peaks = naming.peaks(xy, field.codes, len(field.names))
    return {
        **plain,
        "names": [escape.terminal(name) for name in field.names],
        "codes": packed(field.codes[order], "<i4"),
        "sizes": field.sizes.tolist(),
        "order": np.argsort(-field.sizes, kind="stable").tolist(),
        "peaks": [round(float(each), 5) for each in peaks.ravel()],
        "looks": colours.assigned(peaks, field.sizes).tolist(),
    }
