"""Running a worker: with a time limit, a memory limit, and a reason when it does not answer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from imagekin.benchmark import memory
from imagekin.benchmark.grid import About
from imagekin.errors import ImagekinError, IndexingError, InputError, StoreError

_POLL: Final = 0.05
_FAREWELL: Final = 5.0
"""Seconds that a worker has to end after its last answer; some libraries hang when Python takes them down."""


class Refused(InputError):
    """An engine said no to what was asked of it: a metric or a parameter that it does not know."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may take.

    Attributes:
        seconds: of time.
        bytes: of anonymous memory; None = as much as there is.
    """

    seconds: float = 600.0
    bytes: int | None = None


@dataclass(slots=True)
class Answers:
    """What a worker said, and the most anonymous memory that it was seen with."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    peak_bytes: int | None = None

    def one(self, name: str) -> Any:
        """The value of *name* in the first line that has it."""
        return next(line[name] for line in self.lines if name in line)

    def all(self, name: str) -> list[dict[str, Any]]:
        """The lines that have *name*."""
        return [line for line in self.lines if name in line]


def run(job: Mapping[str, Any], limits: Limits, *, beat: Callable[[], None] | None = None) -> Answers:
    """Let a worker do a job.

    Args:
        job: see ``worker``; its files go to a folder in ``job["work"]`` if that is given.
        limits: beyond which it is ended.
        beat: called many times a second.

    Raises:
        Refused: the engine does not know the metric or a parameter.
        IndexingError: it crashed, was ended, or failed; the message is the reason, without the engine's name.
        StoreError: there is no room on the disk.
    """
    with tempfile.TemporaryDirectory(prefix="job-", dir=job.get("work"), ignore_cleanup_errors=True) as place:
        folder = Path(place)
        (folder / "job.json").write_text(json.dumps(dict(job)), encoding="utf-8")
        (folder / "answers").touch()
        with open(folder / "errors", "wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "imagekin.benchmark.worker", folder / "job.json", folder / "answers"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                start_new_session=True, env={**os.environ, "TMPDIR": place},
            )  # fmt: skip
        try:
            answers = Answers()
            reason = _watched(process, folder, answers, limits=limits, beat=beat)
        finally:
            _end(process)
        answers.lines = _read(folder)
        return _judged(answers, reason=reason, code=process.returncode, last_line=_last_line(folder / "errors"))


def describe(engine: str) -> About:
    """What an engine says of itself.

    Raises:
        ImagekinError: it cannot be imported; the message names it and says why.
    """
    try:
        told = run({"stage": "describe", "engine": engine}, Limits(120)).lines[0]
    except (Refused, IndexingError) as error:
        raise type(error)(f"the engine {engine} cannot be used: {error}") from error
    return About(told["options"], told["metrics"], told["knobs"])


def _watched(
    process: subprocess.Popen[bytes], folder: Path, answers: Answers, *, limits: Limits, beat: Callable[[], None] | None
) -> str:
    """Wait for the worker's end, and return why it was not allowed to reach it, or ""."""
    deadline, farewell, seen = time.monotonic() + limits.seconds, None, 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL)
            return ""
        now = time.monotonic()
        found = memory.of_process(process.pid)
        used = found["anonymous"] if found else 0
        answers.peak_bytes = max(answers.peak_bytes or 0, used) or None
        if limits.bytes is not None and used > limits.bytes:
            return f"it was ended as it took more than {limits.bytes / 1e9:.1f} GB of memory"
        size = (folder / "answers").stat().st_size
        if size != seen:
            seen = size
            if any("done" in line or "failed" in line for line in _read(folder)):
                farewell = now + _FAREWELL
        if farewell is not None and now > farewell:
            return ""
        if farewell is None and now > deadline:
            return f"it was ended as it had not finished after {limits.seconds:,.0f} s"
        if beat is not None:
            beat()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a worker and whatever it has started, which is in its group, also when the worker has ended by itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(folder: Path) -> list[dict[str, Any]]:
    """The answers so far; a last line that is not whole is not one."""
    lines = (folder / "answers").read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def _judged(answers: Answers, *, reason: str, code: int, last_line: str) -> Answers:
    said = answers.lines[-1] if answers.lines else {}
    if said.get("done"):
        answers.lines.pop()
        return answers
    if said.get("full"):
        raise StoreError(f"there is no room to measure in ({said['failed']}); free some, or choose another folder.")
    if "failed" in said:
        raise _failed(said)
    if reason:
        raise IndexingError(reason)
    if code < 0:
        raise IndexingError(f"its process crashed ({_signal(-code)})")
    raise IndexingError(f"its process ended by itself with code {code}" + (f": {last_line}" if last_line else ""))


def _failed(said: Mapping[str, Any]) -> ImagekinError:
    return Refused(said["failed"]) if said.get("refused") else IndexingError(said["failed"])


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(path: Path) -> str:
    """The worker's last word on standard error."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else ""
