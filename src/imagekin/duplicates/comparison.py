"""Two pictures compared: does one come from the other, by which edit, and what speaks for it?

What the search proposes is first laid whole on whole, in the orientations that the perceptual hash allows; and then
where corners that both have say that the one is a part of the other.  In each case the blocks decide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from imagekin.duplicates import agreement, placement
from imagekin.duplicates.look import Look, apart
from imagekin.duplicates.orientation import ORIENTATIONS
from imagekin.duplicates.placement import Box, Placement

NEAR: Final = "near"
CROP: Final = "crop"
MIRROR: Final = "mirror"
ROTATED: Final = "rotated"
EXACT: Final = "exact"
KINDS: Final = (EXACT, NEAR, CROP, MIRROR, ROTATED)
"""What a duplicate is of its keeper: the same bytes; the same picture saved anew, resized, recoloured or written on;
a part of it; its mirror image; turned by quarters.  The last two may also be parts."""

WHOLE: Final = 0.9
"""Share of a picture's area that must be seen in the other one for it to be all of it."""

SCENE: Final = 10
"""Corners that two pictures of one scene have in common at the least."""

_BITS: Final = 22
"""Of 64 bits that may differ between the hashes of pictures that are laid whole on whole."""

_UPRIGHT: Final = (0, 4)
"""Orientations in which parts are looked for in any case, as it is and mirrored; and in the two likest by the hash."""

_TRIED: Final = 3
"""Orientations that are laid whole on whole at the most."""

_LIKELY: Final = 0.5
"""Agreement from which a contained picture is preferred to one that only overlaps."""

_SURE: Final = 0.9
"""Agreement from which no other placement is looked for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two pictures have in common.

    Attributes:
        agreement: share of the blocks of what both show that are alike, 0…1; 0 where no placement was found.
        correlation: of what both show, −1…1.
        orientation: number in ``ORIENTATIONS``: how the second one must be laid to lie as the first does.
        first: share of the first one's area that both show.
        second: share of the second one's area that both show.
        region: left, top, width and height of what both show, as shares of the first one's sides.
        bits: how many of the 64 bits of the perceptual hashes differ, in that orientation.
        corners: how many corners agree on a placement, be it this one or another.
    """

    agreement: float = 0.0
    correlation: float = 0.0
    orientation: int = 0
    first: float = 0.0
    second: float = 0.0
    region: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    bits: int = 64
    corners: int = 0

    @property
    def contained(self) -> bool:
        """Whether all of one picture is seen in the other one; where neither is, they only overlap."""
        return max(self.first, self.second) >= WHOLE

    @property
    def cropped(self) -> int:
        """1 where the first one is a part of the second, 2 where the second is a part of the first, else 0."""
        if min(self.first, self.second) >= WHOLE:
            return 0
        return 1 if self.first >= self.second else 2

    @property
    def kind(self) -> str:
        """``near``, ``crop``, ``mirror`` or ``rotated``; a mirror image that is also turned counts as turned."""
        laid = ORIENTATIONS[self.orientation]
        if laid.turns:
            return ROTATED
        if laid.mirrored:
            return MIRROR
        return CROP if self.cropped else NEAR


def compare(first: Look, second: Look) -> Comparison:
    """The best of all placements of the second picture over the first one."""
    bits = apart(first, second)
    best = Comparison(bits=int(bits.min()))
    order = sorted(range(len(ORIENTATIONS)), key=lambda number: (int(bits[number]), number))
    for number in [each for each in order[:_TRIED] if bits[each] <= _BITS]:
        laid = ORIENTATIONS[number].size(second.grey.size)
        whole = placement.whole(first.grey.size, laid)
        best = _better(best, _placed(first, second, number, whole), int(bits[number]))
        if best.agreement >= _SURE:
            return best
    for number in dict.fromkeys((*_UPRIGHT, *order[:2])):
        found = placement.found(first.features, second.features.laid(ORIENTATIONS[number]))
        if found is not None:
            best = _better(best, _placed(first, second, number, found), int(bits[number]))
    return best


def _placed(first: Look, second: Look, number: int, where: Placement) -> Comparison:
    """One placement looked at."""
    other = ORIENTATIONS[number].image(second.grey)
    boxes = where.boxes(first.grey.size, other.size)
    if boxes is None:
        return Comparison(orientation=number, corners=where.corners)
    seen = agreement.of((first.grey, boxes[0]), (other, boxes[1]))
    (width, height), box = first.grey.size, boxes[0]
    return Comparison(
        agreement=seen.share,
        correlation=seen.correlation,
        orientation=number,
        first=_share(boxes[0], first.grey.size),
        second=_share(boxes[1], other.size),
        region=(box[0] / width, box[1] / height, (box[2] - box[0]) / width, (box[3] - box[1]) / height),
        corners=where.corners,
    )


def _better(best: Comparison, found: Comparison, bits: int) -> Comparison:
    """Which of the two says more: what agrees and is contained first, then what agrees more."""
    chosen = replace(found, bits=bits) if _rank(found) > _rank(best) else best
    return replace(chosen, corners=max(found.corners, best.corners))


def _rank(found: Comparison) -> tuple[bool, float, int]:
    return found.contained and found.agreement >= _LIKELY, found.agreement, found.corners


def _share(box: Box, size: tuple[int, int]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1]) / (size[0] * size[1])
