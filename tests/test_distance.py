"""Distances and similarities against values worked out by hand, and what as_vectors takes and refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imagekin import distance
from imagekin.errors import InputError, UnknownNameError


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ([1, 2, 3], (1, 3)),
        ([[1, 2, 3], [4, 5, 6]], (2, 3)),
        (np.arange(6, dtype=np.float64).reshape(2, 3), (2, 3)),
        (np.arange(6, dtype=np.float16).reshape(3, 2).T, (2, 3)),
        (np.arange(12, dtype=np.int8).reshape(2, 6)[:, ::2], (2, 3)),
        (np.asfortranarray(np.ones((2, 3))), (2, 3)),
        (np.ones((2, 3), np.bool_), (2, 3)),
    ],
)
def test_any_real_array_becomes_contiguous_float32(given: Any, shape: tuple[int, int]) -> None:
    got = distance.as_vectors(given, 3)
    assert got.dtype == np.float32 and got.shape == shape and got.flags.c_contiguous
    np.testing.assert_array_equal(got, np.atleast_2d(np.asarray(given, np.float64)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2], "queries must have shape (n, 3), not (2,)."),
        (np.zeros((2, 2, 3)), "queries must have shape (n, 3), not (2, 2, 3)."),
        ([[1, 2, 3], [4, 5]], "queries must have shape (n, 3), not rows of unequal length."),
        ([[1, 2, np.nan]], "queries must be finite; row 0 holds NaN or infinity."),
        ([[1, 2, 3], [1, np.inf, 3]], "queries must be finite; row 1 holds NaN or infinity."),
        ([[1, 2, 1e39]], "queries must be finite; row 0 holds NaN or infinity."),
        ([["a", "b", "c"]], "queries must be real numbers, not <U1."),
        ([[1j, 2, 3]], "queries must be real numbers, not complex128."),
        ([None, 1, 2], "queries must be real numbers, not object."),
    ],
)
def test_what_is_no_vector_gets_one_sentence(given: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        distance.as_vectors(given, 3, what="queries")
    assert str(caught.value) == message


def test_any_length_where_none_is_asked_for() -> None:
    assert distance.as_vectors([[1, 2, 3, 4]]).shape == (1, 4)
    with pytest.raises(InputError, match=r"must have shape \(n, dim\), not \(\)"):
        distance.as_vectors(3.0)


def test_metrics() -> None:
    assert [distance.check_metric(name) for name in distance.METRICS] == ["cosine", "euclidean", "inner"]
    with pytest.raises(UnknownNameError, match="no metric is called 'manhattan'; known: cosine, euclidean, inner"):
        distance.check_metric("manhattan")


def test_normalized_rows_have_length_1_and_zero_stays_zero() -> None:
    rows = [[3, 4], [0, 0], [0, -2], [3e-30, 4e-30], [-3e30, 4e30], [1e-40, 0]]
    want = np.array([[0.6, 0.8], [0, 0], [0, -1], [0.6, 0.8], [-0.6, 0.8], [1, 0]], np.float32)
    for some in ([0], [1], [3], [4], range(6)):
        got = distance.normalized(np.array(rows, np.float32)[list(some)])
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want[list(some)], rtol=1e-6)


@pytest.mark.parametrize(
    ("metric", "far", "similar"),
    [
        ("cosine", 0.0, 1.0),
        ("cosine", 0.25, 0.75),
        ("cosine", 1.5, 0.0),
        ("euclidean", 0.0, 1.0),
        ("euclidean", 3.0, 0.25),
        ("inner", -2.5, 2.5),
    ],
)
def test_similarity(metric: str, far: float, similar: float) -> None:
    assert distance.similarity(far, metric) == pytest.approx(similar)
