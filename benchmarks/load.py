"""How much of the machine others took while something was measured: a record that was disturbed should say so."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.record import cores

TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01


class Load:
    """Core time from now on, split between this process with its finished children, others, and nobody."""

    def __init__(self) -> None:
        self._wall, self._mine, self._idle = _now()

    def shares(self) -> dict[str, float]:
        """Shares of all core time since the start: ``own``, ``others`` (the host's stolen time included), ``idle``."""
        wall, mine, idle = _now()
        whole = (wall - self._wall) * cores()
        own, free = (mine - self._mine) / whole, min(1.0, (idle - self._idle) / whole)
        return {"own": round(own, 3), "others": round(max(0.0, 1 - own - free), 3), "idle": round(free, 3)}


def _now() -> tuple[float, float, float]:
    """Wall seconds, processor seconds of this process and its children that ended, and idle seconds of all cores."""
    times = os.times()
    mine = times.user + times.system + times.children_user + times.children_system
    return time.perf_counter(), mine, idle_seconds()


def idle_seconds() -> float:
    """Seconds that cores had nothing to do or waited for disks, since the machine was started; 0 where unknown."""
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return 0.0
    return (int(words[4]) + int(words[5])) * TICK
