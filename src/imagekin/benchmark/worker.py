"""The process that an engine has to itself: ``python -m imagekin.benchmark.worker JOB ANSWERS``.

It reads a job (JSON), does one thing and appends what it found to the answers, a JSON object a line.  Whatever an
engine does (crash, hang, print, eat memory) hits this process alone.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from imagekin.benchmark import measure
from imagekin.errors import ImagekinError, InputError
from imagekin.index import ENGINES

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

Job = Mapping[str, Any]
Say = Callable[[Mapping[str, Any]], None]


def main() -> int:
    """Do the job and return the exit code: 0 also where the engine refused and its reason is among the answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with open(sys.argv[2], "a", encoding="utf-8") as answers:

        def say(answer: Mapping[str, Any]) -> None:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

        try:
            _STAGES[job["stage"]](job, say)
        except Exception as error:  # libraries raise what they like
            say(_failure(error))
            return 0
        say({"done": True})
    return 0


def _failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, ImagekinError):
        return {"failed": str(error), "refused": isinstance(error, InputError | ImportError)}
    if isinstance(error, MemoryError):
        return {"failed": "there was not enough memory"}
    full = isinstance(error, OSError) and error.errno in _FULL
    return {"failed": f"{type(error).__name__}: {str(error).strip() or 'no reason given'}", "full": full}


def _describe(job: Job, say: Say) -> None:
    engine = ENGINES.load(job["engine"])
    say({
        "options": dict(engine.options),
        "metrics": sorted(engine.metrics),
        "knobs": sorted(engine.knobs()),
    })  # fmt: skip


def _build(job: Job, say: Say) -> None:
    say({"index": measure.build(_task(job))})


def _search(job: Job, say: Say) -> None:
    words = {name: job[name] for name in ("seconds", "target", "keep") if name in job}
    how = measure.trial if job["stage"] == "trial" else measure.search
    figures, lanes = how(_task(job), job["settings"], **words)
    say({"index": figures})
    for lane in lanes:
        say({"settings": lane.settings, "figures": lane.figures()})


_STAGES: Final = {"describe": _describe, "build": _build, "search": _search, "trial": _search}


def _task(job: Job) -> measure.Task:
    folder = Path(job["data"])
    return measure.Task(
        engine=job["engine"],
        parameters=job["parameters"],
        train=np.load(folder / "train.npy", mmap_mode="r", allow_pickle=False),
        queries=np.load(folder / "queries.npy", allow_pickle=False)[slice(*job.get("queries", (None,)))],
        true=np.load(folder / "true.npy", allow_pickle=False)[slice(*job.get("queries", (None,)))],
        metric=job["metric"],
        folder=Path(job["folder"]),
    )


def _leave_with(parent: int) -> None:
    """End when the parent has ended, however it did."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
