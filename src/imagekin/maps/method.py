"""The contract of a method of projection: vectors in, places in the plane out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar, Final

import numpy as np

from imagekin.errors import InputError
from imagekin.evaluation.records import Progress
from imagekin.maps.records import Places
from imagekin.types import Vectors

LEAST: Final = 8
"""Pictures below which only PCA makes sense."""


@dataclass(frozen=True)
class Task:
    """Vectors to lay out.

    Attributes:
        vectors: ``(n, components)``, the first two elements being the two largest components.
        options: of the method, as they were given.
        seed: of everything drawn at random.
        progress: called now and then.
    """

    vectors: Vectors
    options: Mapping[str, Any]
    seed: int
    progress: Callable[[Progress], None] | None = None

    def start(self, size: float) -> Places:
        """The two largest components, scaled to a standard deviation of *size*: where methods begin.

        Beginning there keeps the large shape of the data, and a map does not hang on chance (Kobak and Berens, 2019).
        """
        flat = plane(self.vectors)
        deviation = float(flat[:, 0].std())
        return np.asarray(flat * (size / deviation if deviation > 0 else 1.0), np.float32)

    def tell(self, done: int, total: int, what: str) -> None:
        """Say how far it is."""
        if self.progress is not None:
            self.progress(Progress(done, total, what))

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        """An option that is a number within bounds.

        Raises:
            InputError: it is not.
        """
        value = self.options.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low <= value <= high:
            raise InputError(f"{name.replace('_', ' ')} is {value!r}; give a number from {low:g} to {high:g}.")
        return float(value)


@dataclass(frozen=True)
class Laid:
    """What a method made of it.

    Attributes:
        xy: ``(n, 2)``, in the method's own unit.
        options: as they were used.
        notes: sentences on what was done otherwise than asked for.
    """

    xy: Places
    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def plane(vectors: Vectors) -> Places:
    """The first two columns; a second one of zeros where there is one column only."""
    flat = np.zeros((len(vectors), 2), np.float32)
    flat[:, : min(2, vectors.shape[1])] = vectors[:, :2]
    return flat


class Method(ABC):
    """A way to lay vectors out in the plane.

    Attributes:
        options: names of the options that it takes.
        distribution: the package that does it, as pip calls it.
    """

    options: ClassVar[tuple[str, ...]] = ()
    distribution: ClassVar[str] = "imagekin"

    @property
    def made_by(self) -> str:
        """The package and its version, as records keep it."""
        return f"{self.distribution} {version(self.distribution)}"

    @abstractmethod
    def lay(self, task: Task) -> Laid:
        """Lay out at least ``LEAST`` vectors that are not all equal; the same task gives the same places.

        Raises:
            InputError: an option out of range.
        """
