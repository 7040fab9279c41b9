"""Which second looks a search takes, by name; one set of them serves searches and evaluations alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from imagekin.distance import normalized
from imagekin.errors import InputError, UnknownNameError
from imagekin.rerank.neighbours import NEAR, POWER, Order, augmented, expanded, nearest, reciprocal
from imagekin.types import Vectors

POOL: Final = 300
"""Nearest items that are ordered anew."""

EXPANSIONS: Final[Mapping[str, str]] = {
    "aqe": "the mean of the query and its 5 nearest",
    "alpha-qe": "their mean weighed by the third power of their similarity",
    "dba": "each of the 300 nearest averaged with 5 of them",
}
"""What ``expand`` may be, and what it means."""

RERANKINGS: Final[Mapping[str, str]] = {"k-reciprocal": "the 300 nearest by how many neighbours they share"}
"""What ``rerank`` may be, and what it means."""

_POWERS: Final = {"aqe": 0.0, "alpha-qe": POWER}


@dataclass(frozen=True, slots=True)
class Ways:
    """How a search looks twice; falsy where it does not.

    Attributes:
        expand: of `EXPANSIONS`, or None.
        rerank: of `RERANKINGS`, or None.

    Raises:
        UnknownNameError: another name; the message lists the known ones.
    """

    expand: str | None = None
    rerank: str | None = None

    def __post_init__(self) -> None:
        for option, known in (("expand", EXPANSIONS), ("rerank", RERANKINGS)):
            name = getattr(self, option)
            if name is not None and name not in known:
                raise UnknownNameError(f"{option} cannot be {name!r}; known: {', '.join(known)}.")

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self.expand is not None or self.rerank is not None

    def __str__(self) -> str:
        """For people: ``aqe, k-reciprocal``."""
        return ", ".join(name for name in (self.expand, self.rerank) if name)

    @property
    def near(self) -> int:
        """Neighbours that ``query`` wants; 0 where the query stays as it is."""
        return NEAR if self.expand in _POWERS else 0

    @property
    def pool(self) -> int:
        """Nearest items that ``order`` wants; 0 where they stay in their order."""
        return POOL if self.expand == "dba" or self.rerank is not None else 0

    def query(self, vector: Vectors, found: Vectors) -> Vectors:
        """The vector ``(dim,)`` to search by, from the query's and those of its nearest items, ``(near, dim)``."""
        query, near = _unit(vector, found)
        return expanded(query, near, power=_POWERS.get(self.expand or "", 0.0)) if len(near) else query

    def order(self, vector: Vectors, found: Vectors) -> Order:
        """The nearest items, whose vectors are *found* ``(n, dim)``, in their new order ``(n,)``."""
        query, rows = _unit(vector, found)
        if len(rows) < 2:
            return np.arange(len(rows))
        if self.expand == "dba":
            rows = augmented(rows)
        return reciprocal(query, rows) if self.rerank else nearest(query, rows)


def check_metric(metric: str) -> None:
    """Refuse vectors that are not compared by their cosine, which all of this is made for.

    Raises:
        InputError: they are not.
    """
    if metric != "cosine":
        raise InputError(f"expand and rerank compare vectors by their cosine; this collection's metric is {metric}.")


def _unit(vector: Vectors, found: Vectors) -> tuple[Vectors, Vectors]:
    return normalized(np.asarray(vector, np.float32)[None])[0], normalized(np.ascontiguousarray(found, np.float32))
