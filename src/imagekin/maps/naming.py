"""Names of classes on a map: where a class is, and where its name can stand without hiding another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.maps.records import Places

_ROUNDS: Final = 400
_MEMBERS: Final = 1_000


def peaks(xy: Places, codes: NDArray[np.int32], classes: int) -> Places:
    """Where each class is densest, ``(classes, 2)``: always among its pictures, unlike their mean or median.

    It is the picture whose distance to the quarter of its class that is nearest to it is least.  Classes without
    pictures lie at 0.
    """
    found = np.zeros((classes, 2), np.float32)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(classes + 1))
    for code in range(classes):
        rows = order[starts[code] : starts[code + 1]]
        if not len(rows):
            continue
        members = xy[rows[:: max(1, len(rows) // _MEMBERS)]].astype(np.float64)
        across, along = (members[:, None, axis] - members[None, :, axis] for axis in range(2))
        squares = across * across + along * along
        reach = np.partition(squares, len(members) // 4, axis=1)[:, len(members) // 4]
        found[code] = members[int(np.argmin(reach))]
    return found


def spread(
    anchors: NDArray[np.float64], boxes: NDArray[np.float64], bounds: tuple[float, float]
) -> NDArray[np.float64]:
    """Middles of boxes that stand near their anchors and on no other box, as far as there is room.

    Boxes that overlap are pushed apart along the shorter way and drawn back to their anchors, again and again.

    Args:
        anchors: ``(n, 2)``, where each box would like to be.
        boxes: ``(n, 2)``, half of the width and the height of each.
        bounds: width and height that the boxes must stay within; 0 is the lower left.
    """
    at = anchors.astype(np.float64) + 1e-6 * np.arange(len(anchors))[:, None]  # equal anchors must part somehow
    room = np.maximum(np.array(bounds) - boxes, boxes)
    reach = boxes[:, None] + boxes[None]
    for turn in range(_ROUNDS):
        if turn < _ROUNDS // 2:
            at += 0.05 * (anchors - at)
        push = _apart(at, reach)
        if turn >= _ROUNDS // 2 and not push.any():
            break
        at = np.clip(at + 0.6 * push, boxes, room)
    return at


def _apart(at: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = at[:, None] - at[None]
    depth = reach - np.abs(gaps)
    overlap = (depth > 0).all(axis=2) & ~np.eye(len(at), dtype=np.bool_)
    upright = depth[:, :, 1] <= depth[:, :, 0]
    push = np.zeros_like(at)
    push[:, 1] = np.where(overlap & upright, np.copysign(depth[:, :, 1], gaps[:, :, 1]), 0).sum(axis=1) / 2
    push[:, 0] = np.where(overlap & ~upright, np.copysign(depth[:, :, 0], gaps[:, :, 0]), 0).sum(axis=1) / 2
    return push


def readable(at: NDArray[np.float64], boxes: NDArray[np.float64], order: Sequence[int]) -> NDArray[np.bool_]:
    """Which boxes may be drawn so that none hides another: those first in *order* have the right of way."""
    shown = np.zeros(len(at), np.bool_)
    for one in order:
        there = np.flatnonzero(shown)
        gaps, reach = np.abs(at[there] - at[one]), 0.98 * (boxes[there] + boxes[one])
        shown[one] = not (gaps < reach).all(axis=1).any()
    return shown
