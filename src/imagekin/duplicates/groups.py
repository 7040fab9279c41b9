"""Groups: pictures that are joined by comparisons, each of them compared with the one that is kept.

Joining whatever is joined by anything would chain: a panorama's left half, its middle and its right half.  So a group
is its keeper and what is a copy of the keeper itself; what is not starts over among itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from imagekin.duplicates.comparison import Comparison
from imagekin.duplicates.keeper import Rules
from imagekin.types import Item

Edge = tuple[int, int]


class Union:
    """Union-find over numbers that need not be known before (Tarjan, 1975)."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def root(self, number: int) -> int:
        """The number that stands for the set of *number*."""
        parent = self._parents.setdefault(number, number)
        while parent != number:
            self._parents[number] = self._parents[parent]
            number = parent
            parent = self._parents[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make one set of two."""
        first, second = sorted((self.root(one), self.root(other)))
        self._parents[second] = first

    def sets(self) -> list[list[int]]:
        """Every set, ascending."""
        found: dict[int, list[int]] = {}
        for number in sorted(self._parents):
            found.setdefault(self.root(number), []).append(number)
        return list(found.values())


@dataclass
class Edges:
    """Accepted comparisons of contents, by their first items ``(one, other)`` with ``one < other``."""

    found: dict[Edge, Comparison] = field(default_factory=dict)

    def parts(self) -> set[int]:
        """Those that are a part of another one."""
        return {edge[made.cropped - 1] for edge, made in self.found.items() if made.cropped}

    def among(self, numbers: Iterable[int]) -> Edges:
        """The edges whose two ends are both among *numbers*."""
        chosen = set(numbers)
        return Edges({edge: made for edge, made in self.found.items() if edge[0] in chosen and edge[1] in chosen})

    def sets(self) -> list[tuple[list[int], Edges]]:
        """What is joined, each set with its edges, by the smallest id."""
        union = Union()
        for one, other in self.found:
            union.join(one, other)
        split: dict[int, Edges] = {}
        for edge, made in self.found.items():
            split.setdefault(union.root(edge[0]), Edges()).found[edge] = made
        return [(each, split[union.root(each[0])]) for each in union.sets()]


@dataclass(frozen=True)
class Star:
    """A keeper and what is a copy of it, by content.

    Attributes:
        keeper: first item of the content that stays.
        item: of its items the one that is kept.
        rule: what decided for it.
        others: comparisons of the keeper with the others, by their first items.
    """

    keeper: int
    item: Item
    rule: str
    others: dict[int, Comparison]


def stars(
    edges: Edges,
    items_of: Callable[[Sequence[int]], dict[int, list[Item]]],
    rules: Rules,
    confirm: Callable[[int, Sequence[int]], dict[int, Comparison]],
) -> Iterator[Star]:
    """The groups, each picture in one at the most.

    Args:
        edges: accepted comparisons.
        items_of: the items of each content.
        rules: which one is kept.
        confirm: compares one content with others and gives those that are copies of it.
    """
    waiting = edges.sets()[::-1]
    while waiting:
        numbers, local = waiting.pop()
        items = items_of(numbers)
        cut = local.parts()
        parts = {item.id for number in cut for item in items[number]}
        item, rule = rules.chosen([each for some in items.values() for each in some], parts)
        keeper = next(number for number, some in items.items() if item in some)
        others = confirm(keeper, [each for each in numbers if each != keeper])
        if others:
            yield Star(keeper, item, rule, others)
        waiting += local.among(each for each in numbers if each != keeper and each not in others).sets()
