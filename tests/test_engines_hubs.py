"""The recall that was asked for holds where a few long rows are everybody's nearest under the inner product."""

from __future__ import annotations

import numpy as np
import pytest

from imagekin.index import create
from tests.installed_engines import need


@pytest.mark.parametrize("name", ["symphonyqg", "pyglass-portable", "hnswlib"])
@pytest.mark.parametrize("target", [0.9, 0.99])
def test_recall_holds_where_a_few_rows_are_near_to_all(name: str, target: float) -> None:
    need(name)
    random = np.random.default_rng(7)
    ball = 0.01 * random.standard_normal((3700, 64)) + 1
    vectors = np.vstack([ball, 5 * random.standard_normal((300, 64))]).astype(np.float32)
    vectors = vectors[random.permutation(len(vectors))]
    rows, queries = vectors[:3500], vectors[3500:]
    index = create(f"{name}(recall={target})", 64, "inner")
    index.build(np.arange(len(rows)), rows)
    found, _ = index.search(queries, 10)
    products = queries.astype(np.float64) @ rows.T.astype(np.float64)
    tenth = np.sort(products, axis=1)[:, -10:-9]
    near = np.take_along_axis(products, found, axis=1) >= tenth - 1e-6 * np.abs(tenth)
    assert near.mean() >= target - 0.01
