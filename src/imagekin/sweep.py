"""What to do with items whose file was not seen: deleted, or on a drive that is absent?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from imagekin import files
from imagekin.store.base import Known, Store, as_text
from imagekin.store.filters import Under
from imagekin.types import FileInfo, Skipped


class Marks:
    """A set of item ids in one bit each, so that a million items need 125 kB."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Mark an id."""
        byte, bit = divmod(number, 8)
        if byte >= len(self._bits):
            self._bits.extend(bytes(byte + 1 - len(self._bits) + len(self._bits) // 2))
        self._bits[byte] |= 1 << bit

    def __contains__(self, number: int) -> bool:
        byte, bit = divmod(number, 8)
        return byte < len(self._bits) and bool(self._bits[byte] & (1 << bit))


class Drives:
    """Tells items of a drive that is absent from items whose file was deleted; the answers of one run are remembered.

    Args:
        roots: the folders and files that the collection knew before this run.
        scan: of this run.
    """

    def __init__(self, roots: Iterable[str], scan: files.Scan) -> None:
        self._roots = frozenset(roots)
        self._scan = scan
        self._devices: dict[str, int] = {}
        self._absent: dict[str, bool] = {}
        self._renumbered: set[tuple[int, int]] = set()

    def renumber(self, before: int, now: int) -> None:
        """Take note that an unchanged file is on the file system *now* and was on *before*."""
        self._renumbered.add((before, now))

    def absent(self, known: Known) -> bool:
        """Whether the item's file is out of reach rather than deleted.

        So it is when the root that it lies in is gone, or is empty like the mount point of a drive that may well be a
        part of the same file system; and when the nearest folder that is there lies on another file system than the
        file did.  Numbers of file systems may change when a computer starts: where unchanged files are on a new one
        and none is left on the old one, they did.
        """
        folder = os.path.dirname(known.path)
        if self._is_absent(folder) or (known.path in self._roots and not os.path.isdir(folder)):
            return True
        now = self._device(folder)
        if known.device == now:
            return False
        return (known.device, now) not in self._renumbered or known.device in self._scan.devices

    def moved(self, known: Known) -> bool:
        """Whether the item's file is certainly not where it was any more, so that a copy elsewhere is the item."""
        gone = not os.path.islink(known.path) and files.is_absent(known.path)
        return gone and not known.missing and not self.absent(known)

    def _is_absent(self, folder: str) -> bool:
        """Whether a root at or above *folder* is gone or empty."""
        if folder not in self._absent:
            parent = os.path.dirname(folder)
            here = folder in self._roots and (files.is_absent(folder) or files.is_empty(folder))
            self._absent[folder] = here or (parent != folder and self._is_absent(parent))
        return self._absent[folder]

    def _device(self, folder: str) -> int:
        """File system of the nearest folder at or above *folder* that exists."""
        if folder not in self._devices:
            parent = os.path.dirname(folder)
            try:
                self._devices[folder] = os.stat(folder).st_dev
            except OSError:
                self._devices[folder] = -1 if parent == folder else self._device(parent)
        return self._devices[folder]


def unseen(store: Store, folders: Sequence[str], failed: Sequence[str], marks: Marks, last: int) -> Iterator[Known]:
    """The items under *folders* that were not marked, but those of *failed* folders, which could not be looked at.

    Items above *last* were added by somebody else during the run.
    """
    for known in store.known(Under(tuple(folders))) if folders else ():
        if known.id <= last and known.id not in marks and not _within(known.path, failed):
            yield known


def skips(
    store: Store, folders: Sequence[str], failed: Sequence[str], found: Iterable[Skipped]
) -> tuple[list[str], list[tuple[FileInfo, str]]]:
    """How the store's list of skipped files has to change, now that *folders* were looked at.

    Returns:
        The paths that it should forget, and what it should learn.  A file of unknown size is tried again each time.
    """
    now = {skip.path: as_text(skip.reason) for skip in found}
    known = {skip.path: skip.reason for skip in store.skips()}
    stale = [path for path in known if path not in now and _within(path, folders) and not _within(path, failed)]
    fresh = [(FileInfo(path, -1, 0), reason) for path, reason in now.items() if known.get(path) != reason]
    return stale, fresh


def _within(path: str, folders: Iterable[str]) -> bool:
    return any(files.inside(path, folder) for folder in folders)
