"""Which pictures an epoch shows, and in which order: classes alike, however many pictures they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError
from imagekin.evaluation.labelled import by_class

Rows: TypeAlias = NDArray[np.int64]

Order: TypeAlias = Callable[[int], Rows]
"""Gives the rows of an epoch by its number; a batch is a slice of them.  The same number always gives the same rows, so
that a training which was interrupted goes on as if it had not been."""

FEWEST: Final = 2
"""Pictures of a class in a batch, and classes: a pair that belongs together, and one that does not."""


def balanced(labels: ArrayLike, *, seed: int = 0) -> Order:
    """Every class as often as the next, one after the other in changing order; as many rows as there are.

    Pictures of a class come again when all of it have been shown.

    Args:
        labels: of the rows, ``(n,)``.
        seed: of every draw.

    Raises:
        InputError: no labels, or an array of another shape.
    """
    groups = _groups(labels)
    count = sum(map(len, groups))

    def order(epoch: int) -> Rows:
        random = np.random.default_rng([seed, epoch])
        decks, rounds = [_Deck(rows, random) for rows in groups], -(-count // len(groups))
        order = [place for _ in range(rounds) for place in random.permutation(len(groups)).tolist()]
        return np.concatenate([decks[place].take(1) for place in order])[:count]

    return order


def few_per_class(
    labels: ArrayLike, *, classes: int, images: int, seed: int = 0, together: ArrayLike | None = None
) -> Order:
    """Batches of *classes* different classes with *images* pictures each, in which pairs and triplets are found.

    Pictures of a class stand together, so that half a batch has half of the classes.  A class with fewer pictures than
    *images* gives some of them twice, as two views of them if they are augmented.  Batches are whole; an epoch has
    about as many rows as there are.  (P × K batches: Hermans and others, "In Defense of the Triplet Loss for Person
    Re-Identification", 2017.)

    Args:
        labels: of the rows, ``(n,)``.
        classes: P.
        images: K.
        seed: of every draw.
        together: ``(n,)``, the same for rows of classes that come one after the other, such as a writer's signatures
            and imitations of them: the hardest to tell apart meet in a batch.

    Raises:
        InputError: a number below 2, fewer classes than wanted, or no labels.
    """
    groups = _groups(labels)
    for name, number in (("classes", classes), ("images", images)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < FEWEST:
            raise InputError(
                f"a batch needs {FEWEST} {name} or more, to have pairs that belong together and such as do not, not "
                f"{number!r}."
            )
    if classes > len(groups):
        raise InputError(f"a batch of {classes:,} classes cannot be made of {len(groups):,}; ask for fewer of them.")
    families = _families(groups, together)
    batches = max(1, round(sum(map(len, groups)) / (classes * images)))
    whole = len(groups) // classes  # batches of one round through the classes

    def order(epoch: int) -> Rows:
        random = np.random.default_rng([seed, epoch])
        decks, rows = [_Deck(each, random) for each in groups], []
        for at in range(0, batches, whole):
            turn = [place for family in random.permutation(len(families)) for place in families[family]]
            rows += [decks[place].take(images) for place in turn[: classes * min(whole, batches - at)]]
        return np.concatenate(rows)

    return order


def _families(groups: Sequence[Rows], together: ArrayLike | None) -> list[list[int]]:
    """The numbers of groups that come one after the other."""
    if together is None:
        return [[place] for place in range(len(groups))]
    marks, found = np.asarray(together), dict[Any, list[int]]()
    for place, rows in enumerate(groups):
        found.setdefault(marks[rows[0]], []).append(place)
    return list(found.values())


class _Deck:
    """Rows in random order, shuffled again when they run out."""

    def __init__(self, rows: Rows, random: np.random.Generator) -> None:
        self._rows, self._random, self._left = rows, random, rows[:0]

    def take(self, count: int) -> Rows:
        """The next *count*; none of them twice, if there are so many."""
        while len(self._left) < count:
            fresh = self._random.permutation(self._rows)
            again = np.isin(fresh, self._left)
            self._left = np.concatenate([self._left, fresh[~again], fresh[again]])
        taken, self._left = self._left[:count], self._left[count:]
        return taken


def _groups(labels: ArrayLike) -> list[Rows]:
    """The rows of each class."""
    given = np.asarray(labels)
    if given.ndim != 1 or not len(given):
        raise InputError(f"a batch is drawn by one label a picture, (n,), and these are of shape {given.shape}.")
    return by_class(np.unique(given, return_inverse=True)[1])
