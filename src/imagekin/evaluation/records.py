"""What an evaluation found, as immutable records that become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an evaluation is.

    Attributes:
        done: queries done.
        total: queries in all.
        what: what they are doing, for a person.
    """

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure.

    Attributes:
        name: ``precision@4``, ``R-precision``, ``kNN by distance@10`` …
        value: the mean over queries, 0 … 1.
        low: lower end of its 95 % interval, by a bootstrap over classes.
        high: upper end.
        class_mean: the mean over classes of each class's mean, in which every class weighs the same.
    """

    name: str
    value: float
    low: float
    high: float
    class_mean: float


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class does.

    Attributes:
        label: its name.
        images: that can be found.
        queries: that asked.
        precision: the mean of precision@k of its queries, k being the first one asked for.
        r_precision: likewise.
        map_r: mAP@R.
        correct: queries that their k nearest put into this class, votes weighed by distance.
        taken_for: the other class that it is most often taken for, None if it never is.
        taken: how many queries that are.
    """

    label: str
    images: int
    queries: int
    precision: float
    r_precision: float
    map_r: float
    correct: int
    taken_for: str | None
    taken: int


@dataclass(frozen=True, slots=True)
class Example:
    """A query that was put into a wrong class.

    Attributes:
        id: the query's.
        neighbours: ids of its nearest, nearest first.
        distances: of these.
    """

    id: int
    neighbours: tuple[int, ...]
    distances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """A class that is taken for another.

    Attributes:
        label: the true class.
        taken_for: the class that its neighbours voted for.
        count: queries to which that happened.
        share: of the queries of *label*.
        examples: some of them, for the most confused pairs only.
    """

    label: str
    taken_for: str
    count: int
    share: float
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked whom in an evaluation by labels.

    Attributes:
        name: of what was evaluated.
        model: that made the vectors, where that is known.
        images: with a label.
        classes: with a query.
        queries: that asked; each had something relevant to find.
        searched: images that each query was compared with, itself not counted.
        split: ``leave-one-out``, or how queries and gallery were parted.
        metric: of ``distance.py``.
    """

    name: str
    model: str | None
    images: int
    classes: int
    queries: int
    searched: int
    split: str
    metric: str


@dataclass(frozen=True, slots=True)
class Evaluation(Asked):
    """How well neighbours agree with labels.

    Attributes:
        dim: elements of a vector.
        k: the cutoffs; classes and confusions are told for the first.
        figures: every measure.
        per_class: worst first, by precision, then mAP@R.
        confusions: most frequent first.
        notes: what a reader must know, a sentence each.
        seconds: how long it took.
        seed: of the sample, the split and the intervals.
    """

    dim: int
    k: tuple[int, ...]
    figures: tuple[Figure, ...]
    per_class: tuple[ClassFigures, ...]
    confusions: tuple[Confusion, ...]
    notes: tuple[str, ...]
    seconds: float
    seed: int

    def figure(self, name: str) -> Figure:
        """The measure of that name.

        Raises:
            UnknownNameError: there is none; the message lists the known ones.
        """
        for each in self.figures:
            if each.name == name:
                return each
        raise UnknownNameError(f"no figure is called {name!r}; known: {', '.join(each.name for each in self.figures)}.")

    def confusion_matrix(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Labels by name, and how many queries of each (row) were taken for each (column)."""
        labels = tuple(sorted({one.label for one in self.per_class} | {one.taken_for for one in self.confusions}))
        place = {label: row for row, label in enumerate(labels)}
        matrix = np.zeros((len(labels), len(labels)), np.int64)
        for one in self.per_class:
            matrix[place[one.label], place[one.label]] = one.correct
        for pair in self.confusions:
            matrix[place[pair.label], place[pair.taken_for]] = pair.count
        return labels, matrix

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class EditFigures:
    """How well pictures find themselves after an edit.

    Attributes:
        edit: ``crop``, ``flip`` …
        strength: for people, ``50 % of each side``.
        pictures: that were edited.
        recall: recall@1: the share whose original no other picture is nearer than.
        low: lower end of its 95 % interval (Wilson).
        high: upper end.
        similarity: mean similarity of edited picture and original.
    """

    edit: str
    strength: str
    pictures: int
    recall: float
    low: float
    high: float
    similarity: float


@dataclass(frozen=True, slots=True)
class SelfRetrieval:
    """How well edited pictures find their originals; needs no labels.

    Attributes:
        name: of the collection.
        model: that made the vectors.
        pictures: that were edited.
        searched: pictures among which each original was to be found.
        edits: one record an edit and strength, in the order of the table of edits.
        notes: what a reader must know, a sentence each.
        seconds: how long it took.
        seed: of the sample.
    """

    name: str
    model: str | None
    pictures: int
    searched: int
    edits: tuple[EditFigures, ...]
    notes: tuple[str, ...]
    seconds: float
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)


def of_dict(data: Mapping[str, Any]) -> Evaluation:
    """The evaluation that ``to_dict`` wrote, also after a way through JSON."""
    parts = dict(data)
    parts["k"] = tuple(data["k"])
    parts["notes"] = tuple(data["notes"])
    parts["figures"] = tuple(Figure(**each) for each in data["figures"])
    parts["per_class"] = tuple(ClassFigures(**each) for each in data["per_class"])
    parts["confusions"] = tuple(_confusion(each) for each in data["confusions"])
    return Evaluation(**parts)


def _confusion(data: Mapping[str, Any]) -> Confusion:
    examples = tuple(Example(one["id"], tuple(one["neighbours"]), tuple(one["distances"])) for one in data["examples"])
    return Confusion(**{**data, "examples": examples})
