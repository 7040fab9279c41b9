"""Pairs of pictures of which it is known whether they show the same: drawn from labels, or given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import rowwise
from imagekin.errors import InputError
from imagekin.evaluation.labelled import Labelled, by_class
from imagekin.store.base import Store
from imagekin.types import Skipped, Vectors

if TYPE_CHECKING:
    from imagekin.collection import Collection

Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]

RANDOM: Final = "random"
"""The kind of impostors that are no forgeries of the other picture."""

GENUINE: Final = 50_000
IMPOSTORS: Final = 200_000
EACH: Final = 300
"""Genuine pairs of one class at most: else a class of 800 pictures had a hundred times the say of one of 80."""

_PAGE: Final = 4_096


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows of vectors.

    Attributes:
        name: of where they come from, for people, so hostile.
        vectors: ``(n, dim)``.
        rows: of the vectors, ``(p, 2)``.
        same: which pairs are genuine, ``(p,)``.
        kinds: names of the kinds of impostors.
        kind: number of each pair's kind, ``(p,)``; 0 for genuine ones.
        identities: number of what each row shows, ``(n,)``.
        groups: number of the identities that stay together in a fold, ``(n,)``: a forger stands by the forged.
        notes: sentences on what was left out.
        skipped: files that could not be read.
        source: ``labels`` or ``pairs``.
        seen: what is compared, ``(n, m)``, where that is not what the store makes of the vectors; else None.
    """

    name: str
    vectors: Vectors
    rows: Whole
    same: Flags
    kinds: tuple[str, ...]
    kind: Whole
    identities: Whole
    groups: Whole
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = field(default=())
    source: str = "labels"
    seen: Vectors | None = None

    def of_kind(self, number: int) -> Flags:
        """Which pairs are impostors of that kind, ``(p,)``."""
        found: Flags = ~self.same & (self.kind == number)
        return found

    def distances(self, store: Store) -> NDArray[np.float64]:
        """The distance of each pair as searches of *store* have it, ``(p,)``."""
        seen = store.compared(self.vectors) if self.seen is None else self.seen
        parts = []
        for at in range(0, len(self.rows), _PAGE):
            left, right = self.rows[at : at + _PAGE].T
            parts.append(rowwise(seen[left], seen[right][:, None, :], store.metric)[:, 0])
        return np.concatenate(parts).astype(np.float64)


def of_labels(photos: Collection, *, seed: int = 0) -> Pairs:
    """Pairs of a collection's labelled pictures: all, or of many a seeded sample in which no class outweighs the rest.

    A head, or any reducer that learned from the labels, would tell these very classes apart, and no others as well.  So
    it learns again, each time without a part of the classes, and pairs are of classes that it did not learn from.

    Raises:
        InputError: no pictures, no labels, one class, or one picture a class.
    """
    from imagekin.evaluation import labelled

    data = labelled.of_collection(photos)
    random = np.random.default_rng(seed)
    part, seen, note = _strangers(photos, data, seed)
    genuine = _genuine(data.codes, random)
    impostors = _impostors(data.codes, random)
    impostors = impostors[part[impostors[:, 0]] == part[impostors[:, 1]]]
    rows = np.concatenate([genuine, impostors])
    same = np.arange(len(rows)) < len(genuine)
    vectors = data.vectors.astype(np.float32)
    kinds = np.zeros(len(rows), np.int64)
    notes = (*data.notes, *note)
    found = Pairs(data.name, vectors, rows, same, (RANDOM,), kinds, data.codes, data.codes, notes, seen=seen)
    return checked(found)


