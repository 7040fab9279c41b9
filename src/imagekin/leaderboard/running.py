"""A run over several models: each is measured once, and its record kept."""

from __future__ import annotations

import datetime
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imagekin import embed
from imagekin.benchmark import machine
from imagekin.benchmark.grid import Absent
from imagekin.benchmark.records import Folder, Record, key
from imagekin.benchmark.sweep import Outcome, Progress, Watch
from imagekin.embed import availability, known
from imagekin.embed.base import Embedder
from imagekin.errors import ImagekinError, InputError
from imagekin.leaderboard import measuring, speeds
from imagekin.leaderboard.pictures import Pictures

GOOD: Final = "precision@4"
SPEED: Final = "images_per_s"


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure.

    Attributes:
        precision: ``fp32`` or ``int8`` where a model offers both; None for its default.
        threads: for one call of a network; None for the model's default.
        device: what networks run on; None for the best one.
        trust: whether weights may be read from a pickle.
        seed: of the intervals, and of what a model learns from.
        retry: measure again what failed before.
        again: measure everything again.
    """

    precision: str | None = None
    threads: int | None = None
    device: str | None = None
    trust: bool = False
    seed: int = 0
    retry: bool = False
    again: bool = False

    def given(self) -> dict[str, Any]:
        """Those that the figures depend on, besides the model's precision."""
        names = ("threads", "device", "seed")
        return {name: getattr(self, name) for name in names if getattr(self, name) not in (None, 0)}


def available() -> list[str]:
    """The models that could be measured now without a download: built in, or in a cache, with their packages."""
    ready = [each.name for each in known.KNOWN if str(availability.of(each.name)) == availability.READY]
    extra = [name for name in embed.EMBEDDERS if name not in embed.SCHEMES and name not in ready]
    found = ready + [name for name in extra if availability.of(name).installed]
    return [name for name in found if name not in _NAMELESS]


_NAMELESS: Final = ("onnx", "faces")
"""Rows of the registry that need a file, or pictures of one kind."""


def run(
    pictures: Pictures,
    specs: Sequence[str],
    folder: Path,
    *,
    options: Options = Options(),  # noqa: B008 - immutable
    watch: Watch | None = None,
) -> Outcome:
    """Measure models on *pictures*, and keep a record of each in *folder*; what is there already is not measured again.

    A model that cannot be had here, such as for want of a package, does not end the run: it is told with the reason.

    Args:
        pictures: see ``of_folder``.
        specs: models as ``embed.create`` takes them.
        folder: of the records; made if it is absent.
        options: how to measure.
        watch: called often.

    Returns:
        The records.  After Ctrl-C ``interrupted`` is True, and the models that were done are there.

    Raises:
        InputError: no models, or one twice.
        StoreError: the folder cannot be written.
    """
    names = list(dict.fromkeys(specs))
    if not names:
        raise InputError("there is no model to measure; name some of those that imagekin models lists.")
    data = pictures.describe() | {"queries": len(pictures.paths), "metric": "cosine"}
    outcome = Outcome(data, total=len(names))
    job = _Run(pictures, Folder(folder / "records", _check), outcome, options=options, watch=watch)
    try:
        for name in names:
            job.one(name)
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


class _Run:
    """The models one after the other, only one of them in memory."""

    def __init__(
        self, pictures: Pictures, kept: Folder, outcome: Outcome, *, options: Options, watch: Watch | None
    ) -> None:
        self.pictures, self.kept, self.outcome, self.options, self.watch = pictures, kept, outcome, options, watch
        self._start = time.monotonic()
        self._done = 0

    def one(self, spec: str) -> None:
        """Add a model's record to the outcome, or why there is none."""
        self._tell(spec, 0)
        options = {name: getattr(self.options, name) for name in ("precision", "threads", "device", "trust")}
        try:
            embedder = _created(spec, options)
        except ImagekinError as error:
            self.outcome.absent.append(Absent(spec, str(error)))
            self._done += 1
            return
        record = self._empty(embedder, spec)
        found = self.kept.get(record.key)
        if found is None or self.options.again or (self.options.retry and found.failed):
            found = self._measured(embedder, record)
            self.kept.put(found)
            self.outcome.measured += 1
        self.outcome.records.append(found)
        self._done += 1

    def _empty(self, embedder: Embedder, spec: str) -> Record:
        """A record without figures, which knows its key."""
        facts = {
            "precision": embedder.precision,
            "fingerprint": embedder.fingerprint,
            "input": list(embedder.input_size),
            **self.options.given(),
        }
        versions = _versions()
        depends = {"data": self.outcome.data, "versions": versions, "machine": dict(machine.hardware())}
        return Record(
            _short(spec), {}, facts, self.outcome.data, versions, depends["machine"],
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            key=key(_short(spec), facts, spec=spec, **depends),
        )  # fmt: skip

    def _measured(self, embedder: Embedder, empty: Record) -> Record:
        from dataclasses import replace

        try:
            figures = measuring.measure(
                embedder, self.pictures, seed=self.options.seed, tell=lambda done: self._tell(empty.engine, done)
            )
        except ImagekinError as error:
            return replace(empty, reason=str(error))
        if self.options.precision is None and not self.options.given().keys() & {"threads", "device"}:
            speeds.remember(empty.engine, figures[SPEED], empty.date)
        return replace(empty, figures=figures)

    def _tell(self, spec: str, done: int) -> None:
        if self.watch is None:
            return
        total = len(self.pictures.paths)
        so_far = self._done + done / total
        left = (time.monotonic() - self._start) * (self.outcome.total - so_far) / so_far if so_far > 0 else None
        self.watch(Progress(self._done, self.outcome.total, f"{spec}: {done:,} of {total:,} pictures", left))


def _created(spec: str, options: dict[str, Any]) -> Embedder:
    """The embedder; an option that it has not is left out, as one is for those of the models that have it."""
    try:
        return embed.create(spec, **options)
    except InputError as error:
        refused = [name for name, value in options.items() if value is not None and f"no option {name!r}" in str(error)]
        if not refused:
            raise
        return _created(spec, {name: value for name, value in options.items() if name not in refused})


def _short(spec: str) -> str:
    """A path becomes the file's name and its folder's: records and tables tell no more of the machine."""
    name = embed.parse(spec)[0]
    scheme, colon, rest = name.partition(":") if name.partition(":")[0] in embed.SCHEMES else ("", "", name)
    if os.path.isabs(os.path.expanduser(rest)) or rest.startswith(os.curdir):
        return f"{scheme}{colon}{'/'.join(Path(rest).parts[-2:])}{spec[len(name) :]}"
    return spec


def _versions() -> dict[str, str]:
    """Of what takes part in every measurement; the model itself is in its fingerprint."""
    import importlib.metadata
    import platform

    import numpy as np

    import imagekin

    found = {"python": platform.python_version(), "numpy": np.__version__, "imagekin": imagekin.__version__}
    for package in ("onnxruntime", "pillow"):
        found[package] = importlib.metadata.version(package)
    return found


def _check(record: Record) -> None:
    """Refuse a record whose figures are not whole."""
    needed = (GOOD, "mAP@R", SPEED, "network_per_s", "query_ms", "bytes", "dim")
    if not record.reason and any(math.isnan(record.figure(name)) for name in needed):
        raise ValueError("its figures are not whole")
