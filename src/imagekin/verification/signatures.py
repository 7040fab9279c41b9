"""Folders of signatures, genuine and forged, as collections for research lay them out; and the pairs in them.

Five layouts are known by their names, in capitals or not: CEDAR (``full_org/original_1_2.png`` and
``full_forg/forgeries_1_2.png``), GPDS (``c-001-02.jpg`` and ``cf-001-02.jpg``), BHSig260 (``H-S-1-G-02.tif`` and
``H-S-1-F-02.tif``), a folder for each writer beside one with ``_forg`` behind its name (SigComp 2011), and a folder for
each writer under or above folders that are called ``genuine`` and ``forged``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.files import Scan
from imagekin.labels import FORGED
from imagekin.verification.pairs import RANDOM

SKILLED: Final = "skilled"
"""The kind of impostors that are imitations of the other picture."""

EACH: Final = 300
"""Pairs of each sort for each writer at most."""

_GENUINE_FOLDERS: Final = frozenset({"genuine", "org", "original", "originals", "full_org", "real"})
_FORGED_FOLDERS: Final = frozenset({"forg", "forged", "forgery", "forgeries", "full_forg", "fake", "skilled"})
_FILES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:original|(?P<forged>forgeries))_(?P<writer>\d{1,9})_\d{1,9}",
        r"c(?P<forged>f)?-(?P<writer>\d{1,9})-\d{1,9}",
        r"[a-z]{1,3}-S-(?P<writer>\d{1,9})-(?:G|(?P<forged>F))-\d{1,9}",
    )
)
_BESIDE: Final = re.compile(r"(?P<writer>.{1,200})[_-](?:forg|forged|forgeries|fake)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signature:
    """One picture.

    Attributes:
        path: absolute.
        writer: whose signature it is, or is meant to be taken for.
        forged: whether somebody else wrote it.
    """

    path: str
    writer: str
    forged: bool

    @property
    def label(self) -> str:
        """The writer; imitations of that hand are a class of their own."""
        return f"{self.writer}{FORGED}" if self.forged else self.writer


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, the first one genuine.

    Attributes:
        one: the first.
        other: the second.
        same: whether one hand wrote both.
        kind: of impostor: ``skilled``, or ``random``, which is also said of genuine pairs.
    """

    one: Signature
    other: Signature
    same: bool
    kind: str


def scan(folder: str | os.PathLike[str]) -> list[Signature]:
    """The signatures under a folder, by path.

    Raises:
        InputError: there is no such folder, or it has none, or they are not laid out in a known way.
    """
    root = os.path.abspath(os.path.expanduser(os.fspath(folder)))
    if not os.path.isdir(root):
        raise InputError(f"there is no folder {root}; give one of signatures, genuine and forged.")
    found = [told(info.path, root) for info in Scan([root])]
    kept = sorted((each for each in found if each is not None), key=lambda each: each.path)
    if not any(not each.forged for each in kept):
        raise InputError(
            f"{root} has no genuine signatures that are laid out in a known way; a folder for each writer with folders "
            "genuine and forged in it is one."
        )
    return kept


def told(path: str, root: str) -> Signature | None:
    """What the names of a file and of its folders under *root* say; None where they say nothing of a writer."""
    *above, name = Path(os.path.relpath(path, root)).parts
    for pattern in _FILES:
        if match := pattern.fullmatch(Path(name).stem):
            return Signature(path, str(int(match["writer"])), match["forged"] is not None)
    if not above:
        return None
    if match := _BESIDE.fullmatch(above[-1]):
        return Signature(path, match["writer"], True)
    sorts = [part.lower() in _FORGED_FOLDERS for part in above if part.lower() in _GENUINE_FOLDERS | _FORGED_FOLDERS]
    writers = [part for part in above if part.lower() not in _GENUINE_FOLDERS | _FORGED_FOLDERS]
    return Signature(path, writers[-1], any(sorts)) if writers else None


def pairs(signatures: Sequence[Signature], *, seed: int = 0) -> list[Pair]:
    """Genuine pairs of every writer, genuine ones beside imitations, and beside genuine ones of others.

    At most 300 of each sort for each writer, drawn at random; as many of others as there are genuine pairs.

    Args:
        signatures: of several writers.
        seed: of the draw.

    Raises:
        InputError: no writer has two genuine signatures.
    """
    random = np.random.default_rng(seed)
    genuine, forged = _by_writer(signatures, forged=False), _by_writer(signatures, forged=True)
    all_of_them, at = [each for some in genuine.values() for each in some], 0
    found: list[Pair] = []
    for writer, own in genuine.items():
        within = np.column_stack(np.triu_indices(len(own), 1))[_drawn(len(own) * (len(own) - 1) // 2, random)]
        found += (Pair(own[one], own[other], True, RANDOM) for one, other in within.tolist())
        found += _beside(own, forged.get(writer, []), SKILLED, random)
        strangers = _drawn(len(own) * (len(all_of_them) - len(own)), random, max(1, len(within)))
        for one, other in zip(*divmod(strangers, max(1, len(all_of_them) - len(own))), strict=True):
            place = int(other) if other < at else int(other) + len(own)  # all but the writer's own
            found.append(Pair(own[int(one)], all_of_them[place], False, RANDOM))
        at += len(own)
    if not any(pair.same for pair in found):
        raise InputError("no writer has two genuine signatures, so that nothing shows how one hand varies.")
    return found


def _beside(
    own: Sequence[Signature], others: Sequence[Signature], kind: str, random: np.random.Generator
) -> Iterator[Pair]:
    for place in _drawn(len(own) * len(others), random).tolist():
        one, other = divmod(place, len(others))
        yield Pair(own[one], others[other], False, kind)


def _drawn(total: int, random: np.random.Generator, most: int = EACH) -> NDArray[np.int64]:
    """Up to *most* different numbers below *total*, ascending."""
    return np.sort(random.choice(total, min(most, total), replace=False)) if total else np.zeros(0, np.int64)


def _by_writer(signatures: Sequence[Signature], *, forged: bool) -> dict[str, list[Signature]]:
    found: dict[str, list[Signature]] = {}
    for each in signatures:
        if each.forged == forged:
            found.setdefault(each.writer, []).append(each)
    return found
