"""What an engine has to reach, and which of those that do is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagekin.benchmark import specs
from imagekin.benchmark.grid import Build
from imagekin.errors import IndexingError, InputError


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured of one engine with one set of parameters.

    Attributes:
        build: the engine, and what it was built with.
        settings: what it was searched with.
        figures: as in ``benchmark.Record``.
        rows: vectors that were searched.
    """

    build: Build
    settings: Mapping[str, Any]
    figures: Mapping[str, Any]
    rows: int

    @property
    def spec(self) -> str:
        """The engine as ``Collection.engine`` takes it."""
        return specs.written(self.build.engine, {**self.build.parameters, **self.settings})

    @property
    def recall(self) -> float:
        """Share of the true neighbours that it finds."""
        return float(self.figures["recall"])

    @property
    def seconds(self) -> float:
        """Of one search alone: the median, on which other work on the machine has the least influence."""
        return float(self.figures["p50_ms"]) / 1e3

    @property
    def bytes(self) -> float:
        """Memory that it takes, mapped files aside; by its own count where the system does not tell."""
        found = self.figures.get("anonymous_bytes")
        return float(self.figures["own_bytes"] if found is None else found)


class UnmetError(IndexingError):
    """Nothing reaches the goal; the message names what comes nearest.

    Attributes:
        trials: everything that was measured on all vectors.
    """

    def __init__(self, message: str, trials: list[Trial]) -> None:
        super().__init__(message)
        self.trials = trials


@dataclass(frozen=True, slots=True)
class Goal:
    """What an engine has to reach.

    Attributes:
        recall: share of the true k nearest that it finds at least, above 0 and at most 1.
        memory: bytes that it takes at most, mapped files aside; None = any.
        latency: seconds that a search alone takes at most (the median); None = any.
        k: hits of a search.

    Raises:
        InputError: one of them makes no sense.
    """

    recall: float = 0.95
    memory: float | None = None
    latency: float | None = None
    k: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.recall <= 1:
            raise InputError(f"recall must be above 0 and at most 1, not {self.recall!r}.")
        for name, value in (("memory", self.memory), ("latency", self.latency)):
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} must be above 0, not {value!r}.")

    @property
    def sparing(self) -> bool:
        """Whether the least memory is wanted, as a latency is given that is quick enough; else the least time is."""
        return self.latency is not None and self.memory is None

    def met(self, trial: Trial) -> bool:
        """Whether a trial reaches all of it."""
        quick = self.latency is None or trial.seconds <= self.latency
        return trial.recall >= self.recall and quick and (self.memory is None or trial.bytes <= self.memory)

    def cost(self, trial: Trial) -> float:
        """What is to be as small as can be: bytes or seconds."""
        return trial.bytes if self.sparing else trial.seconds

    def best(self, trials: Iterable[Trial]) -> Trial | None:
        """The best of those that reach it, or None."""
        return min(filter(self.met, trials), key=self.cost, default=None)

    def gap(self, trial: Trial) -> float:
        """How far a trial is from the goal: the product of the factors by which it misses; 1 where it does not."""
        missed = max(1.0, (1 - trial.recall + 1e-3) / (1 - self.recall + 1e-3))
        slow = 1.0 if self.latency is None else max(1.0, trial.seconds / self.latency)
        large = 1.0 if self.memory is None else max(1.0, trial.bytes / self.memory)
        return missed * slow * large

    def words(self) -> str:
        """For people: ``recall 0.95, at most 5 ms``."""
        parts = [f"recall {self.recall:g}"]
        if self.latency is not None:
            parts.append(f"at most {self.latency * 1e3:g} ms a search")
        if self.memory is not None:
            parts.append(f"at most {self.memory / 1e6:,.0f} MB of memory")
        return ", ".join(parts)

    def unmet(self, trials: list[Trial]) -> UnmetError:
        """One sentence with the trial that comes nearest."""
        nearest = min(trials, key=lambda trial: (self.gap(trial), self.cost(trial)), default=None)
        if nearest is None:
            return UnmetError(f"no engine reaches {self.words()}: none could be measured.", trials)
        return UnmetError(
            f"no engine reaches {self.words()}; nearest comes {nearest.spec} with recall {nearest.recall:.3f}, "
            f"{nearest.seconds * 1e3:.3g} ms and {nearest.bytes / 1e6:,.0f} MB. The collection is as it was.",
            trials,
        )
