"""Whose turn it is: pictures of many hosts, fetched at once, with few at a time from each and pauses they ask for."""

from __future__ import annotations

import heapq
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from imagekin.datasets import web

WINDOW: Final = 2_000
"""Pictures of the list that are looked at beyond those in work, so that one host's do not block the others'."""

SILENT: Final = 8
"""Times in a row that a host may not answer before the rest of its pictures is given up for this run."""

_IDLE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """A picture of a list.

    Attributes:
        number: its place in the list.
        id: of the list, or made up.
        url: where it is.
        label: its class, or None.
        goal: where it goes, relative to the folder of pictures.
        local: whether *url* is the path of a file of this machine, as the user's own list may say.
    """

    number: int
    id: str
    url: str
    label: str | None
    goal: str
    local: bool = False


@dataclass(slots=True)
class _Host:
    waiting: list[tuple[float, int, int, Row]] = field(default_factory=list)  # when, number, tries, row
    active: int = 0
    until: float = 0.0
    silent: int = 0


class Hosts:
    """Gives out rows, never more than *per_host* of one host at once; threads may share it.

    Args:
        rows: what is to be fetched, in order.
        per_host: connections to one host.
        window: rows that are looked at ahead.
    """

    def __init__(self, rows: Iterator[Row], *, per_host: int, window: int = WINDOW) -> None:
        self._rows = rows
        self._per_host = per_host
        self._window = window
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._dead: set[str] = set()
        self._waiting = 0
        self._active = 0
        self._ended = False
        self._stopped = False
        self._changed = threading.Condition()

    def take(self) -> tuple[Row, int] | None:
        """The next row and how often it was tried, as soon as its host may be asked; None when all are done."""
        with self._changed:
            while not self._stopped:
                self._fill()
                now = time.monotonic()
                found = self._ready(now)
                if found is not None:
                    return found
                if self._ended and not self._waiting and not self._active:
                    self._changed.notify_all()
                    return None
                self._changed.wait(min(self._soonest(now), _IDLE))
        return None

    def done(self, row: Row, *, answered: bool) -> None:
        """A row is settled, well or not."""
        with self._changed:
            self._release(row, answered=answered)

    def again(self, row: Row, tries: int, *, seconds: float, pause: bool, answered: bool) -> None:
        """Try a row again after some seconds; with *pause*, its host is left alone for as long."""
        with self._changed:
            name = web.site(row.url)
            host = self._hosts.setdefault(name, _Host())
            when = time.monotonic() + seconds
            heapq.heappush(host.waiting, (when, row.number, tries, row))
            self._waiting += 1
            if pause:
                host.until = max(host.until, when)
            self._release(row, answered=answered)

    def is_dead(self, row: Row) -> bool:
        """Whether the row's host has stopped answering."""
        with self._changed:
            return web.site(row.url) in self._dead

    def stop(self) -> None:
        """Give out nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _release(self, row: Row, *, answered: bool) -> None:
        name = web.site(row.url)
        self._active -= 1
        host = self._hosts.get(name)
        if host is not None:
            host.active -= 1
            host.silent = 0 if answered else host.silent + 1
            if host.silent >= SILENT:
                self._dead.add(name)
                host.until = 0.0
                host.waiting = [(0.0, number, tries, row) for _, number, tries, row in host.waiting]
            if not host.waiting and not host.active and not host.silent:
                del self._hosts[name]
        self._changed.notify_all()

    def _fill(self) -> None:
        while not self._ended and self._waiting < self._window:
            row = next(self._rows, None)
            if row is None:
                self._ended = True
                return
            host = self._hosts.setdefault(web.site(row.url), _Host())
            heapq.heappush(host.waiting, (0.0, row.number, 0, row))
            self._waiting += 1

    def _ready(self, now: float) -> tuple[Row, int] | None:
        for name, host in self._hosts.items():
            free = host.active < self._per_host or name in self._dead
            if free and host.waiting and host.until <= now and host.waiting[0][0] <= now:
                _, _, tries, row = heapq.heappop(host.waiting)
                self._waiting -= 1
                self._active += 1
                host.active += 1
                self._hosts.move_to_end(name)
                return row, tries
        return None

    def _soonest(self, now: float) -> float:
        times = [max(host.until, host.waiting[0][0]) - now for host in self._hosts.values() if host.waiting]
        return max(0.001, min(times, default=_IDLE))
