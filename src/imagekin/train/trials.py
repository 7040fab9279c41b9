"""Trying heads on pictures that they did not learn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from imagekin import metrics
from imagekin.evaluation import labelled
from imagekin.evaluation import split as splits
from imagekin.evaluation.gallery import Gallery, Positions, nearest
from imagekin.evaluation.labelled import Labelled
from imagekin.evaluation.tally import Tally, excluded
from imagekin.reduce.head import Head
from imagekin.reduce.scatter import Scatter
from imagekin.train.examples import Examples
from imagekin.train.records import Change, Trial
from imagekin.types import Vectors

K: Final = 4
"""Neighbours that the deciding measure looks at."""

QUERIES: Final = 5_000
"""Queries of a trial at most."""


class Bench:
    """Some rows to learn from and others to be tried on.

    Args:
        examples: all rows.
        learn: rows that heads learn from.
        held: rows that are searched, each by the others.
        queries: that ask at most.
        seed: draws them.
    """

    def __init__(
        self, examples: Examples, learn: Positions, held: Positions, *, queries: int = QUERIES, seed: int = 0
    ) -> None:
        self.learned = len(learn)
        self.scatter = Scatter.of(examples.vectors[learn], examples.codes[learn])
        given = labelled.of_vectors(examples.vectors[held], examples.codes[held])
        self.data = splits.asked(given, queries, seed=seed)
        self.k = min(K, len(held) - 1)
        self._before: float | None = None

    def gain(self, head: Head) -> float:
        """What a head that learns here adds to precision@k."""
        if self._before is None:
            self._before = self._precision(self.data)
        return self._precision(self._by(head)) - self._before

    def trial(self, head: Head, seed: int) -> Trial:
        """Every measure before and after a head learns here, with the interval of what it adds."""
        return compared(self.data, self._by(head), learned=self.learned, k=self.k, seed=seed)

    def _by(self, head: Head) -> Labelled:
        """The rows to be tried on, as a head that learns here makes them."""
        return replace(self.data, vectors=head.learn(self.scatter).transform(self.data.vectors))

    def _precision(self, data: Labelled) -> float:
        return precision(data, self.k)


def depth(codes: Positions, most: int = K) -> int:
    """Neighbours that can be of a picture's class in half of all cases, at most *most*, at least 1."""
    others = np.bincount(codes)[codes] - 1
    return int(min(most, max(1, np.median(others))))


def precision_of(vectors: Vectors, codes: Positions, k: int) -> float:
    """Mean share of the *k* nearest of each vector, by cosine, that are of its class; itself is left out."""
    return precision(splits.asked(labelled.of_vectors(vectors, codes), None), k)


def precision(data: Labelled, k: int) -> float:
    """Mean precision@k of the rows that ask."""
    gallery, found = Gallery(data.vectors, data.metric), []
    for at in range(0, len(data.asking), gallery.batch):
        asking = data.asking[at : at + gallery.batch]
        near = nearest(excluded(gallery.keys(gallery.take(asking)), gallery, asking), k)
        found.append(metrics.precision(data.codes[near] == data.codes[asking][:, None], k))
    return float(np.concatenate(found).mean())


def compared(before: Labelled, after: Labelled, *, learned: int, k: int = K, seed: int = 0) -> Trial:
    """Every measure of the same rows with two kinds of vectors, with the interval of what the second adds.

    Args:
        before: rows with vectors.
        after: the same rows with others.
        learned: rows that the second kind was learned from, to be told.
        k: neighbours that precision looks at.
        seed: of the interval.
    """
    tallies = [_tallied(data, k) for data in (before, after)]
    names, counts = tallies[0].names, tallies[0].counts
    low, high = metrics.class_bootstrap(tallies[1].sums - tallies[0].sums, counts, seed=seed)
    means = [tally.sums.sum(axis=0) / counts.sum() for tally in tallies]
    wanted = {f"precision@{k}": f"precision@{k}", "mAP@R": "mAP@R", "hit_rate@1": "R@1"}
    changes = []
    for name, title in wanted.items():
        at = names.index(name)
        changes.append(Change(title, float(means[0][at]), float(means[1][at]), float(low[at]), float(high[at])))
    classes = int(np.count_nonzero(counts))
    return Trial(learned, len(before.ids), len(before.asking), classes, tuple(changes))


def _tallied(data: Labelled, k: int) -> Tally:
    tally, gallery = Tally(data, tuple(dict.fromkeys((k, 1)))), Gallery(data.vectors, data.metric)
    for at in range(0, len(data.asking), gallery.batch):
        tally.add(gallery, slice(at, at + gallery.batch))
    return tally
