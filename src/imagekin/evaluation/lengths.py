"""What vectors are worth at several lengths, as immutable records that become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from imagekin.evaluation.records import Asked, Figure

TOLERANCE: Final = 0.005
"""What a shorter vector may lose of precision@k and still count as good as the whole one: half a point.

A rule on the loss itself, and not on the bend of the curve (the greatest distance from its chord, as Kneedle has it),
because the bend moves with the shortest and the longest length that happened to be tried.
"""


@dataclass(frozen=True, slots=True)
class Length:
    """What vectors of one length are worth.

    Attributes:
        dim: elements of a vector.
        precision: precision@k.
        map_r: mAP@R.
        change: of precision@k against the whole vectors, −1 … 1.  Its interval draws the same classes for both, so
            that it is far narrower than theirs.
        variance: share of the variance that is left.
        bytes: of a vector.
        ms: milliseconds of one search by the exact engine, the vector's own reduction included; the median.
        speed: how many times quicker that is than with the whole vectors; the median over pairs of searches.
    """

    dim: int
    precision: Figure
    map_r: Figure
    change: Figure
    variance: float
    bytes: int
    ms: float
    speed: float

    @classmethod
    def of_dict(cls, data: Mapping[str, Any]) -> Self:
        """The length that ``asdict`` made plain."""
        return cls(**{**data, **{name: Figure(**data[name]) for name in ("precision", "map_r", "change")}})


@dataclass(frozen=True, slots=True)
class Sweep(Asked):
    """Accuracy, size and speed by the length of the vectors.

    The metric is that of the whole vectors; the shorter ones are compared by euclidean distance.

    Attributes:
        k: of precision@k.
        reducer: that made the vectors shorter.
        fitted: images that it learned from, without their labels.
        whole: the vectors as they are.
        lengths: the shorter ones, shortest first.
        notes: what a reader must know, a sentence each.
        seconds: how long it took.
        seed: of everything drawn at random.
    """

    k: int
    reducer: str
    fitted: int
    whole: Length
    lengths: tuple[Length, ...]
    notes: tuple[str, ...]
    seconds: float
    seed: int

    @property
    def reaches(self) -> bool:
        """Whether any length is within ``TOLERANCE`` of the whole vectors."""
        return any(one.change.value >= -TOLERANCE for one in self.lengths)

    @property
    def knee(self) -> Length:
        """The shortest length within ``TOLERANCE`` of the whole vectors; where none is, the most precise one."""
        within = [one for one in self.lengths if one.change.value >= -TOLERANCE]
        return within[0] if within else max(self.lengths, key=lambda one: (one.precision.value, -one.dim))

    @property
    def kept(self) -> float:
        """The share of the whole vectors' precision@k that is left at the knee."""
        whole = self.whole.precision.value
        return self.knee.precision.value / whole if whole else 1.0

    @property
    def sentence(self) -> str:
        """What the knee means, for a person."""
        knee, whole = self.knee, self.whole
        told = (
            f"with {knee.dim:,} of {whole.dim:,} dimensions you keep {self.kept:.1%} of the accuracy "
            f"(precision@{self.k}) at {knee.speed:.1f} × the speed, in {knee.bytes / whole.bytes:.0%} of the memory."
        )
        if self.reaches:
            return told[0].upper() + told[1:]
        return f"No length that was tried comes within {100 * TOLERANCE:g} points of the whole vectors; {told}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON, with what the knee is."""
        return {**asdict(self), "knee": self.knee.dim, "kept": self.kept, "sentence": self.sentence}

    @classmethod
    def of_dict(cls, data: Mapping[str, Any]) -> Self:
        """The sweep that ``to_dict`` wrote, also after a way through JSON."""
        parts = {each.name: data[each.name] for each in fields(cls)}
        parts["whole"] = Length.of_dict(data["whole"])
        parts["lengths"] = tuple(Length.of_dict(each) for each in data["lengths"])
        parts["notes"] = tuple(data["notes"])
        return cls(**parts)
