"""Which picture of a group to keep, and the rule that decided."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekin import files
from imagekin.types import Item


@dataclass(frozen=True)
class Rules:
    """How keepers are chosen.

    Attributes:
        preferred: absolute folders; a picture in an earlier one is kept rather than one in a later one or in none.
    """

    preferred: Sequence[str] = ()

    def chosen(self, items: Sequence[Item], parts: Collection[int] = ()) -> tuple[Item, str]:
        """The item to keep and why: the first criterion in which it is better than the runner-up.

        Args:
            items: one or more.
            parts: ids of those that are parts of another one, so that something would be lost with it.
        """
        ranked = sorted(items, key=lambda item: self._rank(item, parts))
        best = ranked[0]
        if len(ranked) == 1:
            return best, "it is the only one"
        pairs = zip(_REASONS, self._rank(best, parts), self._rank(ranked[1], parts), strict=True)
        return best, next(reason for reason, mine, theirs in pairs if mine != theirs)

    def _rank(self, item: Item, parts: Collection[int]) -> tuple[Any, ...]:
        """Smaller is better, criterion by criterion as in ``_REASONS``."""
        return (
            item.id in parts,
            self._folder(item.path),
            -item.width * item.height,
            -item.size,
            item.mtime,
            _plain(item.path),
            item.id,
        )

    def _folder(self, path: str) -> int:
        places = (place for place, folder in enumerate(self.preferred) if files.inside(path, folder))
        return next(places, len(self.preferred))


_REASONS = (
    "it is whole, the others are parts of it",
    "it lies in a preferred folder",
    "it has the most pixels",
    "its file is the largest",
    "its file is the oldest",
    "its path comes first",
    "it was indexed first",
)


@functools.lru_cache(maxsize=1024)
def _plain(path: str) -> tuple[int, int, str]:
    """Paths in the order in which a copy comes after what it was copied from: ``a.jpg``, then ``a (1).jpg``."""
    return len(Path(path).parts), len(path), path
