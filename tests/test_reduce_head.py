"""Heads against values worked out by hand, scikit-learn's answers and slow loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin import reduce
from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.reduce.head import Head
from imagekin.reduce.lda import LDA
from imagekin.reduce.scatter import Scatter
from tests.clouds import clusters, labelled


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_scatter_by_hand() -> None:
    # labels at x = ±3; y differs by ±1 within each
    vectors = np.array([[3, 1], [3, -1], [-3, 1], [-3, -1]], np.float32)
    found = Scatter.of(vectors, list("aabb"))
    np.testing.assert_allclose(found.mean, [0, 0])
    np.testing.assert_allclose(found.values, [0, 1], atol=1e-12)
    np.testing.assert_allclose(np.abs(found.between @ found.columns.T), [[3 * 0.5**0.5, 0]] * 2, atol=1e-12)
    np.testing.assert_allclose(found.widths(0.5) ** 2, [0.25, 0.75])  # half of each, and half of their mean
    directions, far = found.discriminants(0.5)
    np.testing.assert_allclose(directions[0], [2, 0], atol=1e-12)
    np.testing.assert_allclose(far, [6, 0], atol=1e-12)
    np.testing.assert_allclose(found.whitened(0.5, 1), [[2, 0]], atol=1e-12)
    np.testing.assert_allclose(found.whitened(0.5, 2), [[0, 0.75**-0.5], [2, 0]], atol=1e-12)
    assert found.length(np.array([[2.0, 0.0], [0.0, 1.0]])) == pytest.approx((2 * 2 * 9 + 1) ** 0.5)
    assert found.length(np.empty((0, 2))) == 1


def test_lengths_are_those_of_what_was_learned_from() -> None:
    vectors, labels = clusters(200, 12, 5)
    scatter = Scatter.of(vectors, labels)
    directions = scatter.whitened(0.3, 7)
    slow = np.sqrt(np.mean([((vector - vectors.mean(axis=0)) @ directions.T) ** 2 @ np.ones(7) for vector in vectors]))
    assert scatter.length(directions) == pytest.approx(slow, rel=1e-4)


def test_whitening_makes_labels_equally_wide_and_keeps_what_tells_them_apart() -> None:
    vectors, labels = clusters(300, 8, 4)
    which = np.array(labels)
    centred = np.concatenate([vectors[which == name] - vectors[which == name].mean(axis=0) for name in set(labels)])
    scatter = Scatter.of(vectors, labels)
    for count in (2, 5, 8):
        directions = scatter.whitened(1e-9, count)
        assert directions.shape == (count, 8)
        np.testing.assert_allclose(np.cov((centred @ directions.T).T, bias=True), np.eye(count), atol=1e-3)
    telling = scatter.discriminants(1e-9)[0][:3]
    four = scatter.whitened(1e-9, 4)
    np.testing.assert_allclose(telling @ np.linalg.pinv(four) @ four, telling, atol=1e-6)
    wide = scatter.columns[:, -1] @ np.linalg.pinv(four) @ four
    np.testing.assert_allclose(wide, scatter.columns[:, -1], atol=1e-6)


def test_the_known_part_alone_is_lda() -> None:
    vectors, labels = labelled()
    fitted = Head(rest=0, power=1, shrinkage=0.2).fit(vectors, labels)
    want = LDA(shrinkage=0.2).fit_transform(unit(vectors), labels)
    got = fitted.transform(vectors)
    np.testing.assert_allclose(got * (want[0, 0] / got[0, 0]), want, rtol=1e-3, atol=1e-3)
    assert np.sqrt((got**2).sum(axis=1).mean()) == pytest.approx(1, rel=1e-4)


def test_ridge_is_ridge_regression_on_the_labels() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    vectors, labels = clusters(400, 10, 4)
    vectors, names = unit(vectors), sorted(set(labels))
    scatter, which = Scatter.of(vectors, labels), np.array(labels)
    shrinkage, usual = 0.3, float(scatter.values.mean())
    targets = np.stack([(which == name) / np.sqrt((which == name).mean()) for name in names], axis=1)
    penalty = len(vectors) * shrinkage * usual / (1 - shrinkage)
    # the head shrinks the scatter within labels alone; the same of the total: that between them, times 1 − shrinkage
    within = (scatter.columns * scatter.values) @ scatter.columns.T
    between = scatter.columns @ (scatter.between.T @ scatter.between) @ scatter.columns.T
    assert penalty > 0 and linear.Ridge is not None
    mixed = (1 - shrinkage) * within + shrinkage * usual * np.eye(10) + between
    centred = vectors - vectors.mean(axis=0)
    slopes = np.linalg.solve(mixed, centred.T @ (targets - targets.mean(axis=0)) / len(vectors))
    want = centred @ slopes
    got = Head(known="ridge", rest=0, power=1, shrinkage=shrinkage).fit(vectors, labels).transform(vectors)
    gaps, ours = want @ want.T, got @ got.T
    np.testing.assert_allclose(ours / ours.trace(), gaps / gaps.trace(), atol=1e-5)


def test_the_parts_stand_side_by_side() -> None:
    vectors, labels = clusters(200, 16, 5)
    fitted = Head(12, power=3, rest=0.5).fit(vectors, labels)
    assert (fitted.known_.shape, fitted.rest_.shape, fitted.n_components_) == ((4, 16), (8, 16), 12)
    for vector, short in zip(vectors[:20], fitted.transform(vectors[:20]), strict=True):
        gap = vector / np.linalg.norm(vector) - fitted.mean_
        known, rest = fitted.known_ @ gap, fitted.rest_ @ gap
        np.testing.assert_allclose(short[:4], known * np.linalg.norm(known) ** 2, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(short[4:], 0.5 * rest / np.linalg.norm(rest), rtol=1e-3, atol=1e-5)


def test_angles_matter_and_lengths_do_not() -> None:
    vectors, labels = clusters(100, 8, 3)
    fitted = Head().fit(vectors, labels)
    np.testing.assert_allclose(fitted.transform(7 * vectors), fitted.transform(vectors), atol=1e-5)
    np.testing.assert_array_equal(fitted.transform(vectors[:1]), fitted.transform(vectors[:1]))


@pytest.mark.parametrize(
    ("length", "parameters", "parts"),
    [
        (None, {}, (4, 12)),
        (6, {}, (3, 3)),
        (1, {}, (1, 0)),
        (None, {"rest": 0.0}, (4, 0)),
        (None, {"known": "none"}, (0, 16)),
        (5, {"known": "none"}, (0, 5)),
    ],
)
def test_lengths(length: int | None, parameters: dict[str, Any], parts: tuple[int, int], tmp_path: Path) -> None:
    vectors, labels = clusters(100, 16, 5)
    fitted = Head(length, **parameters).fit(vectors, labels)
    assert (len(fitted.known_), len(fitted.rest_)) == parts
    fitted.save(tmp_path / "head")
    again = reduce.open(tmp_path / "head")
    assert again.get_params() == fitted.get_params()
    np.testing.assert_array_equal(again.transform(vectors), fitted.transform(vectors))


def test_what_it_makes_can_be_undone_where_nothing_was_left_out() -> None:
    vectors, labels = clusters(200, 8, 9)
    fitted = Head(16 - 8, power=2, shrinkage=0.5).fit(vectors, labels)
    got = fitted.inverse_transform(fitted.transform(vectors))
    whole = Head(known="none").fit(vectors, labels)
    assert np.isfinite(got).all() and got.shape == vectors.shape
    back = whole.inverse_transform(whole.transform(vectors)) - whole.mean_
    gaps = unit(vectors) - whole.mean_
    np.testing.assert_allclose(normalized(back), normalized(gaps), atol=1e-3)


def test_it_tells_known_classes_apart_and_does_not_collapse_on_others() -> None:
    random = np.random.default_rng(0)
    classes, dim, each = 24, 32, 20
    centres = random.normal(size=(classes, dim))
    loud = np.ones(dim)
    loud[:8] = 3  # what differs within every class, and says nothing
    made = centres[:, None] + random.normal(size=(classes, each, dim)) * loud
    vectors, codes = made.reshape(-1, dim).astype(np.float32), np.repeat(np.arange(classes), each)
    known = codes < 6
    learn = known & (np.arange(len(codes)) % 2 == 0)
    fitted = Head(whitening=0.2).fit(vectors[learn], codes[learn])
    alone = LDA().fit(vectors[learn], codes[learn])

    def right(short: Any, rows: Any) -> float:
        near = unit(short[rows]) @ unit(short[rows]).T
        np.fill_diagonal(near, -9)
        return float((codes[rows][near.argmax(axis=1)] == codes[rows]).mean())

    seen, new = known & ~learn, ~known
    head, lda = fitted.transform(vectors), alone.transform(vectors)
    assert right(head, seen) > right(vectors, seen) + 0.1
    assert right(head, new) > right(vectors, new) + 0.1
    assert right(head, new) > right(lda, new) + 0.1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"known": "pca"}, "lda, ridge or none, not 'pca'"),
        ({"shrinkage": 0}, "shrinkage must be above 0 and up to 1, not 0"),
        ({"whitening": 2}, "whitening must be above 0 and up to 1, not 2"),
        ({"power": 0.5}, "power must be 1 to 16, not 0.5"),
        ({"rest": -1}, "rest must be 0 to 100"),
        ({"known": "none", "rest": 0}, "rest must be 0 to 100, and above 0 where nothing else is"),
        ({"n_components": 9}, r"head can keep 1 to 8 numbers of a vector \(the vectors have 8\), not 9"),
    ],
)
def test_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    vectors, labels = clusters(60, 8, 3)
    with pytest.raises(InputError, match=message):
        Head(**parameters).fit(vectors, labels)


def test_bad_labels() -> None:
    vectors, _ = clusters(60, 8, 3)
    with pytest.raises(InputError, match="head learns from labels"):
        Head().fit(vectors)
    with pytest.raises(InputError, match="head needs at least 2 different labels, and every vector has 'a'"):
        Head().fit(vectors, ["a"] * 60)
    with pytest.raises(InputError, match="needs at least 2 different labels, and there is one"):
        Head().learn(Scatter.of(vectors, ["a"] * 60))
    alone = Head().fit(vectors, np.arange(60)).transform(vectors)  # one vector a label: nothing tells what varies
    assert np.isfinite(alone).all()
