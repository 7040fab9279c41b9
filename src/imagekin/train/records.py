"""What a training found, as immutable records that become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of the same searches by whole vectors and by what was learned.

    Attributes:
        name: ``precision@4``, ``mAP@R`` or ``R@1`` (the nearest is right).
        before: the mean over queries by whole vectors, 0 … 1.
        after: by what was learned.
        low: lower end of the 95 % interval of their difference, by a bootstrap over classes.
        high: upper end.
    """

    name: str
    before: float
    after: float
    low: float
    high: float

    @property
    def gain(self) -> float:
        """After less before."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Trial:
    """How a head did on pictures that it did not learn from.

    Attributes:
        learned: pictures that it learned from.
        images: that were searched, none of which it learned from.
        queries: of these that asked.
        classes: that asked.
        changes: precision@k, mAP@R and R@1.
    """

    learned: int
    images: int
    queries: int
    classes: int
    changes: tuple[Change, ...]

    @property
    def precision(self) -> Change:
        """The measure that decides."""
        return self.changes[0]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe that was tried, on other pictures than those that the gain is told of.

    Attributes:
        name: ``lda``, ``ridge``, ``wccn`` or ``joined``.
        recipe: parameters of ``imagekin.reduce.head.Head``.
        images: precision@k gained on held-out images, 0 … 1; None where there were too few pictures to try it.
        classes: on held-out classes, the mean of the trials; None where there was none.
    """

    name: str
    recipe: Mapping[str, Any]
    images: float | None
    classes: float | None


@dataclass(frozen=True, slots=True)
class Training:
    """What ``train.head`` found.

    Attributes:
        name: of the collection.
        model: whose vectors they are.
        images: learned from, and tried on, each once for each trial.
        labels: classes of these.
        dim: numbers of a whole vector.
        short: numbers that the head leaves.
        chosen: the recipe; its gains here chose it, those of ``on_images`` and ``on_classes`` are of other pictures.
        candidates: all that were tried, the best first.
        on_images: the head on held-out pictures of classes that it learned.
        on_classes: on classes that it never saw; None where there are too few.
        kept: whether it is better.
        reason: why it is kept or is not, one sentence.
        applied: whether the collection is searched by it from now on.
        notes: sentences on what was left out.
        seconds: it all took.
        seed: of every draw.
        source: ``labels`` or ``judgements``; of the latter, ``labels`` counts groups of pictures that were judged to be
            the same, and ``on_images`` questions that were held out.
        judgements: it learned from.
    """

    name: str
    model: str | None
    images: int
    labels: int
    dim: int
    short: int
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    on_images: Trial
    on_classes: Trial | None
    kept: bool
    reason: str
    applied: bool
    notes: tuple[str, ...]
    seconds: float
    seed: int
    source: str = "labels"
    judgements: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self)

    def facts(self) -> dict[str, Any]:
        """What a collection keeps of it beside the head: how it was made, and its gains."""
        precision = {"images": [self.on_images.precision.before, self.on_images.precision.after]}
        if self.on_classes is not None:
            precision["classes"] = [self.on_classes.precision.before, self.on_classes.precision.after]
        made = {"recipe": dict(self.chosen.recipe), "source": self.source, "judgements": self.judgements}
        return {**made, "measure": self.on_images.precision.name, "precision": precision}
