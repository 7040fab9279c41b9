"""Child processes whose time and memory are watched from outside."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.record import ROOT

MIB = 1 / 1024  # of the kB in /proc
EVERY = 0.1  # seconds


@dataclass(slots=True)
class Run:
    """What a child did and took; memory in MiB.

    Attributes:
        answer: what it printed, or the last line of it, that can be read as JSON; else the last line.
        wall: seconds from start to end.
        processor: seconds of all its threads.
        resident: VmRSS every tenth of a second.
        anonymous: RssAnon every tenth of a second: what it allocated, mapped files aside.
        peak: the largest VmRSS, from VmHWM (``ru_maxrss`` would begin with the parent's).
    """

    answer: Any = None
    wall: float = 0.0
    processor: float = 0.0
    resident: list[float] = field(default_factory=list)
    anonymous: list[float] = field(default_factory=list)
    peak: float = 0.0


def run(words: Sequence[str], *, watch: bool = True) -> Run:
    """Run a command from the project's folder and wait for it.

    Raises:
        SystemExit: it failed; its own last words are shown.
    """
    result = Run()
    with tempfile.TemporaryFile("w+") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(list(words), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, result, done), daemon=True)
        if watch:
            watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        result.wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        done.set()
        if watch:
            watcher.join()
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(words[:4])} … failed with code {process.returncode}: {text.strip()[-2000:]}")
    result.processor = usage.ru_utime + usage.ru_stime
    result.answer = _answer(text)
    return result


def python(code: str, *arguments: str, watch: bool = True) -> Run:
    """Run Python source in a new interpreter; *arguments* are its ``sys.argv[1:]``."""
    return run([sys.executable, "-c", code, *arguments], watch=watch)


def module(name: str, settings: dict[str, Any]) -> Run:
    """Run a module of this package as a program with *settings* as JSON."""
    return run([sys.executable, "-m", f"benchmarks.{name}", json.dumps(settings)])


def memory(pid: int) -> tuple[float, float, float]:
    """VmRSS, RssAnon and VmHWM of a process in MiB.

    Raises:
        OSError: it is gone, or this is not Linux.
    """
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    found = dict(re.findall(r"^(\w+):\s*(\d+) kB", text, re.MULTILINE))
    rss, anonymous, peak = (int(found.get(name, 0)) * MIB for name in ("VmRSS", "RssAnon", "VmHWM"))
    return rss, anonymous, peak


def _watch(pid: int, result: Run, done: threading.Event) -> None:
    while not done.is_set():
        with contextlib.suppress(OSError):
            rss, anonymous, peak = memory(pid)
            if rss:  # a process that has ended and is not yet collected shows none
                result.resident.append(rss)
                result.anonymous.append(anonymous)
                result.peak = max(result.peak, peak)
        done.wait(EVERY)


def _answer(text: str) -> Any:
    last = (text.strip().splitlines() or [""])[-1]
    for part in (text, last):
        with contextlib.suppress(ValueError):
            return json.loads(part)
    return last
