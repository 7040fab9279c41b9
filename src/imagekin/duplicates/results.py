"""The last search for duplicates of a whole collection, kept in its cache so that it need not be made again.

``found.json`` holds ids and contents, no paths: what is shown of an item is what the store says of it now, and what is
gone, absent or has another content is left out.
"""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagekin import inventory
from imagekin.duplicates import records, saved
from imagekin.duplicates.calibration import Calibration
from imagekin.duplicates.comparison import Comparison
from imagekin.duplicates.keeper import Rules
from imagekin.duplicates.records import Found, Group, Member
from imagekin.inventory import Inventory
from imagekin.types import Item, Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection

VERSION: Final = 1
_FACTS: Final = ("name", "images", "contents", "compared", "seconds")

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Last:
    """A search as it is still true.

    Attributes:
        made: when it ended, seconds since 1970; it names the search.
        stale: whether there are pictures that it has not seen.
        options: with which it was asked for.
        found: the groups; those of which less than two pictures are left are not among them.
        numbers: of each group, as the search numbered them from 1.
    """

    made: float
    stale: bool
    options: Mapping[str, Any]
    found: Found
    numbers: tuple[int, ...]

    def group(self, number: int) -> Group | None:
        """The group of that number, if it is still there."""
        return self._places.get(number)

    @functools.cached_property
    def _places(self) -> dict[int, Group]:
        return dict(zip(self.numbers, self.found.groups, strict=True))


class Results:
    """The last search of a collection; safe to use from several threads.

    Args:
        photos: the collection; the search of one that is no folder is kept in memory.
    """

    def __init__(self, photos: Collection) -> None:
        self._photos = photos
        place = saved.folder(photos.store)
        self._path = None if place is None else place / "found.json"
        self._lock = threading.Lock()
        self._told: dict[str, Any] | None = None
        self._stamp: tuple[int, int] | None = None
        self._last: tuple[int, Last] | None = None

    def keep(self, found: Found, seen: Inventory, options: Mapping[str, Any]) -> None:
        """Keep a search; *seen* is what the collection held when it began."""
        told = {
            "version": VERSION,
            "made": time.time(),
            "inventory": f"{seen:032x}",
            "options": dict(options),
            **{name: getattr(found, name) for name in _FACTS},
            "calibration": None if found.calibration is None else _measured(found.calibration),
            "skipped": [asdict(skip) for skip in found.skipped],
            "notes": list(found.notes),
            "groups": [_plain(group) for group in found.groups],
        }
        with self._lock:
            self._write(told)

    def last(self) -> Last | None:
        """The last search, with what is still there of it; None if there was none."""
        revision = self._photos.store.revision
        with self._lock:
            told = self._read()
            if told is None:
                return None
            if self._last is None or self._last[0] != revision:
                self._last = revision, _restored(told, self._photos)
            return self._last[1]

    def acted(self, gone: Iterable[tuple[int, str]]) -> None:
        """Take ids and contents, which were acted on, out of what the search has seen, so that it stays true."""
        with self._lock:
            if (told := self._read()) is not None:
                pairs = [(number, bytes.fromhex(digest)) for number, digest in gone]
                left = inventory.without(int(told["inventory"], 16), pairs)
                self._write({**told, "inventory": f"{left:032x}"})

    def _write(self, told: dict[str, Any]) -> None:
        self._told, self._last = told, None
        if self._path is not None:
            text = json.dumps(told)
            saved.write(self._path, json.dumps({"seal": saved.seal(text), "text": text}).encode())
            self._stamp = _stamp(self._path)

    def _read(self) -> dict[str, Any] | None:
        """What is kept; read again where another process has written it."""
        if self._path is None:
            return self._told
        stamp = _stamp(self._path)
        if stamp is None or stamp == self._stamp:
            return self._told  # a folder that cannot be written still has what this process found
        self._stamp, self._last = stamp, None
        self._told = _opened(self._path)
        return self._told


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _opened(path: Path) -> dict[str, Any] | None:
    try:
        sealed = json.loads(path.read_bytes())
        told = json.loads(sealed["text"]) if sealed["seal"] == saved.seal(sealed["text"]) else None
        return told if isinstance(told, dict) and told["version"] == VERSION else None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as failure:
        log.debug("a kept search is not used: %s", failure)
        return None


def _measured(made: Calibration) -> dict[str, Any]:
    return {field.name: getattr(made, field.name) for field in fields(made)}


def _plain(group: Group) -> dict[str, Any]:
    return {
        "keeper": [group.keeper.id, group.keeper.hash],
        "rule": group.rule,
        "members": [
            [each.item.id, each.item.hash, each.kind, each.similarity, each.chance, asdict(each.comparison)]
            for each in group.members
        ],
    }


def _restored(told: dict[str, Any], photos: Collection) -> Last:
    now = inventory.of(photos.store)
    items = photos.store.found([number for group in told["groups"] for number, _ in _named(group)])
    rules = Rules(told["options"].get("prefer") or ())
    groups = [(number, _group(each, items, rules)) for number, each in enumerate(told["groups"], 1)]
    there = [(number, group) for number, group in groups if group is not None]
    scale = told["calibration"]
    found = Found(
        **{name: told[name] for name in _FACTS},
        groups=tuple(group for _, group in there),
        calibration=None if scale is None else Calibration(**{**scale, "nearest": tuple(scale["nearest"])}),
        skipped=tuple(Skipped(**each) for each in told["skipped"]),
        notes=tuple(told["notes"]),
    )
    stale = now != int(told["inventory"], 16)
    return Last(told["made"], stale, told["options"], found, tuple(number for number, _ in there))


def _named(group: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Ids and contents of a group."""
    yield from ((one[0], one[1]) for one in (group["keeper"], *group["members"]))


def _group(told: Mapping[str, Any], items: Mapping[int, Item], rules: Rules) -> Group | None:
    keeper = _there(told["keeper"], items)
    members = []
    for one in told["members"]:
        if (item := _there(one, items)) is not None:
            made = Comparison(**{**one[5], "region": tuple(one[5]["region"])})
            members.append(Member(item, one[2], one[3], made, one[4]))
    if keeper is None:
        return records.left(members, rules)
    return Group(keeper, told["rule"], tuple(members)) if members else None


def _there(one: Sequence[Any], items: Mapping[int, Item]) -> Item | None:
    """The item, if it is present and has the content that was looked at."""
    item = items.get(one[0])
    return None if item is None or item.missing or item.hash != one[1] else item
