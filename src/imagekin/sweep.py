"""What to do with items whose file was not seen: deleted, or on a drive that is absent?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from imagekin import files
from imagekin.store.base import Known, Store
from imagekin.store.filters import Under


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


def vanished(
    store: Store, present: Sequence[str], failed: Sequence[str], marks: Marks, last: int
) -> Iterator[tuple[Known, bool]]:
    """The items under *present* folders that were not marked, each with whether its drive is absent.

    A file whose folder could not be read is left alone.  A file has not been deleted but is *missing* when it lay on
    another file system than the nearest folder that is there now: its drive is not mounted.  Items above *last* were
    added by somebody else during the run.
    """
    if not present:
        return
    devices: dict[str, int] = {}
    for known in store.known(Under(tuple(present))):
        if known.id > last or known.id in marks or any(files.inside(known.path, folder) for folder in failed):
            continue
        yield known, known.device != _device(os.path.dirname(known.path), devices)


def absentees(store: Store, absent: Sequence[str]) -> Iterator[Known]:
    """The items under folders that are not there."""
    return store.known(Under(tuple(absent))) if absent else iter(())


def _device(folder: str, devices: dict[str, int]) -> int:
    """File system of the nearest folder at or above *folder* that exists; *devices* remembers a run's answers."""
    if folder not in devices:
        parent = os.path.dirname(folder)
        try:
            devices[folder] = os.stat(folder).st_dev
        except OSError:
            devices[folder] = -1 if parent == folder else _device(parent, devices)
    return devices[folder]
