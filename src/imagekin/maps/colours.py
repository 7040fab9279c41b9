"""Colours and marks by which classes are told apart on a map, and a scale for numbers.

No hundred colours can be told apart.  So a class gets one of 24 and one of five marks, which makes 120 pairs, and
classes that lie close together on the map get colours that are far apart.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.maps.records import Places

PALETTE: Final = (
    "#d6272e", "#1f6fd6", "#1a9641", "#f08c00", "#8a3ffc", "#00a3a3", "#d6318f", "#7a5230",
    "#5b8c00", "#003f8c", "#ff6b57", "#3fb8f0", "#7d0f3c", "#b39500", "#00684a", "#b26bff",
    "#e377c2", "#4a4a55", "#66c48f", "#c2571a", "#4038b8", "#97a600", "#a04a6e", "#6e8fb5",
)  # fmt: skip
"""Colours of classes, as far apart as so many can be on white."""

MARKS: Final = ("o", "s", "^", "D", "v")
"""Shapes of points, as matplotlib calls them."""

NONE: Final = "#b9b9bd"
"""Of pictures that have no class or number."""

RAMP: Final = ("#2b0b57", "#5b1a7a", "#8f2a7d", "#c13b6d", "#e8604f", "#f7934a", "#f9c95c", "#f3f08a")
"""From the smallest number to the largest; lightness grows evenly, so that it reads without colour too."""

_CLOSE: Final = 0.18
"""Distance on the map, whose half side is 1, within which two classes should not look alike."""


def assigned(centres: Places, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each class: its colour is ``number % 24`` and its mark ``number // 24 % 5``.

    The largest classes choose first; each takes the colour that is furthest from those of the classes around it and,
    among equals, the one that is used least.  The numbers of the first 120 classes differ.

    Args:
        centres: ``(classes, 2)``.
        sizes: ``(classes,)``.
    """
    colours = lab(PALETTE)
    alike = np.exp(-np.linalg.norm(colours[:, None] - colours[None], axis=2) / 0.12)
    chosen = np.zeros(len(sizes), np.int64)
    used = np.zeros(len(PALETTE), np.int64)
    done: list[int] = []
    for place in np.argsort(-sizes, kind="stable").tolist():
        gaps = np.linalg.norm(centres[done] - centres[place], axis=1)
        near = np.exp(-((gaps / _CLOSE) ** 2))
        cost = alike[:, chosen[done] % len(PALETTE)] @ near if done else np.zeros(len(PALETTE))
        spent = used >= len(MARKS) * (1 + len(done) // (len(PALETTE) * len(MARKS)))
        colour = int(np.argmin(cost + 0.4 * used + 1e6 * spent))
        chosen[place] = colour + len(PALETTE) * (used[colour] % len(MARKS))
        used[colour] += 1
        done.append(place)
    return chosen


def colour(number: int) -> str:
    """The colour of a class by its number from ``assigned``."""
    return PALETTE[number % len(PALETTE)]


def mark(number: int) -> str:
    """The mark of a class by its number from ``assigned``."""
    return MARKS[number // len(PALETTE) % len(MARKS)]


def lab(colours: tuple[str, ...]) -> NDArray[np.float64]:
    """Colours in Oklab (Ottosson, 2020), in which distances are those that are seen, ``(n, 3)``."""
    values = np.array([[int(each[at : at + 2], 16) / 255 for at in (1, 3, 5)] for each in colours])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [[0.4122214708, 0.2119034982, 0.0883024619], [0.5363325363, 0.6806995451, 0.2817188376],
         [0.0514459929, 0.1073969566, 0.6299787005]]
    )  # fmt: skip
    return np.asarray(
        np.cbrt(cones)
        @ np.array(
            [[0.2104542553, 1.9779984951, 0.0259040371], [0.7936177850, -2.4285922050, 0.7827717662],
             [-0.0040720468, 0.4505937099, -0.8086757660]]
        )
    )  # fmt: skip


def on_scale(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float]:
    """Numbers as shares 0 … 1 of the range from the 1st to the 99th hundredth, and that range; NaN stays NaN."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(values), np.nan), 0.0, 0.0
    low, high = (float(each) for each in np.quantile(known, (0.01, 0.99)))
    if low == high:
        low, high = float(known.min()), float(known.max())
    shares = (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 0.5, np.nan)
    return np.clip(shares, 0, 1), low, high
