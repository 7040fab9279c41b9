"""The files that workers read: rows, queries and true neighbours, in a folder of their own that is gone afterwards."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from filelock import FileLock, Timeout

from imagekin.benchmark import process, truth
from imagekin.benchmark.grid import Build
from imagekin.benchmark.process import Limits
from imagekin.benchmark.sources import Data
from imagekin.errors import InputError, LockedError, StoreError

_WORK: Final = ".imagekin-bench-"
"""How the folders for a measurement's files begin: the folder around them is the user's, with all that is in it."""


class Workspace:
    """Data, laid out for workers; a context manager.

    Args:
        data: rows and queries.
        k: hits wanted of each search.
        folder: where to work; another process that works there is not disturbed.
        step: called with the number of queries whose true neighbours are known.

    Attributes:
        fingerprint: of the data and k.
        true: distances of the true neighbours, ``(q, k)``.
        work: where the files are while it is entered.

    Raises:
        InputError: k does not fit.
        LockedError: another measurement runs in that folder.
        StoreError: the folder cannot be written.
    """

    def __init__(self, data: Data, k: int, folder: Path, *, step: Callable[[int], None] | None = None) -> None:
        if not 1 <= k <= len(data.train):
            raise InputError(f"k is {k}; give a number from 1 to the {len(data.train):,} vectors that are searched.")
        self.data, self.k, self.folder = data, k, folder
        self.fingerprint = data.fingerprint()
        self._step = step
        self._held = ExitStack()
        self.work = folder

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._held.enter_context(FileLock(self.folder / ".lock", timeout=0))
        except Timeout:
            raise LockedError(f"another measurement runs in {self.folder}; wait, or choose another folder.") from None
        except OSError as error:
            raise StoreError(f"cannot write to {self.folder} ({error.strerror or error}).") from error
        try:
            self._lay_out()
        except BaseException as error:
            self._held.close()
            if isinstance(error, OSError):
                raise StoreError(
                    f"{self.folder} cannot be written ({error.strerror or error}); free some, or choose another folder."
                ) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def _lay_out(self) -> None:
        for left in self.folder.glob(f"{_WORK}*"):  # by a killed process: nobody else works here now
            shutil.rmtree(left, ignore_errors=True)
        self.work = Path(tempfile.mkdtemp(prefix=_WORK, dir=self.folder))
        self._held.callback(shutil.rmtree, self.work, ignore_errors=True)
        self.true = self._true()
        np.save(self.work / "train.npy", self.data.train)
        np.save(self.work / "queries.npy", self.data.queries)
        np.save(self.work / "true.npy", self.true)

    def _true(self) -> truth.Doubles:
        """The true neighbours' distances, from an earlier measurement if there was one."""
        kept = self.folder / f"true-{self.fingerprint}-{self.k}.npy"
        try:
            found: Any = np.load(kept, allow_pickle=False)
            if found.shape == (len(self.data.queries), self.k) and found.dtype == np.float64:
                return np.asarray(found)
        except (OSError, ValueError, EOFError):
            pass
        data = self.data
        true = truth.nearest(data.train, data.queries, self.k, metric=data.metric, step=self._step)
        with open(kept, "wb") as file:
            np.save(file, true)
        return true

    def agreement(self) -> float | None:
        """Share of the queries for which the source states the same k-th distance; None where it states none."""
        said = self.data.true
        if said is None or said.shape[1] < self.k:
            return None
        gap = np.abs(said[:, self.k - 1] - self.true[:, -1])
        return float((gap <= 1e-3 * np.maximum(1, np.abs(self.true[:, -1]))).mean())

    def describe(self) -> dict[str, Any]:
        """The data, k and the fingerprint, as plain data."""
        return {**self.data.describe(), "k": self.k, "fingerprint": self.fingerprint}

    def build(self, build: Build, limits: Limits, *, beat: Callable[[], None] | None = None) -> dict[str, Any]:
        """Build an index and save it for ``search``; its figures.

        Raises:
            ImagekinError: see ``process.run``.
        """
        answers = process.run({**self._job(build), "stage": "build"}, limits, beat=beat)
        return {**answers.one("index"), "peak_bytes": answers.peak_bytes}

    def search(
        self, build: Build, limits: Limits, *, beat: Callable[[], None] | None = None, **words: Any
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Search what was built with its settings; figures of the index, and of each setting that was measured.

        Args:
            build: as it was built.
            limits: see ``process.run``.
            beat: see ``process.run``.
            **words: ``seconds``, ``target``, ``keep`` and ``queries``: see ``measure.search`` and ``worker``.

        Raises:
            ImagekinError: see ``process.run``.
        """
        job = {**self._job(build), "stage": "search", "settings": [dict(each) for each in build.settings], **words}
        answers = process.run(job, limits, beat=beat)
        return answers.one("index"), answers.all("settings")

    def trial(
        self, build: Build, limits: Limits, *, beat: Callable[[], None] | None = None, **words: Any
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Build and search in one go, for a first impression; see ``search``."""
        return self.search(build, limits, beat=beat, stage="trial", **words)

    def drop(self, build: Build) -> None:
        """Remove the index that was built."""
        shutil.rmtree(self._place(build), ignore_errors=True)

    def _place(self, build: Build) -> Path:
        return self.work / hashlib.blake2b(build.spec.encode(), digest_size=8).hexdigest()

    def _job(self, build: Build) -> dict[str, Any]:
        given = build.settings[-1] if build.given is None else build.given
        parameters = {**build.parameters, **given}
        place = {"data": str(self.work), "work": str(self.work), "folder": str(self._place(build))}
        return {"engine": build.engine, "parameters": parameters, "metric": self.data.metric, **place}
