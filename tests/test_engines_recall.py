"""What is promised is kept: recall on queries that no engine has seen, and under filters, on every engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from imagekin.index.base import Index
from imagekin.index.exact import Exact
from imagekin.testing.answers import clustered
from imagekin.types import Ids
from tests.engine_children import NAMES, Children, Subject, Trial

COUNT: Final = 3000
ASKED: Final = 800
WIDE: Final = 48
TARGETS: Final = {"cosine": (0.9, 0.99), "euclidean": (0.95,), "inner": ()}
SHORT: Final = 0.01
"""How far recall may be below the target."""

SIGMAS: Final = 3.0
"""Standard errors that chance is given: one comparison in 700 would fail by chance, and the data stays the same."""

SHARES: Final = (0.5, 0.1, 0.01, 0.001)
K: Final = 10
ALL: Final = (*NAMES, "faiss:IVF32,Flat", "faiss:IVF32,SQ8", "faiss:PQ12x4fs", "faiss:IVF32,PQ12x4fs")


@cache
def data() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows and queries of the same clusters."""
    vectors = clustered(COUNT + ASKED, WIDE, seed=11)
    return vectors[:COUNT], vectors[COUNT:]


def reached(index: Index, queries: NDArray[np.float32], allow: Ids | None = None) -> tuple[float, float]:
    """Recall@10 by distance, so that ties count, and its standard error.

    The hits of one query are not independent, so the error is that of the mean of the queries' shares.
    """
    oracle = Exact(WIDE, index.metric)
    rows, _ = data()
    oracle.build(range(COUNT), rows)
    found, distances = index.search(queries, K, allow=allow)
    wanted, true = oracle.search(queries, K, allow=allow)
    exist = int((wanted[0] >= 0).sum())
    assert ((found >= 0).sum(axis=1) == exist).all(), f"{int((found >= 0).sum(axis=1).min())} hits where {exist} exist"
    assert all(len(set(line)) == exist for line in found[:, :exist].tolist()), "an id comes twice"
    limit = true[:, exist - 1 : exist]
    shares = (distances[:, :exist] <= limit + 1e-5 * np.maximum(1, np.abs(limit))).mean(axis=1)
    return float(shares.mean()), float(shares.std(ddof=1)) / math.sqrt(len(shares))


def new_queries_find_what_was_asked_for(subject: Subject) -> dict[str, tuple[float, float]]:
    """Recall of an index for each target, on queries that were held out."""
    rows, queries = data()
    figures = {}
    for target in TARGETS[subject.metric] if "recall" in subject.kind.options else (1.0,):
        words = {**subject.parameters, **({"recall": target} if target < 1 else {})}
        index = subject.kind(WIDE, subject.metric, **words)
        index.build(range(COUNT), rows)
        assert index._built == COUNT
        figures[str(target)] = reached(index, queries)
        vars(subject)["careful"] = index
    return figures


def masks(rows: NDArray[np.float32]) -> Iterator[tuple[str, float, Ids]]:
    """Ids that may be returned: any, and those farthest from where the queries lie, which graphs pass by."""
    random = np.random.default_rng(3)
    far = np.argsort(rows @ rows[0])
    for share in SHARES:
        count = max(1, round(share * COUNT))
        yield "any", share, np.sort(random.choice(COUNT, count, replace=False))
        yield "far", share, np.sort(far[:count])


def filters_keep_recall(subject: Subject) -> dict[str, tuple[float, float]]:
    """Recall under filters that leave few rows, at the highest target, which is the default."""
    rows, queries = data()
    index: Index = vars(subject)["careful"]
    near = queries[np.argsort(queries @ rows[0])[-250:]]
    return {f"{kind} {share:.1%}": reached(index, near, allow) for kind, share, allow in masks(rows)}


def filters_hold_after_changes(subject: Subject) -> None:
    """Rows that were removed never come, rows added since do, whichever share of them may."""
    rows, queries = data()
    index = subject.filled(rows[: COUNT - 500])
    index.add(range(COUNT - 500, COUNT), rows[COUNT - 500 :])
    index.remove(range(0, COUNT, 3))
    oracle = Exact(WIDE, subject.metric)
    oracle.build(range(COUNT), rows)
    oracle.remove(range(0, COUNT, 3))
    for allow in (range(0, COUNT, 2), range(COUNT - 600, COUNT), range(0, COUNT, 3), [0, 1, 2, 10**9], [COUNT - 2]):
        found, distances = index.search(queries[:100], K, allow=allow)
        wanted, true = oracle.search(queries[:100], K, allow=allow)
        assert np.array_equal(found >= 0, wanted >= 0), f"hits are missing among {len(allow)} allowed"
        assert set(found.ravel().tolist()) - {-1} <= set(allow) - set(range(0, COUNT, 3)), "a row came that may not"
        assert (distances <= true[:, -1:] + 1e-5).mean() >= 0.95


def figures_of(ran: Any, trial: str) -> Iterator[tuple[str, str, float, float]]:
    """Metric, what was asked, recall and standard error; an exception is a failure here."""
    for title, value in ran.outcomes.items():
        name, _, metric = title.rstrip(")").rpartition(" (")
        if name == trial:
            assert isinstance(value, dict), f"{title}: {value}"
            yield from ((metric, asked, *figures) for asked, figures in value.items())


EVERY_METRIC: Final[dict[str, Trial]] = {"recall": new_queries_find_what_was_asked_for}
ONE_METRIC: Final[dict[str, Trial]] = {"filters": filters_keep_recall, "changes": filters_hold_after_changes}
CHILDREN: Final = Children("tests.test_engines_recall", ALL)


@pytest.mark.parametrize("spec", ALL)
def test_recall_is_not_below_the_target(spec: str) -> None:
    ran = CHILDREN.of(spec)
    assert not ran.fault, ran.fault
    figures = list(figures_of(ran, "recall"))
    assert figures
    for metric, target, recall, error in figures:
        least = float(target) - SHORT
        assert recall + SIGMAS * error >= least, (
            f"{spec}, {metric}: {recall:.4f} ± {error:.4f} for a target of {target}"
        )


@pytest.mark.parametrize("spec", ALL)
def test_filters_keep_recall(spec: str) -> None:
    ran = CHILDREN.of(spec)
    figures = list(figures_of(ran, "filters"))
    assert len(figures) == 2 * len(SHARES), ran.fault
    for metric, kept, recall, error in figures:
        assert recall + SIGMAS * error >= 0.99, f"{spec}, {metric}, filter {kept}: recall {recall:.4f} ± {error:.4f}"
    assert [value for title, value in ran.outcomes.items() if title.startswith("changes")] == ["ok"]
