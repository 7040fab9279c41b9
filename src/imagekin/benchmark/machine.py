"""On what and with what was measured: processor, memory, versions, and the very code."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import imagekin
from imagekin.index import ENGINES
from imagekin.pipeline import cores


@functools.cache
def hardware() -> Mapping[str, Any]:
    """Processor, cores that may be used, memory, system."""
    text, memory = _read("/proc/cpuinfo"), re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "cores": cores(),
        "memory_gb": round(int(memory[1]) * 1024 / 1e9, 1) if memory else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(engine: str) -> dict[str, str]:
    """Of Python, NumPy, imagekin and its code of engines, and of the packages of *engine*."""
    found = {"python": platform.python_version(), "numpy": np.__version__, "imagekin": imagekin.__version__}
    for name in ENGINES[engine].requires:
        for package in _distributions().get(name, [name]):
            found[package] = importlib.metadata.version(package) if name in _distributions() else "unknown"
    return {**found, "imagekin.index": _code()}


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


@functools.cache
def _code() -> str:
    """A hash of the engines' source: a change of an adapter makes old figures stale, whatever its version says."""
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted((Path(imagekin.__file__).parent / "index").glob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def pace() -> float:
    """Milliseconds that a fixed piece of work takes now: figures taken at very different paces do not compare.

    Sorting, which uses one thread: a matrix product's threads wait for each other where the process may use one core,
    and that would be taken for other programs' work.
    """
    shuffled = np.random.default_rng(0).random(1 << 14, np.float32)
    times = []
    for _ in range(15):
        start = time.perf_counter()
        np.sort(shuffled, kind="stable")
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
