"""What work costs: seconds, processor seconds, and joules by the processor's own counters where they can be read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.load import Load
from benchmarks.rounds import significant

COUNTERS: Final = Path("/sys/class/powercap")
"""Where Linux shows the counters of Intel's and AMD's processors (RAPL); virtual machines mostly do not."""

WATTS: Final = 5.0
"""Of a busy core, where nothing counts: processors of servers with 64 to 96 cores are made for 280 to 400 W."""


class Meter:
    """Counts from now on.

    Counters see the whole machine, memory, disks and power supply left out; the estimate is this process's and its
    finished children's processor time, times *watts*, whatever others do meanwhile.
    """

    def __init__(self, watts: float = WATTS, counters: Path = COUNTERS) -> None:
        self._watts, self._load = watts, Load()
        self._packages = packages(counters)
        self._begun = {package: microjoules(package) for package in self._packages}
        self._wall, self._processor = time.perf_counter(), processor_seconds()

    def used(self) -> dict[str, Any]:
        """Since then: ``seconds``, ``processor_s``, ``joules``, whether these were ``counted``, and others' share."""
        seconds, processor = time.perf_counter() - self._wall, processor_seconds() - self._processor
        joules = sum(map(self._joules, self._packages)) if self._packages else processor * self._watts
        return {
            "seconds": significant(seconds),
            "processor_s": significant(processor),
            "joules": significant(joules),
            "counted": bool(self._packages),
            "others": self._load.shares()["others"],
        }

    def _joules(self, package: Path) -> float:
        """Of one processor; its counter begins again at 0 when it is full."""
        used = microjoules(package) - self._begun[package]
        if used < 0:
            used += int((package / "max_energy_range_uj").read_text(encoding="ascii"))
        return used / 1e6


def packages(counters: Path = COUNTERS) -> list[Path]:
    """The folders of whole processors whose counters may be read; their cores and memory are counted within them."""
    found = sorted(counters.glob("*-rapl:*")) if counters.is_dir() else []
    return [folder for folder in found if folder.name.count(":") == 1 and _readable(folder)]


def microjoules(package: Path) -> int:
    return int((package / "energy_uj").read_text(encoding="ascii"))


def processor_seconds() -> float:
    """Of this process and its children that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _readable(folder: Path) -> bool:
    try:
        return microjoules(folder) >= 0
    except (OSError, ValueError):
        return False