def _strangers(photos: Collection, data: Labelled, seed: int) -> tuple[Whole, Vectors | None, tuple[str, ...]]:
    """Parts of the rows, what is compared within them if not what the store makes of vectors, and a word on that."""
    from imagekin.evaluation import learned

    every = np.zeros(len(data.codes), np.int64)
    says = photos.store.settings().get("reduce")
    reducer = learned.pupil(says)
    if says is None or reducer is None:
        return every, None, ()
    made = f"The collection compares vectors that {says['spec']} made, which learned from its labels"
    try:
        part, seen = learned.strangers(reducer, data, seed=seed)
    except InputError:
        return every, None, (f"{made}, and from too few classes to be tried on others: new pictures may do worse.",)
    again = f"so for these pairs it learned again, {part.max() + 1} times, without the classes that the pairs are of."
    return part.astype(np.int64), seen, (f"{made}; {again}",)


def checked(pairs: Pairs) -> Pairs:
    """*pairs* without those of one picture with itself or a copy of it, which every threshold accepts.

    Raises:
        InputError: there is no pair of one sort.
    """
    left, right = pairs.rows.T
    copies = left == right
    for at in range(0, len(left), _PAGE):
        some = slice(at, at + _PAGE)
        copies[some] |= (pairs.vectors[left[some]] == pairs.vectors[right[some]]).all(axis=1)
    notes = list(pairs.notes)
    if number := int(copies.sum()):
        notes.append(f"{number:,} pairs of a picture and itself, or a copy of it, were left out.")
    kept = ~copies
    same = pairs.same[kept]
    for sort, there in (("same", same.any()), ("different", (~same).any())):
        if not there:
            raise InputError(
                f"{pairs.name} has no pair that shows {'the same' if sort == 'same' else 'different things'}, of "
                f"{len(pairs.rows):,} that were given; calibration needs both."
            )
    return replace(pairs, rows=pairs.rows[kept], same=same, kind=pairs.kind[kept], notes=tuple(notes))


def joined(count: int, links: Sequence[tuple[int, int]]) -> Whole:
    """Numbers ``(count,)`` that are the same for all that links connect."""
    parents = list(range(count))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for one, other in links:
        parents[root(one)] = root(other)
    numbers = np.unique([root(place) for place in range(count)], return_inverse=True)[1]
    return numbers.astype(np.int64)


def _genuine(codes: Whole, random: np.random.Generator) -> Whole:
    """Pairs of rows of one class, ``(p, 2)``."""
    found = list(_within(codes, random))
    pairs = np.concatenate([*found, np.empty((0, 2), np.int64)])
    if len(pairs) > GENUINE:
        pairs = pairs[np.sort(random.permutation(len(pairs))[:GENUINE])]
    return pairs


def _within(codes: Whole, random: np.random.Generator) -> Iterator[Whole]:
    for rows in by_class(codes):
        number = len(rows) * (len(rows) - 1) // 2
        if number <= 8 * EACH:
            left, right = np.triu_indices(len(rows), 1)
            chosen = np.sort(random.permutation(number)[:EACH])
            yield np.column_stack([rows[left[chosen]], rows[right[chosen]]])
        elif number:
            drawn = np.sort(random.integers(0, len(rows), (4 * EACH, 2)), axis=1)
            drawn = np.unique(drawn[drawn[:, 0] < drawn[:, 1]], axis=0)
            yield rows[drawn[np.sort(random.permutation(len(drawn))[:EACH])]]


def _impostors(codes: Whole, random: np.random.Generator) -> Whole:
    """Pairs of rows of two classes: all of few pictures, else each pair of classes as likely as the next."""
    count = len(codes)
    if count * (count - 1) // 2 <= IMPOSTORS:
        pairs = np.column_stack(np.triu_indices(count, 1))
        different: Whole = pairs[codes[pairs[:, 0]] != codes[pairs[:, 1]]]
        return different
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    classes = random.integers(0, len(sizes), (2 * IMPOSTORS, 2))
    classes = classes[classes[:, 0] != classes[:, 1]]
    rows = order[starts[classes] + (random.random(classes.shape) * sizes[classes]).astype(np.int64)]
    pairs = np.unique(np.sort(rows, axis=1), axis=0)
    return pairs[np.sort(random.permutation(len(pairs))[:IMPOSTORS])]
