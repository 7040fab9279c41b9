"""Engines of a made-up third party, put on the path of workers too: one that works and some that misbehave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagekin.index import ENGINES

_SOURCE = '''
import os, sys, time
from imagekin.errors import InputError
from imagekin.index.exact import Exact


class Polite(Exact):
    engine = "polite"
    metrics = frozenset({"cosine"})


class Crashing(Exact):
    engine = "crashing"

    def _build(self):
        os.kill(os.getpid(), 11)


class Hanging(Exact):
    engine = "hanging"

    def _build(self):
        time.sleep(3600)


class Greedy(Exact):
    engine = "greedy"

    def _build(self):
        self.kept = [bytearray(os.urandom(1 << 20)) * 64 for _ in range(64)]


class Raising(Exact):
    engine = "raising"

    def _build(self):
        raise ValueError("<b>no\\x1b[31m luck</b>")


class Leaving(Exact):
    engine = "leaving"

    def _build(self):
        print("a word on standard output")
        print("the library gave up", file=sys.stderr)
        os._exit(3)


class Forking(Exact):
    """Leaves a process behind that would run for an hour."""

    engine = "forking"

    def _build(self):
        import subprocess
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", os.environ["TMPDIR"]])


class Full(Exact):
    engine = "full"

    def _save(self, folder):
        raise OSError(28, "No space left on device")


class Wrong(Exact):
    """Answers with the rows 0 ... k-1, whatever was asked, and with made-up distances."""

    engine = "wrong"

    def _nearest(self, queries, k, allow):
        import numpy as np
        shape = len(queries), k
        return np.tile(np.arange(k), (len(queries), 1)), np.full(shape, -5, np.float32)
'''
NAMES = ("polite", "crashing", "hanging", "greedy", "raising", "leaving", "forking", "full", "wrong")


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The engines, as if their package had been installed, for this process's registry and for workers."""
    (folder / "foreign_engines_made_up.py").write_text(_SOURCE, "utf-8")
    info = folder / "foreign_engines_made_up-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-engines-made-up\nVersion: 1.0\n", "utf-8")
    lines = [f"{name} = foreign_engines_made_up:{name.capitalize()}" for name in NAMES]
    (info / "entry_points.txt").write_text("\n".join(["[imagekin.engines]", *lines, ""]), "utf-8")
    rows = {**ENGINES.__dict__}
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), before]))
    import sys

    sys.path.insert(0, str(folder))
    ENGINES.__dict__.pop("_rows", None)
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        ENGINES.__dict__.pop("_rows", None)
        ENGINES.__dict__.update({name: value for name, value in rows.items() if name == "_rows"})
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
