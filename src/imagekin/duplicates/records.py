"""What is found: groups of duplicates, and answers to "is this picture in my collection?"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from imagekin.duplicates.calibration import Calibration
from imagekin.duplicates.comparison import CROP, EXACT, KINDS, Comparison
from imagekin.duplicates.keeper import Rules
from imagekin.duplicates.orientation import ORIENTATIONS
from imagekin.errors import InputError
from imagekin.evaluation.records import Progress
from imagekin.types import Item, Skipped

__all__ = ["Answer", "Found", "Group", "Member", "Progress"]

EDITED: Final = "edited"
PART: Final = "crop or mirror"
SCENE: Final = "same scene"
ALIKE: Final = "look-alike"
NOTHING: Final = "none"
VERDICTS: Final = (EXACT, EDITED, PART, SCENE, ALIKE, NOTHING)
"""Whether a picture is in a collection: its very bytes; edited; a part, mirrored or turned; another picture of the
same scene; one that looks like it; nothing of the kind.  The first three say that it is."""


@dataclass(frozen=True, slots=True)
class Member:
    """A duplicate.

    Attributes:
        item: the picture.
        kind: what it is of the keeper, one of ``KINDS``.
        similarity: of the embeddings, 0…1.
        comparison: with the keeper as the first of the two.
        chance: the estimated probability that two strangers agree as well.
    """

    item: Item
    kind: str
    similarity: float
    comparison: Comparison
    chance: float

    @property
    def evidence(self) -> str:
        """What speaks for it, in words."""
        return "the same bytes" if self.kind == EXACT else evidence(self.comparison)


def evidence(found: Comparison) -> str:
    """What speaks for one picture's coming from another, in words; the first one is called the keeper."""
    laid = ORIENTATIONS[found.orientation].name
    parts = [f"{found.agreement:.0%} of what both show agrees", f"{found.bits} of 64 hash bits differ"]
    if found.cropped == 2:
        parts.append(f"shows {found.first:.0%} of the keeper")
    elif found.cropped == 1:
        parts.append(f"the keeper shows {found.second:.0%} of it")
    return "; ".join([*([laid] if laid else []), *parts])


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that are duplicates of one.

    Attributes:
        keeper: the one that is proposed to stay.
        rule: what decided for it, in words.
        members: the others, likest first.
    """

    keeper: Item
    rule: str
    members: tuple[Member, ...]

    @property
    def bytes(self) -> int:
        """What the others take on disk."""
        return sum(member.item.size for member in self.members)

    def kept_by(self, number: int) -> Group:
        """The same with another of its pictures as the one that stays, because a person says so.

        The others were compared with the first keeper and not with this one; files of equal bytes are exact copies
        all the same, and what was an exact copy of the first keeper is to this one what that is.

        Raises:
            InputError: no picture of the group has that id.
        """
        if number == self.keeper.id:
            return self
        chosen = next((member for member in self.members if member.item.id == number), None)
        if chosen is None:
            raise InputError(f"item {number} is none of the pictures of that group.")
        others = (replace(chosen, item=self.keeper), *(each for each in self.members if each is not chosen))
        return Group(chosen.item, "it was chosen", tuple(_beside(each, chosen) for each in others))


def left(members: Sequence[Member], rules: Rules) -> Group | None:
    """What is left of a group whose keeper is gone: the best of the others is kept; None where that leaves nothing.

    The others were compared with what is gone, as in ``Group.kept_by``; and two parts of it may show different things.
    """
    if not members:
        return None
    best, rule = rules.chosen([each.item for each in members], {each.item.id for each in members if each.kind == CROP})
    chosen = next(each for each in members if each.item.id == best.id)
    others = [each for each in members if each is not chosen and (chosen.kind != CROP or each.item.hash == best.hash)]
    return Group(best, rule, tuple(_beside(each, chosen) for each in others)) if others else None


def _beside(member: Member, chosen: Member) -> Member:
    """A member as it is to the one that was chosen."""
    if member.item.hash == chosen.item.hash:
        return replace(member, kind=EXACT, similarity=1.0, chance=0.0)
    return replace(chosen, item=member.item) if member.kind == EXACT else member


@dataclass(frozen=True)
class Found:
    """Every group of duplicates of a collection.

    Attributes:
        name: of the collection.
        images: that were looked at.
        contents: different ones among them.
        compared: pairs that the embedding proposed and that were compared.
        groups: largest saving first.
        calibration: what the verdicts rest on; None where only exact copies were looked for.
        skipped: pictures that could not be looked at.
        notes: sentences on what a reader must know.
        seconds: that it took.
    """

    name: str
    images: int
    contents: int
    compared: int
    groups: tuple[Group, ...]
    calibration: Calibration | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = field(default=())
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """How many duplicates there are of each kind that there is."""
        kinds = [member.kind for group in self.groups for member in group.members]
        return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}

    @property
    def mistakes(self) -> float:
        """How many wrong pairs are to be expected among all that were compared."""
        return 0.0 if self.calibration is None else self.calibration.rate * self.compared

    def only(self, kinds: tuple[str, ...]) -> Found:
        """The same with members of some kinds only."""
        groups = [
            replace(group, members=tuple(member for member in group.members if member.kind in kinds))
            for group in self.groups
        ]
        return replace(self, groups=tuple(group for group in groups if group.members))

    def members(self, kinds: tuple[str, ...] = KINDS) -> Iterator[tuple[Group, Member]]:
        """The duplicates of some kinds, each with its group."""
        for group in self.groups:
            yield from ((group, member) for member in group.members if member.kind in kinds)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        groups = [
            {
                "keeper": asdict(group.keeper),
                "rule": group.rule,
                "bytes": group.bytes,
                "members": [_member(member) for member in group.members],
            }
            for group in self.groups
        ]
        return {
            "name": self.name,
            "images": self.images,
            "contents": self.contents,
            "compared": self.compared,
            "counts": self.counts,
            "mistakes": self.mistakes,
            "groups": groups,
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "skipped": [asdict(skip) for skip in self.skipped],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def _member(member: Member) -> dict[str, Any]:
    told = {"kind": member.kind, "similarity": member.similarity, "chance": member.chance}
    return {**asdict(member.item), **told, **_told(member.comparison), "evidence": member.evidence}


def _told(found: Comparison) -> dict[str, Any]:
    laid = ORIENTATIONS[found.orientation]
    return {**asdict(found), "mirrored": laid.mirrored, "turned": 90 * laid.turns}


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a picture is in a collection.

    Attributes:
        query: the path that was asked for, or its place in the list of queries.
        verdict: one of ``VERDICTS``.
        item: the picture that the verdict is about; None for ``none``.
        similarity: of the embeddings, 0…1.
        comparison: with the item as the first of the two.
        confidence: that the verdict is not due to chance, 0…1, by the calibration.
        reason: what speaks for it, in words.
    """

    query: str
    verdict: str
    item: Item | None
    similarity: float
    comparison: Comparison
    confidence: float
    reason: str

    @property
    def there(self) -> bool:
        """Whether the picture is in the collection, be it edited, cropped, mirrored or turned."""
        return self.verdict in (EXACT, EDITED, PART)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "query": self.query,
            "verdict": self.verdict,
            "there": self.there,
            "confidence": self.confidence,
            "reason": self.reason,
            "similarity": self.similarity,
            "item": None if self.item is None else asdict(self.item),
            **_told(self.comparison),
        }


def is_part(found: Comparison) -> bool:
    """Whether a copy is cropped, mirrored or turned and not only saved anew."""
    return found.orientation != 0 or found.kind == CROP
