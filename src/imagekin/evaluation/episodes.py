"""What a few examples a class are worth, as immutable records that become JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from imagekin.errors import InputError


@dataclass(frozen=True, slots=True)
class Task:
    """An N-way K-shot task.

    Attributes:
        way: classes to choose from.
        shot: examples of each.
    """

    way: int
    shot: int

    def __str__(self) -> str:
        """As people and ``parse`` write it: ``5x1``."""
        return f"{self.way}x{self.shot}"

    @classmethod
    def parse(cls, text: str) -> Task:
        """The task that ``5x1`` names.

        Raises:
            InputError: it is none.
        """
        way, _, shot = text.strip().lower().replace("×", "x").partition("x")
        if not (way.isascii() and way.isdigit() and shot.isascii() and shot.isdigit() and len(text) < 20):
            raise InputError(f"{text[:40]!r} is no task; write classes x examples of each, such as 5x1.")
        return cls(int(way), int(shot))


@dataclass(frozen=True, slots=True)
class FewShot:
    """How often a picture is put into its class by a few examples of each.

    Attributes:
        task: what was asked.
        accuracy: the mean over episodes of the share that is put right, 0 … 1; a coin of *way* sides has 1 / way.
        low: lower end of its 95 % interval, over episodes.
        high: upper end.
        classes: that episodes were drawn from.
    """

    task: Task
    accuracy: float
    low: float
    high: float
    classes: int


@dataclass(frozen=True, slots=True)
class Episodes:
    """Few-shot classification of a collection, or of labelled vectors.

    Attributes:
        name: of what was evaluated.
        model: that made the vectors, where that is known.
        images: with a label.
        metric: of ``distance.py``.
        dim: elements of a vector.
        episodes: of each task.
        queries: of each class in an episode, at most.
        tasks: and how well they were done, in the order in which they were asked.
        notes: what a reader must know, a sentence each.
        seconds: how long it took.
        seed: of the draws.
    """

    name: str
    model: str | None
    images: int
    metric: str
    dim: int
    episodes: int
    queries: int
    tasks: tuple[FewShot, ...]
    notes: tuple[str, ...]
    seconds: float
    seed: int

    def task(self, text: str) -> FewShot:
        """What was found for ``5x1``.

        Raises:
            KeyError: that was not asked.
        """
        return {str(each.task): each for each in self.tasks}[str(Task.parse(text))]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)
