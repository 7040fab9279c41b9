"""How much memory a process has, as Linux tells it; None elsewhere."""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_FIELDS: Final = {"resident": "VmRSS", "anonymous": "RssAnon", "peak": "VmHWM"}


def of_process(pid: int | str = "self") -> Mapping[str, int] | None:
    """Bytes that are ``resident``, of these ``anonymous`` (allocated, mapped files aside), and the ``peak``."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = dict(re.findall(r"^(\w+):\s*(\d+) kB", text, re.MULTILINE))
    sizes = {name: int(found[field]) << 10 for name, field in _FIELDS.items() if field in found}
    return sizes if len(sizes) == len(_FIELDS) else None


def anonymous() -> int | None:
    """Bytes that this process has allocated, once what was freed is given back to the system."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):  # another C library than glibc, which has no such call
        pass
    found = of_process()
    return None if found is None else found["anonymous"]


def available() -> int | None:
    """Bytes that can be allocated on this machine without swapping, cgroup limits included."""
    sizes = []
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii", errors="replace")
        sizes += [int(size) << 10 for size in re.findall(r"^MemAvailable:\s*(\d+) kB", text, re.MULTILINE)]
        most, used = (Path("/sys/fs/cgroup", name).read_text("ascii") for name in ("memory.max", "memory.current"))
        sizes.append(int(most) - int(used))
    except (OSError, ValueError):  # not Linux, or no limit ("max")
        pass
    return max(0, min(sizes)) if sizes else None
