"""Engines in processes of their own, so that one that crashes is a failed test with its name, not the suite's end.

A test module has trials, which ``python -m tests.engine_children SPEC FILE MODULE…`` runs on one engine:
``EVERY_METRIC`` under each metric that it knows, ``ONE_METRIC`` under the first.  What comes of a trial, a value or an
exception, is a line of FILE.  Python's warnings are errors there, and what libraries print is kept as noise.

One process does the trials of all modules that pytest has collected, as some libraries take seconds to load.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin.index import ENGINES, parse
from imagekin.index.base import Index
from imagekin.testing.answers import clustered
from tests.installed_engines import need

Answer: TypeAlias = tuple[Any, Any]
ROOT: Final = Path(__file__).parents[1]
DIM: Final = 32
ROWS: Final = 640
"""Enough rows that every engine makes its structure and tunes it."""

SLOW: Final = "pynndescent"  # compiles for half a minute, so it begins first
ON_CPU: Final = "torch(devices='cpu')"
NAMES: Final = tuple(ON_CPU if name == "torch" else name for name in sorted(ENGINES, key=lambda x: (x != SLOW, x)))
"""Every engine, as it comes; the one that is for GPUs has to be told that none is needed here."""

CODES: Final = "faiss:IVF16,PQ8x4fs"
VARIANTS: Final = ("faiss:IVF16,Flat", CODES, "symphonyqg(bits=8)", "usearch(dtype='f32')", "voyager(dtype='e4m3')")
"""Other forms of the engines above, whose structures differ from the form that comes without parameters."""

SPECS: Final = (*NAMES, CODES)
GIVEN: Final = {"ef": 100, "nprobe": 16, "search_k": 2000, "epsilon": 0.3, "rerank": 40}
"""Search settings by the names that engines have for them; an engine that is given them is not tuned."""

SECONDS: Final = 280


def equal(ours: Answer, theirs: Answer) -> bool:
    """Whether two answers are the same ids and distances, to the last digit."""
    return all(np.array_equal(*pair) for pair in zip(ours, theirs, strict=True))


class Subject:
    """An engine under a metric: empty indexes, filled ones, and one that is shared and has to stay as it is."""

    def __init__(self, spec: str, metric: str, folder: Path) -> None:
        name, parameters = parse(spec)
        self.spec, self.folder = spec, folder
        self.kind: type[Index] = ENGINES.load(name)
        # one thread: children run side by side, and the threads of OpenMP wait for each other
        self.parameters = ({"threads": 1} if "threads" in self.kind.options else {}) | parameters
        self.metric = metric

    def empty(self, dim: int = DIM, *, tuned: bool = True) -> Index:
        """An index without rows; one that is not *tuned* is built in a fraction of the time."""
        given = {} if tuned else {name: GIVEN[name] for name in GIVEN if name in self.kind.options}
        return self.kind(dim, self.metric, **{**given, **self.parameters})

    def filled(self, vectors: Any, ids: Any = None, *, tuned: bool = False) -> Index:
        """An index of these rows; their ids are 0, 1, 2 … unless given."""
        index = self.empty(np.shape(vectors)[1], tuned=tuned)
        index.build(range(len(vectors)) if ids is None else ids, vectors)
        return index

    def opened(self, path: Path, dim: int = DIM) -> Index:
        """What was saved there."""
        return self.kind.open(path, dim, self.metric, **self.parameters)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The shared index's rows; others of the same clusters behind them serve as queries."""
        return clustered(ROWS + 40, DIM)

    @cached_property
    def queries(self) -> NDArray[np.float32]:
        """Vectors that are not in the shared index."""
        return self.vectors[ROWS:]

    @cached_property
    def shared(self) -> Index:
        """An index with a structure, not only a scan of few rows."""
        index = self.filled(self.vectors[:ROWS], tuned=True)
        assert index._built == ROWS, f"{self.spec} makes no structure of {ROWS} rows, so nothing would be tried"
        self._before: Answer = index.search(self.queries[:5], 10)
        return index

    def unchanged(self) -> bool:
        """Whether the shared index answers as before."""
        after = self.shared.search(self.queries[:5], 10)
        return len(self.shared) == ROWS and equal(self._before, after)


Trial: TypeAlias = Callable[[Subject], Any]


