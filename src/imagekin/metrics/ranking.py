"""Measures of a ranking, one figure a query: rel_i says whether the i-th nearest is relevant, R how many items are.

Manning, Raghavan, Schütze: Introduction to Information Retrieval (2008), chapter 8, unless a function says otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError
from imagekin.metrics.relevance import Counts, Labels, Relevance, Scores, as_counts, as_relevance, relevance


def precision_at_k(neighbours_labels: Labels, query_labels: Labels, k: int) -> Scores:
    """Share of each query's k nearest that have its label: ``precision`` from labels.

    Args:
        neighbours_labels: ``(q, n)`` labels of the ranked neighbours, nearest first, n ≥ k, the query itself not among
            them; None stands for "no neighbour" or "no label" and is never relevant.
        query_labels: ``(q,)`` labels of the queries.
        k: ≥ 1.

    Returns:
        ``(q,)`` figures within 0 … 1, in the order of the queries.

    Raises:
        InputError: k below 1 or above n, shapes that do not fit, or a query without a label.
    """
    return precision(relevance(neighbours_labels, query_labels), k)


def precision(relevant: ArrayLike, k: int) -> Scores:
    """The sum of rel_i over i ≤ k, divided by k.

    The divisor is k even where fewer than k items are relevant (dividing by min(k, R) is another measure), so a query
    whose class has fewer than k other members cannot reach 1.

    Args:
        relevant: ``(q, n)`` flags, nearest first.
        k: 1 … n.

    Raises:
        InputError: k out of range, or not such flags.
    """
    return _mean(as_relevance(relevant, k)[:, :k])


def hit_rate(relevant: ArrayLike, k: int) -> Scores:
    """1 where any of the k nearest is relevant, else 0; papers on metric learning call it recall@k (or CMC@k).

    Args and errors as for ``precision``.
    """
    return np.asarray(as_relevance(relevant, k)[:, :k].any(axis=1), np.float64)


def recall(relevant: ArrayLike, counts: ArrayLike, k: int) -> Scores:
    """The sum of rel_i over i ≤ k, divided by R: the share of all relevant items that are found.

    Args:
        relevant: ``(q, n)`` flags, nearest first.
        counts: ``(q,)`` R, ≥ 1.
        k: 1 … n.

    Raises:
        InputError: k out of range, a query with R = 0, or fewer relevant items counted than found.
    """
    flags = as_relevance(relevant, k)
    shares: Scores = flags[:, :k].sum(axis=1) / as_counts(counts, flags)
    return shares


def r_precision(relevant: ArrayLike, counts: ArrayLike) -> Scores:
    """Precision among the R nearest, R being each query's own; 1 exactly where all relevant items come first.

    Args:
        relevant: ``(q, n)`` flags, nearest first, n at least the largest R.
        counts: ``(q,)`` R, ≥ 1.

    Raises:
        InputError: a ranking shorter than an R (cut there, the figure would be too low), or as for ``recall``.
    """
    flags, wanted = _to_r(relevant, counts)
    shares: Scores = flags.sum(axis=1) / wanted
    return shares


def average_precision_at_r(relevant: ArrayLike, counts: ArrayLike) -> Scores:
    """The sum of rel_i · precision@i over i ≤ R, divided by R; its mean over queries is mAP@R.

    Musgrave, Belongie, Lim: A Metric Learning Reality Check (2020).  Arguments and errors as for ``r_precision``.
    """
    flags, wanted = _to_r(relevant, counts)
    return _summed_precision(flags) / wanted


def average_precision(relevant: ArrayLike, counts: ArrayLike, k: int) -> Scores:
    """The sum of rel_i · precision@i over i ≤ k, divided by min(k, R); its mean over queries is mAP@k.

    1 exactly where nothing irrelevant comes before anything relevant within k.  With k = all items it is the classical
    average precision.  Others divide by R, or by the number found; their figures differ.

    Arguments and errors as for ``recall``.
    """
    flags = as_relevance(relevant, k)
    return _summed_precision(flags[:, :k]) / np.minimum(as_counts(counts, flags), k)


def ndcg(relevant: ArrayLike, counts: ArrayLike, k: int) -> Scores:
    """The sum of rel_i / log₂(i + 1) over i ≤ k, divided by what the best ranking of all R items would reach.

    The ideal counts min(k, R) relevant items, also those that the ranking missed; an ideal of the found ones alone
    would call a ranking with one hit at the top perfect.  Järvelin, Kekäläinen: Cumulated gain-based evaluation (2002).

    Arguments and errors as for ``recall``.
    """
    flags = as_relevance(relevant, k)
    gains = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gains)[np.minimum(as_counts(counts, flags), k) - 1]
    scores: Scores = flags[:, :k] @ gains / ideal
    return scores


def reciprocal_rank(relevant: ArrayLike) -> Scores:
    """1 / the rank of the first relevant neighbour, 0 where none of those given is; its mean over queries is MRR.

    Args:
        relevant: ``(q, n)`` flags, nearest first.

    Raises:
        InputError: not such flags.
    """
    flags = as_relevance(relevant)
    if not flags.shape[1]:
        return np.zeros(len(flags))
    return np.where(flags.any(axis=1), 1 / (1.0 + np.argmax(flags, axis=1)), 0.0)


def _mean(flags: Relevance) -> Scores:
    shares: Scores = flags.astype(np.float64).mean(axis=1)
    return shares


def _to_r(relevant: ArrayLike, counts: ArrayLike) -> tuple[Relevance, Counts]:
    """Flags with everything beyond each query's R set to false, and R."""
    flags = as_relevance(relevant)
    wanted = as_counts(counts, flags)
    if len(wanted) and wanted.max() > flags.shape[1]:
        raise InputError(
            f"a query has {wanted.max()} relevant items, but only {flags.shape[1]} neighbours are ranked; "
            "rank at least as many."
        )
    return flags & (np.arange(flags.shape[1]) < wanted[:, None]), wanted


def _summed_precision(flags: Relevance) -> NDArray[np.float64]:
    hits = np.cumsum(flags, axis=1, dtype=np.float64)
    hits /= np.arange(1, flags.shape[1] + 1)
    summed: NDArray[np.float64] = np.einsum("ij,ij->i", hits, flags)
    return summed
