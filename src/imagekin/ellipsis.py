"""Cutting the middle out of a long text, so that both ends of a path stay readable."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

MARK: Final = "…"


def middle(text: str, fits: Callable[[str], bool]) -> str:
    """The longest form of *text* that *fits*, its middle replaced by ``…``.

    A third of what is kept is the beginning and two thirds are the end, because file names tell more than roots do.
    What does not even fit as a lone ``…`` is given back as that.
    """
    if fits(text):
        return text
    low, high = 0, len(text) - 1
    while low < high:  # the largest number of characters kept that still fits
        kept = (low + high + 1) // 2
        low, high = (kept, high) if fits(_cut(text, kept)) else (low, kept - 1)
    return _snapped(_cut(text, low))


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


def _snapped(cut: str) -> str:
    """The cut moved outwards to the path's separators, where that costs less than half of either end."""
    head, _, tail = cut.partition(MARK)
    left, right = head.rfind("/") + 1, tail.find("/")
    head = head[:left] if left > len(head) // 2 else head
    tail = tail[right:] if 0 <= right < len(tail) // 2 else tail
    return head + MARK + tail


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
