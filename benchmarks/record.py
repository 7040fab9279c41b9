"""Records: one JSON file a run, with the machine, the versions, the command and the figures."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imagekin.replacement import replace

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).with_name("records")
PACKAGES = ("imagekin", "numpy", "onnxruntime", "pillow", "faiss-cpu", "apsw", "torch", "timm")

Record = dict[str, Any]


def write(
    name: str,
    arguments: Sequence[str],
    figures: Mapping[str, Any],
    *,
    folder: Path = FOLDER,
    begun: datetime | None = None,
) -> Path:
    """Write the record of a run of section *name* and return its path; again for the same run, by when it *begun*."""
    now = begun or datetime.now(UTC)
    record = {
        "name": name,
        "date": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "command": command(arguments),
        "figures": dict(figures),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{now:%Y%m%dT%H%M%SZ}.json"
    replace(path, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
    return path


def newest(folder: Path = FOLDER) -> dict[str, Record]:
    """The latest record of each section."""
    found: dict[str, Record] = {}
    for path in sorted(folder.glob("*.json")):
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        if record["date"] >= found.get(record["name"], {"date": ""})["date"]:
            found[record["name"]] = record
    return found


def command(arguments: Sequence[str]) -> str:
    """The command line, folders shortened to their last part: where they lie is nobody's business."""
    words = [Path(word).name if os.sep in word else word for word in arguments]
    return " ".join(["python -m benchmarks", *words])


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory, system, and how busy it was when the record was written."""
    text = _read("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    total = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "cores": cores(),
        "memory_gib": round(int(total[1]) / 2**20, 1) if total else None,
        "system": f"{platform.system()} {platform.machine()}",
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Of Python, the packages that matter, and the source."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    if "apsw" in sys.modules:
        found["sqlite"] = sys.modules["apsw"].sqlite_lib_version()
    found["commit"] = _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "src") else "")
    return found


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