@dataclass(frozen=True)
class Ran:
    """What came of an engine's trials in one module.

    Attributes:
        outcomes: by trial; a value, or ``"ErrorClass: message"``.
        fault: how the process ended during them, "" if it did not.
        noise: what the process printed.
    """

    outcomes: Mapping[str, Any]
    fault: str
    noise: str


class Children:
    """The trials of a module, one process an engine, as many at a time as there are cores, begun before their turn."""

    _modules: ClassVar[dict[str, tuple[str, ...]]] = {}
    _runs: ClassVar[dict[str, Future[dict[str, Ran]]]] = {}
    _pool: ClassVar[ThreadPoolExecutor] = ThreadPoolExecutor(os.cpu_count() or 1)

    def __init__(self, module: str, specs: Sequence[str] = SPECS) -> None:
        self._module = module
        self._modules[module] = tuple(specs)

    def of(self, spec: str) -> Ran:
        """What came of the trials of *spec*; skips the test where its package is missing."""
        need(spec)
        known = list(dict.fromkeys(one for specs in self._modules.values() for one in specs))
        at = known.index(spec)
        for near in [*known[:1], *known[at : at + (os.cpu_count() or 1)]]:
            if near not in self._runs:
                modules = [module for module, specs in self._modules.items() if near in specs]
                self._runs[near] = self._pool.submit(_run, near, modules)
        return self._runs[spec].result()[self._module]

    def sound(self, spec: str, expected: Iterable[tuple[str, str]] = ()) -> Ran:
        """``of``, unless an outcome is not what *expected* says, by the trial's name without its metric, or else ok."""
        ran, sentences = self.of(spec), dict(expected)
        assert not ran.fault, ran.fault
        got = [(title, title.rpartition(" (")[0], value) for title, value in ran.outcomes.items()]
        wrong = [f"{title}: {value}" for title, name, value in got if value != sentences.get(name, "ok")]
        assert not wrong, "\n".join(wrong)
        return ran


def _run(spec: str, modules: Sequence[str]) -> dict[str, Ran]:
    """The trials of modules; after a crash a new process goes on with the module behind."""
    if not modules:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        command = [sys.executable, "-m", "tests.engine_children", spec, str(report), *modules]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=False)
            code, noise = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired as error:
            code, noise = -9, (error.stdout or b"") + (error.stderr or b"")
        lines = [json.loads(line) for line in report.read_text("utf-8").splitlines()] if report.exists() else []
    text = noise.decode("utf-8", "replace").strip()
    last, title = next(((line[0], line[1]) for line in reversed(lines)), (modules[0], "its start"))
    ran = {
        module: Ran(
            {line[1]: line[2] for line in lines if line[0] == module and len(line) == 3},
            f"{spec} ended with status {code} in {title}: …{text[-1000:]}" if code and module == last else "",
            text,
        )
        for module in modules
    }
    return ran if not code else {**ran, **_run(spec, modules[modules.index(last) + 1 :])}


def main(spec: str, report: str, *modules: str) -> None:
    """Run the trials of modules on one engine."""
    logging.getLogger("imagekin").addHandler(logging.NullHandler())
    metrics = sorted(ENGINES.load(parse(spec)[0]).metrics)
    with tempfile.TemporaryDirectory() as folder, open(report, "a", encoding="utf-8", buffering=1) as file:
        for module in modules:
            trials = importlib.import_module(module)
            for metric in metrics:
                subject = Subject(spec, metric, Path(folder) / module / metric)
                subject.folder.mkdir(parents=True)
                chosen: Mapping[str, Trial] = trials.EVERY_METRIC
                for name, trial in {**chosen, **(trials.ONE_METRIC if metric == metrics[0] else {})}.items():
                    title = f"{name} ({metric})"
                    file.write(json.dumps([module, title]) + "\n")
                    file.write(json.dumps([module, title, outcome(trial, subject)]) + "\n")


def outcome(trial: Trial, subject: Subject) -> Any:
    """A trial's value, ``"ok"`` for None, or ``"ErrorClass: message"``; never an exception."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value = trial(subject)
            result = "ok" if value is None else value
    except BaseException as error:  # what a library in Rust raises when it panics is no Exception
        text = str(error)[:600] or traceback.extract_tb(error.__traceback__)[-1].line
        result = f"{type(error).__name__}: {text}".replace(str(subject.folder), "FOLDER")
    if "shared" in vars(subject) and not subject.unchanged():
        return f"{result} - and the index answers otherwise than before"
    return result


if __name__ == "__main__":
    main(*sys.argv[1:])
