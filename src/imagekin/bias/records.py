"""What was found by hiding parts of pictures, as immutable records that become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from imagekin.types import Hit, Pixels, Skipped

WHOLE: Final = "whole picture"
SUBJECT: Final = "subject alone"
SURROUNDINGS: Final = "surroundings alone"
PARTS: Final = (WHOLE, SUBJECT, SURROUNDINGS)
"""What of a picture is shown; what is hidden is grey."""


@dataclass(frozen=True, slots=True)
class Look:
    """One picture: what it looks like with its parts hidden, and to what it is similar then.

    Attributes:
        name: its path, or what else it was given as.
        label: or None.
        area: share of what the network sees that is taken for the subject.
        share: of its similarity with its neighbours, what the places of the subject add; None where the model cannot
            tell.
        shown: what the network is shown, by the names of ``PARTS``.
        hits: the neighbours of each.
    """

    name: str
    label: str | None
    area: float
    share: float | None
    shown: Mapping[str, Pixels]
    hits: Mapping[str, list[Hit]]

    def kept(self, part: str) -> int:
        """How many neighbours of the whole picture are those of a part of it too."""
        whole = {hit.id for hit in self.hits[WHOLE]}
        return sum(hit.id in whole for hit in self.hits[part])

    @property
    def verdict(self) -> str:
        """What its similarities come from, in a sentence."""
        count, subject, rest = (len(self.hits[WHOLE]), self.kept(SUBJECT), self.kept(SURROUNDINGS))
        if subject > rest:
            source = "its similarities come from the subject more than from what is around it"
        elif rest > subject:
            source = "its similarities come from what is around the subject more than from the subject"
        else:
            source = "neither the subject nor what is around it explains its similarities more than the other"
        return (
            f"Of its {count} nearest, {subject} stay when the surroundings are hidden and {rest} when the subject is: "
            f"{source}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pixels, as plain data."""
        return {
            "name": self.name, "label": self.label, "area": self.area, "share": self.share,
            "kept": {part: self.kept(part) for part in (SUBJECT, SURROUNDINGS)}, "verdict": self.verdict,
            "hits": {part: [asdict(hit) for hit in hits] for part, hits in self.hits.items()},
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """How many pictures are found by a part of them; intervals are 95 % ones, over classes.

    Attributes:
        name: one of ``PARTS``.
        precision: of the k nearest, the share that has the picture's label.
        low: lower end of its interval.
        high: upper end.
        changed: share of pictures whose neighbours vote for another label than those of the whole picture.
        changed_low: lower end of its interval.
        changed_high: upper end.
    """

    name: str
    precision: float
    low: float
    high: float
    changed: float
    changed_low: float
    changed_high: float


@dataclass(frozen=True, slots=True)
class Sort:
    """One class: what its pictures are found by.

    Attributes:
        label: of the class.
        queries: pictures that asked.
        precision: of the k nearest, the share that has the label, by the names of ``PARTS``.
        changed: share of pictures whose neighbours vote for another label, by part, with the ends of its 95 % interval
            (Wilson).
    """

    label: str
    queries: int
    precision: Mapping[str, float]
    changed: Mapping[str, tuple[float, float, float]]

    @property
    def leaning(self) -> float:
        """By how much its surroundings find it better than its subject does; above 0 is suspicious."""
        return self.precision[SURROUNDINGS] - self.precision[SUBJECT]


@dataclass(frozen=True, slots=True)
class Example:
    """A picture whose surroundings find its neighbours again, while its subject does not.

    Attributes:
        id: of the item.
        subject: neighbours of the whole picture that its subject alone finds.
        surroundings: that its surroundings alone find.
    """

    id: int
    subject: int
    surroundings: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What the pictures of a collection are found by.

    Attributes:
        name: of the collection.
        model: that embeds them.
        images: with a label.
        k: neighbours of each that are looked at.
        subject: how the subject is told from its surroundings.
        area: its share of what the network sees.
        queries: pictures that asked.
        parts: what the whole pictures, the subjects and the surroundings find.
        share: of the similarities with neighbours, what the places of the subjects add, in the mean; or None.
        sorts: the classes, those that lean most on their surroundings first.
        examples: pictures that do.
        skipped: files that could not be read.
        notes: sentences on what was left out.
        seed: of the draw.
        seconds: it all took.
    """

    name: str
    model: str | None
    images: int
    k: int
    subject: str
    area: float
    queries: int
    parts: tuple[Part, ...]
    share: float | None
    sorts: tuple[Sort, ...]
    examples: tuple[Example, ...]
    seed: int
    seconds: float
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = field(default=())

    def part(self, name: str) -> Part:
        """One of the parts by its name."""
        return next(each for each in self.parts if each.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self)
