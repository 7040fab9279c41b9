"""Measures of rankings, summed by class as they come, so that memory does not grow with the queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagekin import metrics
from imagekin.evaluation.gallery import Gallery, Positions, nearest
from imagekin.evaluation.labelled import Labelled
from imagekin.evaluation.records import Figure
from imagekin.rerank import Ways
from imagekin.types import Distances, Vectors

NO_WAYS: Final = Ways()

BY_K: Final = ("precision", "hit_rate", "recall", "mAP", "nDCG", "kNN", "kNN by distance")
"""Measures that have a cutoff, as people read them: ``mAP@10``."""

WHOLE: Final = ("R-precision", "mAP@R", "MRR")
"""Measures without one."""


class Tally:
    """Sums of every measure by class, and what each query was taken for.

    Args:
        data: what is evaluated.
        cutoffs: k of the measures, the first being the one by which classes are told.
        ways: the second look that searches take.
    """

    def __init__(self, data: Labelled, cutoffs: Sequence[int], ways: Ways = NO_WAYS) -> None:
        self.data, self.cutoffs, self.ways = data, tuple(cutoffs), ways
        self.relevant = data.relevant()
        self.depth = int(max(*cutoffs, self.relevant.max()))
        self.weighed = data.metric != "inner"  # a negative inner product is no distance to divide by
        measures = BY_K if self.weighed else BY_K[:-1]
        self.names = (*(f"{name}@{k}" for k in self.cutoffs for name in measures), *WHOLE)
        self.sums = np.zeros((len(data.labels), len(self.names)))
        self.counts = np.bincount(data.codes[data.asking], minlength=len(data.labels))
        self.predicted = np.full(len(data.asking), -1, np.int64)

    def add(self, gallery: Gallery, some: slice) -> None:
        """Rank *some* of the queries and add their figures."""
        pool, asking = self.data.codes[gallery.rows], self.data.asking[some]
        own, counts = self.data.codes[asking], self.relevant[some]
        queries, keys = ranked(gallery, asking, self.ways)
        found = nearest(keys, self.depth)
        codes = pool[found]
        flags = codes == own[:, None]
        close = np.take_along_axis(keys, found[:, : max(self.cutoffs)], axis=1)
        votes = self._votes(codes, gallery.distances(close, queries))
        self.predicted[some] = votes[self.cutoffs[0]][-1]
        scores: list[metrics.Scores] = []
        for k in self.cutoffs:
            scores += [metrics.precision(flags, k), metrics.hit_rate(flags, k), metrics.recall(flags, counts, k)]
            scores += [metrics.average_precision(flags, counts, k), metrics.ndcg(flags, counts, k)]
            scores += [(answers == own).astype(np.float64) for answers in votes[k]]
        scores += [metrics.r_precision(flags, counts), metrics.average_precision_at_r(flags, counts)]
        scores.append(_reciprocal(flags, keys, pool, own))
        np.add.at(self.sums, own, np.stack(scores, axis=1))

    def _votes(self, codes: Positions, distances: Distances) -> dict[int, list[Positions]]:
        """The neighbours' answers for each k: votes of equal weight, then by distance if the metric allows."""
        return {
            k: [metrics.vote(codes[:, :k]), *([metrics.vote(codes[:, :k], distances[:, :k])] if self.weighed else [])]
            for k in self.cutoffs
        }

    def means(self) -> NDArray[np.float64]:
        """Each class's mean of each measure, ``(classes, measures)``; NaN where nothing asked."""
        with np.errstate(invalid="ignore"):
            return self.sums / self.counts[:, None]

    def figures(self, seed: int) -> tuple[Figure, ...]:
        """Means over queries and over classes, with intervals over classes."""
        low, high = metrics.class_bootstrap(self.sums, self.counts, seed=seed)
        values = self.sums.sum(axis=0) / self.counts.sum()
        classes = self.means()[self.counts > 0].mean(axis=0)
        parts = zip(self.names, values, low, high, classes, strict=True)
        return tuple(Figure(name, *(float(number) for number in numbers)) for name, *numbers in parts)


def excluded(keys: Distances, gallery: Gallery, asking: Positions) -> Distances:
    """*keys* with each query's own row, found by its id, behind everything else."""
    at = np.searchsorted(gallery.rows, asking)
    own = np.flatnonzero(gallery.rows[np.minimum(at, len(gallery) - 1)] == asking)
    keys[own, at[own]] = np.inf
    return keys


def ranked(gallery: Gallery, asking: Positions, ways: Ways = NO_WAYS) -> tuple[Vectors, Distances]:
    """What is asked ``(q, dim)`` and the keys ``(q, n)`` that order the gallery after a second look.

    Rows that are ordered anew share out the keys that they had, so that what follows need not know.
    """
    queries = gallery.take(asking)
    keys = excluded(gallery.keys(queries), gallery, asking)
    others = len(gallery) - 1  # a query's own row may be among them, and never is its own neighbour
    if ways.near:
        near = nearest(keys, min(ways.near, others))
        pairs = zip(queries, near, strict=True)
        queries = np.stack([ways.query(query, gallery.take(gallery.rows[rows])) for query, rows in pairs])
        keys = excluded(gallery.keys(queries), gallery, asking)
    if ways.pool:
        pool = nearest(keys, min(ways.pool, others))
        for line, rows in enumerate(pool):
            order = ways.order(queries[line], gallery.take(gallery.rows[rows]))
            keys[line, rows[order]] = keys[line, rows]
    return queries, keys


def _reciprocal(flags: metrics.Relevance, keys: Distances, pool: Positions, own: Positions) -> metrics.Scores:
    """1 / rank of each query's first relevant row in the whole ranking, of which *flags* are the beginning."""
    scores = metrics.reciprocal_rank(flags)
    for line in np.flatnonzero(scores == 0):
        relevant = np.flatnonzero((pool == own[line]) & np.isfinite(keys[line]))
        best = relevant[np.argmin(keys[line, relevant])]
        key = keys[line, best]
        nearer = np.count_nonzero(keys[line] < key) + np.count_nonzero(keys[line, :best] == key)
        scores[line] = 1 / (1 + nearer)
    return scores
