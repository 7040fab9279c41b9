"""Classifying pictures by the labels of a collection, with a confidence that holds, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from imagekin.classification.evidence import METHODS, Evidence, Method, Numbers, Whole, named
from imagekin.classification.rehearsal import Rehearsal
from imagekin.errors import InputError
from imagekin.evaluation.labelled import Labelled
from imagekin.metrics import class_bootstrap, logistic

if TYPE_CHECKING:
    from imagekin.collection import Collection

TRIED: Final = 3_000
"""Labelled pictures that it is tried on, drawn at random."""

FOLDS: Final = 5
"""Parts of the classes, each of which is judged by what the others taught."""

_PAGE: Final = 256


@dataclass(frozen=True, slots=True)
class Guess:
    """What a picture is taken for.

    Attributes:
        label: its class; None where it is too unlike all to say, at the error rate that was chosen.
        likeliest: the class that is nearest in any case.
        confidence: the probability that *likeliest* is right, 0 … 1.
    """

    label: str | None
    likeliest: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Trial:
    """How a classifier does on pictures that it was not shown, and on classes that it was not shown.

    Attributes:
        method: ``neighbours`` or ``prototypes``.
        tried: labelled pictures, each left out in turn.
        accuracy: the share of them whose class is found, if it must always answer.
        low: lower end of its 95 % interval, by a bootstrap over classes.
        high: upper end.
        accuracies: of every method that was tried.
        wanted: the share of its answers that may be wrong, where a share *unknown* of pictures is of no known class.
        unknown: that share.
        wrong: the share of its answers that were, on classes that neither confidence nor threshold was learned from.
        answered: the share of pictures of known classes that it answered for.
        refused: the share of pictures of unknown classes that it rightly did not.
    """

    method: str
    tried: int
    accuracy: float
    low: float
    high: float
    accuracies: dict[str, float]
    wanted: float
    unknown: float
    wrong: float
    answered: float
    refused: float


@dataclass(frozen=True)
class _Rule:
    """Confidence from features, and from where on to answer."""

    middle: Numbers
    spread: Numbers
    weights: Numbers
    least: float = 0.0

    def confidence(self, features: Numbers) -> Numbers:
        rows = np.column_stack([np.ones(len(features)), (features - self.middle) / self.spread])
        return logistic.probability(rows @ self.weights)


class Classifier:
    """Puts pictures into the classes of a collection; made by ``Classifier.learn``.

    Attributes:
        labels: names of the classes.
        trial: how it does.
    """

    def __init__(
        self, photos: Collection, rehearsal: Rehearsal, method: Method, *, usual: Numbers, rule: _Rule, trial: Trial
    ) -> None:
        self._photos, self._rehearsal, self._method, self._usual, self._rule = photos, rehearsal, method, usual, rule
        self.labels, self.trial = method.data.labels, trial

    @classmethod
    def learn(
        cls,
        photos: Collection,
        *,
        method: str = "auto",
        k: int = 10,
        error: float = 0.05,
        unknown: float = 0.1,
        seed: int = 0,
    ) -> Self:
        """Learn from a collection's labels, in seconds; no picture is read.

        Args:
            photos: with labels.
            method: ``neighbours``, ``prototypes``, or ``auto`` for the one that is right more often here.
            k: neighbours that vote.
            error: the share of its answers that may be wrong.
            unknown: the share of pictures of no known class that it will meet.
            seed: of what is drawn at random.

        Raises:
            InputError: no labels, fewer than three classes of two pictures, or a share that is none.
        """
        _check(k, {"error": error, "unknown": unknown})
        rehearsal = Rehearsal.of(photos, seed)
        data = rehearsal.data
        rows = _tried(data, seed)
        kinds = [*METHODS.values()] if method == "auto" else [named(method)]
        known = rehearsal.evidence(kinds, k, rows)
        right = [found.classes == data.codes[rows] for found in known]
        best = int(np.argmax([flags.mean() for flags in right]))
        usual = _usual(known[best], data.codes[rows], right[best], len(data.labels))
        strange = rehearsal.evidence([kinds[best]], k, rows, strange=True)[0].beside(usual)
        cases = _Cases.of(known[best].beside(usual), strange, data.codes[rows], right[best], unknown)
        accuracies = {each.name: float(flags.mean()) for each, flags in zip(kinds, right, strict=True)}
        low, high = class_bootstrap(*_by_class(right[best], data.codes[rows]), seed=seed)
        trial = replace(
            _judged(cases, error, seed), method=kinds[best].name, tried=len(rows), accuracies=accuracies,
            accuracy=accuracies[kinds[best].name], low=float(low), high=float(high),
        )  # fmt: skip
        return cls(photos, rehearsal, kinds[best](data, k), usual=usual, rule=_ruled(cases, error), trial=trial)

    def classify(self, pictures: Sequence[Any] = (), *, ids: Sequence[int] = ()) -> list[Guess]:
        """What pictures are.

        Args:
            pictures: as for ``Collection.search``.
            ids: items of the collection, after them; their own labels do not count, neither as a neighbour's nor in
                what a head learned.

        Raises:
            ImageError: a picture cannot be read.
            InputError: there is no such item.
        """
        store = self._photos.store
        found = []
        for at in range(0, len(pictures), _PAGE):
            vectors = store.compared(self._photos.embed(list(pictures[at : at + _PAGE])))
            found.append(self._guesses(self._method.of(vectors)))
        return [guess for part in (*found, self._items(list(ids))) for guess in part]

    def _items(self, ids: list[int]) -> list[Guess]:
        store, data = self._photos.store, self._method.data
        self._photos.get(ids)
        numbers = np.array(ids, np.int64)
        rows = np.minimum(np.searchsorted(data.ids, numbers), len(data.ids) - 1)
        own = data.ids[rows] == numbers
        found: dict[int, Guess] = {}
        if own.any():
            guesses = self._guesses(self._rehearsal.evidence([type(self._method)], self._method.k, rows[own])[0])
            found.update(zip(np.flatnonzero(own).tolist(), guesses, strict=True))
        others = np.flatnonzero(~own)
        for some in (others[at : at + _PAGE] for at in range(0, len(others), _PAGE)):
            vectors = store.compared(store.vectors(numbers[some].tolist())[1])
            found.update(zip(some.tolist(), self._guesses(self._method.of(vectors)), strict=True))
        return [found[place] for place in range(len(ids))]

    def evidence(self) -> tuple[Labelled, Evidence, Numbers]:
        """The labelled pictures, what speaks for which class of each without itself, and how sure that is."""
        data = self._method.data
        every = np.arange(len(data.ids))
        found = self._rehearsal.evidence([type(self._method)], self._method.k, every)[0].beside(self._usual)
        return data, found, self._rule.confidence(found.features)

    def _guesses(self, found: Evidence) -> list[Guess]:
        sure = self._rule.confidence(found.beside(self._usual).features).tolist()
        names = [self.labels[code] for code in found.classes.tolist()]
        return [
            Guess(name if likely >= self._rule.least else None, name, likely)
            for name, likely in zip(names, sure, strict=True)
        ]


@dataclass(frozen=True)
class _Cases:
    """Pictures of known classes, and the same as if their classes were unknown."""

    features: Numbers
    right: NDArray[np.bool_]
    strange: NDArray[np.bool_]
    weights: Numbers
    codes: Whole

    @classmethod
    def of(cls, known: Evidence, strange: Evidence, codes: Whole, right: NDArray[np.bool_], unknown: float) -> Self:
        count, each = len(codes), 1 / np.bincount(codes)[codes]
        each /= each.sum()  # a class weighs as much as the next
        return cls(
            np.concatenate([known.features, strange.features]),
            np.concatenate([right, np.zeros(count, np.bool_)]),
            np.arange(2 * count) >= count,
            np.concatenate([(1 - unknown) * each, unknown * each]),
            np.concatenate([codes, codes]),
        )

    def some(self, flags: NDArray[np.bool_]) -> Self:
        return replace(
            self, features=self.features[flags], right=self.right[flags], strange=self.strange[flags],
            weights=self.weights[flags], codes=self.codes[flags],
        )  # fmt: skip


def _check(k: Any, shares: Mapping[str, Any]) -> None:
    for name, share in shares.items():
        if isinstance(share, bool) or not 0 < share < 1:
            raise InputError(f"{name} is {share!r}; give a share between 0 and 1, such as 0.05.")
    if isinstance(k, bool) or not 1 <= k <= 1000:
        raise InputError(f"k is {k!r}; give a number of neighbours from 1 to 1,000.")


def _tried(data: Labelled, seed: int) -> Whole:
    able = np.flatnonzero(np.bincount(data.codes)[data.codes] >= 2)
    return np.sort(np.random.default_rng(seed).permutation(able)[:TRIED])


def _usual(known: Evidence, codes: Whole, right: NDArray[np.bool_], classes: int) -> Numbers:
    """How far pictures of each class usually are from their class, ``(classes,)``."""
    gaps = known.features[:, 1]
    found = np.full(classes, max(float(np.median(gaps)), 1e-6))
    for code in np.unique(codes[right]):
        found[code] = max(float(np.median(gaps[right & (codes == code)])), 1e-6)
    return found


def _by_class(right: NDArray[np.bool_], codes: Whole) -> tuple[Numbers, Whole]:
    return np.bincount(codes, right).astype(np.float64), np.bincount(codes).astype(np.int64)


def _ruled(cases: _Cases, error: float) -> _Rule:
    """Confidence learned from cases, and the least one at which few enough answers are wrong."""
    middle, spread = cases.features.mean(axis=0), np.maximum(cases.features.std(axis=0), 1e-9)
    rows = np.column_stack([np.ones(len(cases.features)), (cases.features - middle) / spread])
    rule = _Rule(middle, spread, logistic.fitted(rows, cases.right.astype(np.float64), cases.weights))
    sure = rule.confidence(cases.features)
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum((cases.weights * ~cases.right)[order]) / np.cumsum(cases.weights[order])
    fit = np.flatnonzero(wrong <= error)
    return replace(rule, least=float(sure[order[fit[-1]]]) if len(fit) else float("inf"))


def _judged(cases: _Cases, error: float, seed: int) -> Trial:
    """Confidence and threshold are learned from some classes and judged on others, each class being judged once."""
    classes = np.random.default_rng(seed).permutation(np.unique(cases.codes))
    answers = np.zeros(len(cases.codes), np.bool_)
    for part in np.array_split(classes, min(FOLDS, len(classes))):
        test = np.isin(cases.codes, part)
        rule = _ruled(cases.some(~test), error)
        answers[test] = rule.confidence(cases.features[test]) >= rule.least
    given = float(cases.weights[answers].sum())
    return Trial(
        "", 0, 0.0, 0.0, 0.0, {}, error, float(cases.weights[cases.strange].sum()),
        wrong=float(cases.weights[answers & ~cases.right].sum()) / given if given else 0.0,
        answered=_share(answers, cases.weights, ~cases.strange),
        refused=_share(~answers, cases.weights, cases.strange),
    )  # fmt: skip


def _share(flags: NDArray[np.bool_], weights: Numbers, among: NDArray[np.bool_]) -> float:
    return float(np.average(flags[among], weights=weights[among]))
