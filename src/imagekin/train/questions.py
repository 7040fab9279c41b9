"""Learning from judgements alone: what is right is to come before what is wrong, also for questions held out.

Pictures that were judged to be the same make up small groups, and how these differ within themselves is what is to
count less (relevant component analysis: Shental, Hertz, Weinshall, Pavel, ECCV 2002).  Of what kinds there are besides
nothing is said, so nothing is measured but the order of what was judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import metrics, reducing
from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.evaluation.gallery import Positions
from imagekin.reduce.head import Head
from imagekin.reduce.pca import PCA
from imagekin.reduce.scatter import Scatter
from imagekin.store.base import Store
from imagekin.train import judged
from imagekin.train.judged import Judged, Question
from imagekin.train.records import Candidate, Change, Training, Trial
from imagekin.types import Vectors

Shares = NDArray[np.float64]

JUDGEMENTS: Final = "judgements"
"""What a training calls what it learned from."""

ENOUGH: Final = 5
"""Questions that say what comes before what: with fewer, nothing can be held out that tells of others."""

MEASURE: Final = "right before wrong"
"""Of all pairs of a right and a wrong picture of a question, the share in which the right one is nearer."""

RECIPES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    *(("wccn", {"known": "none", "whitening": whitening}) for whitening in (0.1, 0.3, 0.6, 0.9)),
    *(("joined", {"shrinkage": 0.6, "power": 1.0, "rest": rest, "whitening": 0.6}) for rest in (1.0, 3.0)),
)
"""What is tried; few judgements cannot choose among many."""

_FOLDS: Final = 5
_INNER: Final = 3
_SAMPLE: Final = 5_000
_BASIS: Final = 256
"""Directions, those in which the collection varies most, in which a few hundred judgements are left to speak."""

STEPS: Final = 1 + _FOLDS
"""What is told while it is tried."""


class Learner:
    """Everything but the head that is kept, for ``train.head``.

    Args:
        store: of the collection.
        dims: numbers that are left of a vector; None for all of the directions that are looked at.
        seed: of every draw.
        step: called with what is done next.

    Raises:
        InputError: too few questions say what is to come before what, or *dims* is too large.
    """

    def __init__(self, store: Store, dims: int | None, seed: int, step: Callable[[str], None]) -> None:
        self.seed, self._step = seed, step
        step("Reading")
        self.given = judged.drawn(store)
        _check(self.given, store.location)
        pca = _basis(store, seed)
        if dims is not None and dims > pca.n_components_:
            raise InputError(
                f"a head that learns from judgements looks along {pca.n_components_:,} directions, and leaves at "
                f"most as many numbers of a vector, not {dims:,}."
            )
        self.dims = dims
        self._bench = Bench(self.given, pca, self.dims, before=_before(store, self.given.vectors))

    def tried(self) -> Training:
        """What was tried, and what the chosen way gains on questions that it did not see."""
        given, bench = self.given, self._bench
        asking = np.array([at for at, each in enumerate(given.questions) if each.orders])
        after = np.empty(len(asking))
        for held in _folds(len(asking), _FOLDS, self.seed):
            self._step("Trying on held-out searches")
            learn = np.setdiff1d(np.arange(len(given.questions)), asking[held])
            chosen = self._candidates(learn)[0]
            after[held] = bench.scores([chosen.recipe], learn, asking[held])[0]
        candidates = self._candidates(np.arange(len(given.questions)))
        trial = _trial(bench.plain[asking], after, len(given.ids), self.seed)
        kept, reason = _verdict(trial.precision)
        every = np.arange(len(given.ids))
        return Training(
            name="", model=None, images=len(given.ids), dim=given.vectors.shape[1], short=self._short(),
            labels=len(np.unique(given.kinds(given.questions, every))), chosen=candidates[0], candidates=candidates,
            on_images=trial, on_classes=None, kept=kept, reason=reason, applied=False,
            notes=(*given.notes, *_notes(given, len(asking))), seconds=0.0, seed=self.seed, source=JUDGEMENTS,
            judgements=given.judgements,
        )  # fmt: skip

    def made(self, chosen: Candidate) -> Head:
        """The head that learned from everything."""
        every = np.arange(len(self.given.ids))
        return self._bench.head(chosen.recipe, self._bench.scatter(every, np.arange(len(self.given.questions))))

    @property
    def rows(self) -> int:
        """Pictures that it learned from."""
        return len(self.given.ids)

    def _candidates(self, questions: Positions) -> tuple[Candidate, ...]:
        """The ways by what they gain within *questions*, the best first."""
        asking = np.array([at for at in questions if self.given.questions[at].orders])
        gains = np.zeros(len(RECIPES))
        for held in _folds(len(asking), _INNER, self.seed + 1):
            learn = np.setdiff1d(questions, asking[held])
            scores = self._bench.scores([recipe for _, recipe in RECIPES], learn, asking[held])
            gains += (scores - self._bench.plain[asking[held]]).sum(axis=1)
        found = [
            Candidate(name, recipe, float(gain) / len(asking), None)
            for (name, recipe), gain in zip(RECIPES, gains, strict=True)
        ]
        return tuple(sorted(found, key=lambda each: -(each.images or 0.0)))

    def _short(self) -> int:
        return self.dims or self._bench.basis.n_components_


@dataclass(frozen=True)
class Bench:
    """Heads that learn from some questions and are asked others.

    Attributes:
        given: what was judged.
        basis: in which they are learned.
        dims: numbers that they leave of a vector.
        before: ``(n, …)`` the vectors as they are compared without what is learned here.
    """

    given: Judged
    basis: PCA
    dims: int | None
    before: Vectors

    @cached_property
    def plain(self) -> Shares:
        """How each question is ordered as it is, ``(q,)``; nan where it says nothing of it."""
        unit = normalized(self.before)
        return np.array([order(unit, each) if each.orders else np.nan for each in self.given.questions])

    @cached_property
    def seen(self) -> Vectors:
        """The pictures along the directions of the basis, ``(n, d)``."""
        seen: Vectors = self.basis.transform(self.given.vectors)
        return seen

    def scores(self, recipes: Sequence[Mapping[str, Any]], learn: Positions, asking: Positions) -> Shares:
        """How heads order *asking* that learned from *learn*, and from no picture of *asking*: ``(r, q)``."""
        questions = [self.given.questions[at] for at in asking]
        about = np.concatenate([each.rows for each in questions])
        rows = np.setdiff1d(np.concatenate([about[:0], *(self.given.questions[at].rows for at in learn)]), about)
        if not len(rows) or (scatter := self.scatter(rows, learn)).labels < 2:
            return np.tile(self.plain[asking], (len(recipes), 1))  # nothing else is left to learn from
        made = (normalized(self.head(each, scatter).transform(self.given.vectors)) for each in recipes)
        return np.array([[order(unit, each) for each in questions] for unit in made])

    def head(self, recipe: Mapping[str, Any], scatter: Scatter) -> Head:
        """A head for whole vectors."""
        return Head(self.dims, **recipe).learn(scatter).lifted(self.basis)

    def scatter(self, rows: Positions, learn: Positions) -> Scatter:
        """How *rows* lie in the basis by what the questions *learn* say that they show.

        Its middle is that of the collection, and not of the few that were judged.
        """
        kinds = self.given.kinds([self.given.questions[at] for at in learn], rows)
        seen = self.seen[rows].astype(np.float64)
        return replace(Scatter.of(seen, kinds), mean=np.zeros(seen.shape[1]))


def order(unit: Vectors, question: Question) -> float:
    """The share of right and wrong pictures, pair by pair, of which the right one is nearer; a tie is half a pair.

    Nearer to what was searched by or, where that is no item, to the right pictures, each in turn.

    Args:
        unit: ``(n, d)`` of length 1.
        question: that orders something.
    """
    asking = question.right if question.asked is None else np.array([question.asked])
    shares = []
    for row in asking:
        right, wrong = (unit[each] @ unit[row] for each in (question.right[question.right != row], question.wrong))
        before, upto = (np.searchsorted(np.sort(wrong), right, side) for side in ("left", "right"))
        shares.append(float((before + upto).mean()) / (2 * len(wrong)))
    return sum(shares) / len(shares)


def _basis(store: Store, seed: int) -> PCA:
    sample = reducing.drawn(store, labelled=False, seed=seed, size=_SAMPLE).vectors
    unit = normalized(sample.astype(np.float32))
    return PCA(min(_BASIS, *unit.shape)).fit(unit)


def _before(store: Store, vectors: Vectors) -> Vectors:
    """Vectors as searches compare them, but for what was learned from judgements before."""
    says = store.settings().get("reduce") or {}
    return vectors if says.get("trained", {}).get("source") == JUDGEMENTS else store.compared(vectors)


def _folds(count: int, most: int, seed: int) -> list[Positions]:
    """Places in so many groups, at random; each alone where they are few."""
    places = np.random.default_rng(seed).permutation(count)
    return [np.sort(fold) for fold in np.array_split(places, min(count, most))]


def _trial(before: Any, after: Any, pictures: int, seed: int) -> Trial:
    """What is gained, with the interval over questions."""
    low, high = metrics.class_bootstrap(after - before, np.ones(len(after)), seed=seed)
    change = Change(MEASURE, float(before.mean()), float(after.mean()), float(low), float(high))
    return Trial(pictures, pictures, len(after), len(after), (change,))


def _verdict(change: Change) -> tuple[bool, str]:
    points = (
        f"of pictures that were judged, {change.after:.1%} come in the right order, and {change.before:.1%} without it"
    )
    interval = f"{100 * change.gain:+.1f} points, 95 % interval {100 * change.low:+.1f} to {100 * change.high:+.1f}"
    if not change.low > 0:
        return False, f"The head is not surely better: {points} ({interval}); judge more, and learn again."
    return True, f"The head is better: {points} ({interval}), in searches that it did not learn from."


def _notes(given: Judged, asking: int) -> list[str]:
    notes = []
    if rest := len(given.questions) - asking:
        notes.append(f"{rest:,} searches found nothing right or nothing wrong; they teach, and judge nothing.")
    if asking < 20:
        notes.append(f"Only {asking} searches judge it, so that the 95 % interval, which is over them, is rough.")
    return notes


def _check(given: Judged, where: str) -> None:
    asking = sum(each.orders for each in given.questions)
    if asking < ENOUGH:
        raise InputError(
            f"a head learns from judgements of at least {ENOUGH} searches, each with pictures that are right and such "
            f"that are wrong; {where} has {asking}, of {len(given.questions):,} that were judged: judge more of what "
            "searches find."
        )
