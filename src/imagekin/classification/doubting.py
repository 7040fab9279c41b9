"""Doubts: labels that the neighbours disagree with, and pictures that are like nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imagekin.classification.classifier import Classifier
from imagekin.classification.evidence import Neighbours, Numbers, Whole

if TYPE_CHECKING:
    from imagekin.collection import Collection

STRANGE: Final = 4.0
"""Deviations, robustly measured, from which on a picture is an outlier of its class; of normal ones 1 in 30,000 is."""

_NORMAL: Final = 1.4826
"""The standard deviation of normal numbers, in units of their median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A label that the neighbours disagree with.

    Attributes:
        id: the item's.
        path: its file, hostile as any name.
        label: that it has.
        instead: the class that its neighbours vote for.
        confidence: the probability that this is right, 0 … 1.
        support: the share of the votes for the label that it has.
    """

    id: int
    path: str
    label: str
    instead: str
    confidence: float
    support: float


@dataclass(frozen=True, slots=True)
class Outlier:
    """A picture that lies far from everything else.

    Attributes:
        id: the item's.
        path: its file, hostile as any name.
        label: that it has.
        distance: to its nearest neighbours, on average.
        deviations: by how many (robust) standard deviations that is more than is usual in its class.
    """

    id: int
    path: str
    label: str
    distance: float
    deviations: float


@dataclass(frozen=True, slots=True)
class Doubts:
    """What may be wrong with a collection's labels.

    Attributes:
        pictures: with a label.
        labels: the most doubtful first.
        outliers: the strangest first.
    """

    pictures: int
    labels: tuple[Doubt, ...]
    outliers: tuple[Outlier, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        from dataclasses import asdict

        return asdict(self)


def doubts(photos: Collection, *, k: int = 10, seed: int = 0) -> Doubts:
    """The labels of a collection that its pictures' neighbours disagree with, and the pictures that are like no other.

    Nothing is changed.  A doubt is no verdict: where two classes look alike, both are right.

    Args:
        photos: with labels.
        k: neighbours that vote.
        seed: of what is drawn at random.

    Raises:
        InputError: no labels, or fewer than three classes of two pictures.
    """
    data, found, sure = Classifier.learn(photos, method=Neighbours.name, k=k, seed=seed).evidence()
    wrong = np.flatnonzero(found.classes != data.codes)
    wrong = wrong[np.argsort(-(sure * (1 - found.own))[wrong], kind="stable")]
    deviations = _deviations(found.spread, data.codes)
    strange = np.flatnonzero(deviations > STRANGE)
    strange = strange[np.argsort(-deviations[strange], kind="stable")]
    paths = _paths(photos, data.ids[np.concatenate([wrong, strange])].tolist())
    of, labels = data.ids.tolist(), data.labels
    return Doubts(
        len(of),
        tuple(
            Doubt(
                of[row], paths[of[row]], labels[data.codes[row]], labels[found.classes[row]], float(sure[row]),
                float(found.own[row]),
            )
            for row in wrong.tolist()
        ),
        tuple(
            Outlier(of[row], paths[of[row]], labels[data.codes[row]], float(found.spread[row]), float(deviations[row]))
            for row in strange.tolist()
        ),
    )  # fmt: skip


def _deviations(spread: Numbers, codes: Whole) -> Numbers:
    """How far each number lies above the median of its class, in robust deviations, at least those of all."""
    found = np.zeros(len(spread))
    least = _NORMAL * float(np.median(np.abs(spread - np.median(spread)))) / 2
    for code in np.unique(codes):
        rows = codes == code
        middle = np.median(spread[rows])
        found[rows] = (spread[rows] - middle) / max(
            _NORMAL * float(np.median(np.abs(spread[rows] - middle))), least, 1e-9
        )
    return found


def _paths(photos: Collection, ids: list[int]) -> dict[int, str]:
    return {item.id: item.path for at in range(0, len(ids), 1000) for item in photos.get(ids[at : at + 1000])}
