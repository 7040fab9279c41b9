"""Cutting the middle out of a long text, so that both ends of a path stay readable."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

MARK: Final = "…"


def middle(text: str, fits: Callable[[str], bool]) -> str:
    """The longest form of *text* that *fits*, its middle replaced by ``…``.

    A path loses whole parts if its last one fits. Otherwise a third of what is kept is the beginning and two thirds are
    the end, because file names tell more than roots do. What does not even fit as a lone ``…`` is given back as that.
    """
    if fits(text):
        return text
    parts = _by_parts(text, fits)
    if parts is not None:
        return parts
    low, high = 0, len(text) - 1
    while low < high:  # the largest number of characters kept that still fits
        kept = (low + high + 1) // 2
        low, high = (kept, high) if fits(_cut(text, kept)) else (low, kept - 1)
    return _cut(text, low)


def cells(text: str) -> int:
    """How many columns of a terminal *text* takes: 2 for a wide character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def to_cells(text: str, width: int) -> str:
    """*text* with its middle cut out so that it takes at most *width* columns of a terminal."""
    return middle(text, lambda part: cells(part) <= width)


def _cut(text: str, kept: int) -> str:
    head = kept // 3
    tail = kept - head
    return text[:head] + MARK + (text[-tail:] if tail else "")


def _by_parts(path: str, fits: Callable[[str], bool]) -> str | None:
    """As many whole parts of a path as fit, taken in turn from its end and its beginning; None if not even its name."""
    parts = path.split("/")
    head, tail = 0, 1
    if len(parts) < 3 or not fits(_joined(parts, head, tail)):
        return None
    grows = True
    while grows:
        grows = False
        for more, less in ((0, 1), (1, 0)):
            if head + tail + 1 < len(parts) and fits(_joined(parts, head + more, tail + less)):
                head, tail, grows = head + more, tail + less, True
    return _joined(parts, head, tail)


def _joined(parts: Sequence[str], head: int, tail: int) -> str:
    return "/".join([*parts[:head], MARK, *parts[-tail:]])


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
