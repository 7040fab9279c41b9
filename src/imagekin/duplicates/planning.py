"""What is to be done with duplicates: an act for each, thought out before anything is touched."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagekin import files, location
from imagekin.duplicates.comparison import EXACT, KINDS
from imagekin.duplicates.journal import ACTIONS, HARDLINK, MOVE
from imagekin.duplicates.records import Found
from imagekin.errors import InputError
from imagekin.types import Item, Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection

TRASH: Final = ".imagekin-trash"
"""Hidden folder in an indexed one that deleted pictures lie in until somebody removes it; never indexed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One act that is proposed.

    Attributes:
        act: ``hardlink``, ``move`` or ``delete``.
        item: the duplicate.
        keeper: the picture that stays.
        base: the folder that it goes into; "" for a hard link.
        place: its path within *base*.
    """

    act: str
    item: Item
    keeper: Item
    base: str = ""
    place: str = ""

    @property
    def to(self) -> str:
        """Where it is to go; its own path for a hard link."""
        return os.path.join(self.base, self.place) if self.base else self.item.path


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is proposed, and the indexed folders that it lies in."""

    steps: tuple[Step, ...]
    roots: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """What the files to act on take on disk."""
        return sum(step.item.size for step in self.steps)

    @property
    def places(self) -> list[str]:
        """The folders that files go into."""
        return sorted({step.base for step in self.steps if step.base})


def plan(
    photos: Collection, found: Found, act: str, *, kinds: Sequence[str] = (EXACT,), folder: str | None = None
) -> Plan:
    """Propose an act for each duplicate of some kinds; touches nothing.

    Args:
        photos: the collection.
        found: its duplicates.
        act: ``hardlink`` (one file under both names; exact copies only), ``move`` or ``delete`` (to a hidden folder
            in the indexed one, from which it can be restored until somebody empties it).
        kinds: of ``comparison.KINDS``.
        folder: where to move to.

    Raises:
        InputError: an unknown act or kind, hard links for what is not the same, or a folder that makes no sense.
    """
    _check(act, kinds, folder)
    roots = tuple(sorted(photos.roots(), key=len, reverse=True))
    target = target_of(folder, roots) if act == MOVE and folder is not None else None
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    steps = []
    for group, member in found.members(tuple(kinds)):
        root = _root(member.item.path, roots)
        base = "" if act == HARDLINK else target or os.path.join(root, TRASH, stamp)
        place = os.path.relpath(member.item.path, root) if base else ""
        steps.append(Step(act, member.item, group.keeper, base, place))
    return Plan(tuple(steps), roots)


def foreseen(proposed: Plan) -> tuple[Plan, list[Skipped]]:
    """The steps that can be done as far as can be seen without reading a file, and what cannot, with the reason."""
    devices: dict[str, int | None] = {}
    steps, refused = [], []
    for step in proposed.steps:
        other = step.keeper.path if step.act == HARDLINK else step.base
        if other not in devices:
            devices[other] = _device(other) if step.act == HARDLINK else _device_of_folder(other)
        here, there = _device(step.item.path), devices[other]
        if here is None or there is None:
            gone = step.item.path if here is None else other
            refused.append(Skipped(step.item.path, f"{gone!r} is not there now"))
        elif here != there:
            refused.append(Skipped(step.item.path, f"it is on another drive than {other!r}"))
        else:
            steps.append(step)
    return Plan(tuple(steps), proposed.roots), refused


def _device(path: str) -> int | None:
    """The file system that something lies on, or None where it is not."""
    try:
        return os.lstat(path).st_dev
    except OSError:
        return None


def _device_of_folder(path: str) -> int | None:
    """The file system of a folder, or that which one yet to be made will lie on."""
    while (found := _device(path)) is None and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return found


def _check(act: str, kinds: Sequence[str], folder: str | None) -> None:
    if act not in ACTIONS:
        raise InputError(f"{act!r} is nothing to do with duplicates; known: {', '.join(ACTIONS)}.")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise InputError(f"{(unknown or [''])[0]!r} is no kind of duplicate; known: {', '.join(KINDS)}.")
    if act == HARDLINK and tuple(kinds) != (EXACT,):
        raise InputError("a hard link makes two files one, so it is for exact copies only; move or delete the others.")
    if (act == MOVE) != (folder is not None):
        raise InputError("a folder is needed to move duplicates to, and for nothing else.")


def target_of(folder: str, roots: Sequence[str]) -> str:
    """A folder to move duplicates to, once it is known that it can be one.

    Raises:
        InputError: it is no folder, or lies among the indexed pictures.
    """
    target = os.path.realpath(location.absolute(folder))
    if os.path.lexists(target) and not os.path.isdir(target):
        raise InputError(f"{target} is not a folder; give one to move duplicates to.")
    for root in roots:
        if files.reached(target, root):
            raise InputError(
                f"{target} lies in the indexed folder {root}, where what is moved would be indexed again; give a "
                "folder outside of it."
            )
    return target


def _root(path: str, roots: Sequence[str]) -> str:
    """The longest indexed folder that holds a file; its own folder for one that was indexed by itself."""
    holding: Iterator[str] = (root for root in roots if root != path and files.inside(path, root))
    return next(holding, str(Path(path).parent))
