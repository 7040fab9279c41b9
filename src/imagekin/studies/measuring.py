"""The steps of a study, one after the other."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imagekin import benchmark, evaluation, index, maps
from imagekin.benchmark import machine
from imagekin.errors import ImagekinError, InputError
from imagekin.studies import samples
from imagekin.studies.records import Contents, Features, Step, Study

if TYPE_CHECKING:
    from imagekin.benchmark import Record
    from imagekin.collection import Collection
    from imagekin.evaluation import Evaluation, SelfRetrieval, Sweep
    from imagekin.maps import Map
    from imagekin.types import Report

PARTS: Final = {
    "examples": "Pictures and their neighbours",
    "accuracy": "How often neighbours share the label",
    "dimensions": "How far the vectors can shrink",
    "engines": "Search engines compared",
    "map": "The collection in two dimensions",
}
"""What a study can be made of, in its order, and the heading of each."""

ENGINES: Final = ("exact", "faiss", "hnswlib(recall=0.99)", "annoy(recall=0.99)")
_TIMED: Final = 64


def study(
    photos: Collection,
    *,
    parts: Sequence[str] | None = None,
    indexed: Report | None = None,
    seed: int = 0,
    name: str = "",
    command: str = "",
    watch: Callable[[Step], None] | None = None,
) -> Study:
    """Measure and look at a collection from every side: accuracy, dimensions, engines, map.

    A part that cannot be made (no labels, a package that is not installed) is left out, and a note says why.

    Args:
        photos: with at least two images.
        parts: names from ``PARTS``; None for all.
        indexed: what indexing it reported, where it was indexed just now: its speed is told.
        seed: of everything drawn at random.
        name: of what is studied, for the title; by default the collection's.
        command: that makes the same again.
        watch: called when a step begins.

    Raises:
        InputError: fewer than two images, or a part of another name.
    """
    wanted = chosen(parts)
    if len(photos) < 2:
        raise InputError(
            f"a study needs at least 2 images, and the collection has {len(photos)}; index a folder first."
        )
    run = _Run(photos, seed, wanted, watch)
    contents = run.step("contents", "Reading the collection", lambda: _contents(photos))
    features = run.step("features", "Timing the model", lambda: _features(photos, indexed))
    found = run.all(labelled=len(contents.classes) > 1)
    return Study(
        name=name or Path(photos.location).name or photos.location,
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        contents=contents,
        features=features,
        typical=samples.typical(photos, [label for label, _ in contents.classes], seed=seed),
        notes=tuple(run.notes),
        seconds=run.seconds,
        machine=machine.hardware(),
        versions=_versions(),
        seed=seed,
        **found,
    )


@dataclass
class _Run:
    """What has been done so far."""

    photos: Collection
    seed: int
    wanted: Sequence[str]
    watch: Callable[[Step], None] | None
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def all(self, *, labelled: bool) -> dict[str, Any]:
        """Every part that is wanted and can be made, by its name in ``Study``."""
        if not labelled:
            self.notes.append(
                "The images have no labels, or all the same: whether neighbours share it says nothing, so edited "
                "pictures were searched for instead."
            )
        return {
            "examples": self.part("examples", self._examples) or (),
            "evaluation": self.part("accuracy", self._evaluation) if labelled else None,
            "edits": None if labelled else self.part("accuracy", self._edits),
            "reduction": self.part("dimensions", self._reduction) if labelled else None,
            "engines": self.part("engines", self._engines) or (),
            "map": self.part("map", self._map),
        }

    def part(self, name: str, work: Callable[[], Any]) -> Any:
        """What *work* returns; None where the part is not wanted, or cannot be made, which a note then says."""
        if name not in self.wanted:
            return None
        try:
            return self.step(name, PARTS[name], work)
        except ImagekinError as error:
            self.notes.append(f"{PARTS[name]}: left out, as {error}")
            return None

    def step(self, name: str, what: str, work: Callable[[], Any]) -> Any:
        with self._timed(name, what):
            return work()

    @contextmanager
    def _timed(self, name: str, what: str) -> Iterator[None]:
        if self.watch is not None:
            self.watch(Step(len(self.seconds) + 1, len(self.wanted) + 2, what))
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - begun, 3)

    def _examples(self) -> Any:
        return samples.neighbours(self.photos, seed=self.seed)

    def _evaluation(self) -> Evaluation:
        fitting = [k for k in evaluation.CUTOFFS if k < len(self.photos)]
        return evaluation.evaluate(self.photos, k=fitting, seed=self.seed)

    def _edits(self) -> SelfRetrieval:
        return evaluation.self_retrieval(self.photos, seed=self.seed)

    def _reduction(self) -> Sweep:
        return evaluation.by_dimension(self.photos, seed=self.seed)

    def _engines(self) -> tuple[Record, ...]:
        queries = min(500, max(1, len(self.photos) // 5))
        data = benchmark.of_collection(self.photos, queries=queries, seed=self.seed)
        with tempfile.TemporaryDirectory(prefix="imagekin-study-") as folder:
            options = benchmark.Options(seconds=0.3)
            outcome = benchmark.run(data, Path(folder), engines=(), specs=_installed(), options=options)
        if outcome.interrupted:  # what was measured so far is not kept: the study as a whole was stopped
            raise KeyboardInterrupt
        return tuple(outcome.records)

    def _map(self) -> Map:
        return maps.map(self.photos, seed=self.seed)


def _installed() -> list[str]:
    """Of the engines that are compared, those that are here."""
    return [spec for spec in ENGINES if index.ENGINES[index.parse(spec)[0]].installed()]


def chosen(parts: Sequence[str] | None) -> Sequence[str]:
    """The parts of these names in the order of a report, all for None: to be asked before long work.

    Raises:
        InputError: a part of another name.
    """
    for name in parts or ():
        if name not in PARTS:
            raise InputError(f"a study has no part {name!r}; its parts are {', '.join(PARTS)}.")
    return tuple(PARTS) if parts is None else [name for name in PARTS if name in parts]


def _contents(photos: Collection) -> Contents:
    counts: dict[str, int] = {}
    unlabelled = 0
    for item in photos.items():
        if item.label is None:
            unlabelled += 1
        else:
            counts[item.label] = counts.get(item.label, 0) + 1
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    skipped = sum(1 for _ in photos.skips())
    return Contents(len(photos), skipped, tuple(photos.roots()), tuple(ordered), unlabelled)


def _features(photos: Collection, indexed: Report | None) -> Features:
    """The model, and how fast it was; where nothing was embedded just now, a sample is timed."""
    embedder = photos.embedder
    if indexed is not None and indexed.added + indexed.updated >= _TIMED:
        pictures, seconds, sampled = indexed.added + indexed.updated, indexed.seconds, False
    else:
        pictures, seconds, sampled = *_timed(photos), True
    side = int(max(np.atleast_1d(embedder.input_size)))
    return Features(
        embedder.name, embedder.precision, embedder.dim, side, photos.store.metric, pictures, seconds, sampled
    )


def _timed(photos: Collection) -> tuple[int, float]:
    """Embed some of the pictures from their files once more; those that cannot be read do not count."""
    ids, _ = photos.vectors()
    chosen = np.random.default_rng(0).choice(ids, min(_TIMED, len(ids)), replace=False)
    paths = [item.path for item in photos.get(chosen.tolist()) if Path(item.path).is_file()]
    if not paths:
        return 0, 0.0
    photos.embed(paths[:4])
    begun = time.perf_counter()
    try:
        photos.embed(paths)
    except ImagekinError:
        return 0, 0.0
    return len(paths), time.perf_counter() - begun


def _versions() -> dict[str, str]:
    """Of Python and of what figures depend on."""
    found = machine.versions("faiss")
    found.pop("imagekin.index", None)
    return found
