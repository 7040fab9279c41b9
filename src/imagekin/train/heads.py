"""The verb: learn a head from a collection's labels, and keep it if it is better."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from imagekin import reducing
from imagekin.errors import InputError
from imagekin.evaluation.gallery import Positions
from imagekin.evaluation.labelled import model_of
from imagekin.evaluation.records import Progress
from imagekin.reduce.head import Head
from imagekin.reduce.scatter import Scatter
from imagekin.store.base import Store
from imagekin.train import examples, recipes
from imagekin.train.examples import Examples
from imagekin.train.questions import JUDGEMENTS, STEPS, Learner
from imagekin.train.records import Candidate, Training, Trial
from imagekin.train.trials import Bench

if TYPE_CHECKING:
    from imagekin.collection import Collection

LABELS: Final = "labels"
"""What a training calls what it learned from."""

TOLERANCE: Final = 0.005
"""Precision that a head may lose on classes it never saw: half a point, which a few pictures decide."""

_TRIED: Final = 2_000
"""Queries of the trials that choose a recipe."""

_FEW: Final = 10
"""Classes below which an interval over classes is only rough."""

_STEPS: Final = 4
"""What is done beside trying recipes: drawing, two trials, and the head that is kept."""


def head(
    photos: Collection,
    *,
    dims: int | None = None,
    known_only: bool = False,
    seed: int = 0,
    apply: bool = True,
    progress: Callable[[Progress], None] | None = None,
    source: str | None = None,
) -> Training:
    """Learn from a collection's labels which differences between vectors matter; search by that if it is better.

    No image is read: a head is a projection of the stored vectors (``imagekin.reduce.head.Head``), which stay as they
    are.  Recipes (discriminants, ridge regression, within-class whitening, and these joined) are chosen by
    cross-validation on held-out images and on held-out classes.  The gain that is told is of yet other pictures and
    classes, which the choice did not see.  A head is kept where it surely gains on held-out images and loses at most
    half a point on classes that it never saw; else nothing is changed.  What is kept has then learned from all labels.

    Args:
        photos: a collection with labels.
        dims: numbers that are left of a vector; None for 512, or all there are.
        known_only: no new classes will come, so that what is lost on unseen ones does not matter.
        seed: of every draw; the same seed on the same collection gives the same head.
        apply: search by it from now on, if it is better.
        progress: called now and then.
        source: ``labels``, beside which judgements count; ``judgements`` alone, which are tried on searches that they
            are not of, by the order of what was judged; None for labels where there are enough, or else judgements.

    Returns:
        What was tried, what it gains, and whether it is kept.

    Raises:
        InputError: no labels, one class, too few pictures in each, too few judgements, a metric other than cosine, or
            *dims* out of range.
        UnsupportedError: the collection is in a store that does not reduce vectors.
    """
    started = time.perf_counter()
    store = photos.store
    if store.metric != "cosine":
        raise InputError(f"a head is compared by cosine, and {photos.location} by {store.metric}.")
    learner = _learner(store, source, dims=dims, known_only=known_only, seed=seed, progress=progress)
    tried = learner.tried()
    found = replace(
        tried, name=Path(photos.location).name or photos.location, model=model_of(photos), seconds=_since(started)
    )
    if not (found.kept and apply):
        return found
    made = learner.made(found.chosen)
    facts = {"rows": learner.rows, "trained": {**found.facts(), "before": _before(photos, found.source)}}
    reducing.apply(store, made, facts)
    store.refresh()
    return replace(found, applied=True, seconds=_since(started))


def undo(photos: Collection) -> str | None:
    """Take a collection's head away: search as before it, by the reducer that was then, which learns again.

    Returns:
        That reducer's spec, or None for whole vectors.

    Raises:
        InputError: the collection has no head.
    """
    says = photos.store.settings().get("reduce")
    if says is None or says["spec"].partition(":")[0] != Head.name:
        raise InputError(f"{photos.location} has no head to take away; imagekin train head learns one.")
    before = says.get("trained", {}).get("before")
    photos.reduce = before
    return photos.reduce


@dataclass(frozen=True)
class _Trainer:
    """Everything but the head that is kept: one is chosen by some pictures and judged by others."""

    given: Examples
    dims: int | None
    known_only: bool
    seed: int
    step: Callable[[str], None]

    def tried(self) -> Training:
        """What was tried, and what the chosen recipe gains."""
        given, seed = self.given, self.seed
        rows = np.arange(len(given.codes))
        learn, held = examples.halves(given, rows, seed)
        fresh = examples.unseen(given, rows, seed)
        found = self._chosen(learn if fresh is None else np.setdiff1d(learn, fresh))
        made = Head(self.dims, **found[0].recipe)
        self.step("Trying on held-out images")
        on_images = Bench(given, learn, held, seed=seed).trial(made, seed)
        self.step("Trying on held-out classes")
        on_classes = None
        if fresh is not None:
            on_classes = Bench(given, np.setdiff1d(rows, fresh), fresh, seed=seed).trial(made, seed)
        kept, reason = _verdict(on_images, on_classes, self.known_only)
        labels, dim = len(np.unique(given.codes)), given.vectors.shape[1]
        return Training(
            name="",
            model=None,
            images=len(rows),
            labels=labels,
            dim=dim,
            short=sum(made.lengths(labels, dim)),
            chosen=found[0],
            candidates=found,
            on_images=on_images,
            on_classes=on_classes,
            kept=kept,
            reason=reason,
            applied=False,
            notes=(*given.notes, *_notes(found[0], on_images, on_classes)),
            seconds=0.0,
            seed=seed,
        )

    def made(self, chosen: Candidate) -> Head:
        """The head that learned from everything."""
        self.step("Learning from all")
        return Head(self.dims, **chosen.recipe).learn(Scatter.of(self.given.vectors, self.given.codes))

    @property
    def rows(self) -> int:
        """Pictures that it learned from."""
        return len(self.given.codes)

    def _chosen(self, rows: Positions) -> tuple[Candidate, ...]:
        """Recipes tried within *rows*, the best first."""
        given, seed = self.given, self.seed
        learn, held = examples.halves(given, rows, seed + 1)
        if not examples.askable(given, held):
            return recipes.usual()
        images = Bench(given, learn, held, queries=_TRIED, seed=seed)
        classes = []
        for draw in () if self.known_only else (seed + 1, seed + 2):
            fresh = examples.unseen(given, rows, draw)
            if fresh is not None:
                classes.append(Bench(given, np.setdiff1d(rows, fresh), fresh, queries=_TRIED, seed=seed))
        return recipes.best(images, classes, dims=self.dims, step=self.step)


def _verdict(on_images: Trial, on_classes: Trial | None, known_only: bool) -> tuple[bool, str]:
    """Whether a head is better, and why."""
    change = on_images.precision
    points = f"{100 * change.gain:+.1f} points of {change.name} on images that it did not learn from"
    interval = f"95 % interval {100 * change.low:+.1f} to {100 * change.high:+.1f}"
    if change.low <= 0:
        return False, f"The head is not surely better: {points}, {interval}."
    if on_classes is None or known_only:
        return True, f"The head is better: {points}, {interval}."
    lost = on_classes.precision
    there = f"{100 * lost.gain:+.1f} on classes that it never saw"
    if lost.gain < -TOLERANCE:
        return False, f"The head is better where classes are known ({points}), but not where they are new: {there}."
    return True, f"The head is better: {points}, {interval}, and {there}."


def _notes(chosen: Candidate, on_images: Trial, on_classes: Trial | None) -> list[str]:
    notes = []
    if chosen.images is None:
        notes.append("There are too few pictures in each class to choose among recipes; the usual one was tried.")
    if on_classes is None:
        notes.append("There are too few classes to try it on ones that it never saw.")
    few = min(trial.classes for trial in (on_images, on_classes) if trial is not None)
    if few < _FEW:
        notes.append(f"Only {few} classes ask, so that the 95 % intervals, which are over classes, are rough.")
    return notes


def _learner(
    store: Store,
    source: str | None,
    *,
    dims: int | None,
    known_only: bool,
    seed: int,
    progress: Callable[[Progress], None] | None,
) -> _Trainer | Learner:
    """What learns from labels or, where they are too few and nobody asked for them, from judgements."""
    if source not in (None, LABELS, JUDGEMENTS):
        raise InputError(f"a head learns from {LABELS} or {JUDGEMENTS}, not from {source!r}.")
    if source != JUDGEMENTS:
        step = _Steps(progress, _STEPS + recipes.count())
        try:
            step("Reading")
            return _Trainer(examples.drawn(store, seed), dims, known_only, seed, step)
        except InputError:
            if source == LABELS or not store.judgements():
                raise
    return Learner(store, dims, seed, _Steps(progress, STEPS))


def _before(photos: Collection, source: str) -> str | None:
    """What the collection was reduced by before it had a head, or before it had one that learned from judgements."""
    says = photos.store.settings().get("reduce")
    if says is None or says["spec"].partition(":")[0] != Head.name:
        return photos.reduce
    trained = says.get("trained", {})
    if (source, trained.get("source", LABELS)) == (JUDGEMENTS, LABELS):
        return photos.reduce
    before = trained.get("before")
    return None if before is None or (source == LABELS and before.partition(":")[0] == Head.name) else str(before)


def _since(started: float) -> float:
    return time.perf_counter() - started


class _Steps:
    """Counts what is done and tells it."""

    def __init__(self, progress: Callable[[Progress], None] | None, total: int) -> None:
        self._progress, self._done, self._total = progress, -1, total

    def __call__(self, what: str) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(Progress(self._done, self._total, what))
