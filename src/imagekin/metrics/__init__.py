"""Figures that say how good a ranking is, from the labels of what was found.

Every measure answers one number a query, so that the caller can average over queries, over classes, or resample.
Whoever ranks leaves a query's own item out by its id; dropping the first hit instead is wrong where copies tie with it.

Two names that papers mix up are kept apart: ``hit_rate`` asks whether any of the k nearest is relevant (metric learning
calls this recall@k), ``recall`` is the share of the relevant items that are among them.
"""

from __future__ import annotations

from imagekin.metrics.intervals import class_bootstrap, wilson
from imagekin.metrics.ranking import (
    average_precision,
    average_precision_at_r,
    hit_rate,
    ndcg,
    precision,
    precision_at_k,
    r_precision,
    recall,
    reciprocal_rank,
)
from imagekin.metrics.relevance import Counts, Labels, Relevance, Scores, relevance
from imagekin.metrics.voting import WEIGHTS, confusion_matrix, vote

__all__ = [
    "WEIGHTS",
    "Counts",
    "Labels",
    "Relevance",
    "Scores",
    "average_precision",
    "average_precision_at_r",
    "class_bootstrap",
    "confusion_matrix",
    "hit_rate",
    "ndcg",
    "precision",
    "precision_at_k",
    "r_precision",
    "recall",
    "reciprocal_rank",
    "relevance",
    "vote",
    "wilson",
]
