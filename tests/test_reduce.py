"""Reducers against values worked out by hand and scikit-learn's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin import reduce
from imagekin.errors import InputError, UnknownNameError
from imagekin.reduce.lda import LDA
from imagekin.reduce.pca import PCA, WhitenedPCA
from imagekin.reduce.pq import ProductQuantizer
from imagekin.reduce.random import RandomProjection
from tests.clouds import SPECS, labelled, stretched


def test_pca_of_four_points_by_hand() -> None:
    # along y = x they lie at −√8, √8, 0, 0 and across it at 0, 0, −√2, √2
    points = np.array([[0, 0], [4, 4], [1, 3], [3, 1]], np.float32)
    fitted = PCA().fit(points)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(fitted.mean_, [2, 2])
    np.testing.assert_allclose(fitted.components_[0], [half, half], atol=1e-6)
    np.testing.assert_allclose(np.abs(fitted.components_[1]), [half, half], atol=1e-6)
    assert fitted.components_[1].sum() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(fitted.explained_variance_, [16 / 3, 4 / 3], rtol=1e-6)
    np.testing.assert_allclose(fitted.explained_variance_ratio_, [0.8, 0.2], rtol=1e-6)
    two = 2 * np.sqrt(2)
    np.testing.assert_allclose(fitted.transform(points)[:, 0], [-two, two, 0, 0], atol=1e-6)
    np.testing.assert_allclose(
        WhitenedPCA(1).fit_transform(points)[:2, 0], np.array([-1, 1]) * two / np.sqrt(16 / 3), rtol=1e-6
    )


@pytest.mark.parametrize(("n", "dim"), [(200, 12), (8, 12), (12, 12), (5000, 3)])
@pytest.mark.parametrize("whiten", [False, True])
def test_pca_is_scikit_learns(n: int, dim: int, whiten: bool) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors, kept = stretched(n, dim), min(n - 1, dim, 5)
    ours = (WhitenedPCA if whiten else PCA)(kept).fit(vectors)
    theirs = decomposition.PCA(kept, svd_solver="full", whiten=whiten).fit(vectors.astype(np.float64))
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, rtol=1e-4)
    got, want = ours.transform(vectors), theirs.transform(vectors)
    signs = np.sign((got * want).sum(axis=0))
    np.testing.assert_allclose(got, want * signs, atol=2e-3 * np.abs(want).max())


@pytest.mark.parametrize("kind", [PCA, WhitenedPCA])
def test_the_first_directions_are_those_of_a_shorter_fit(kind: type[PCA], tmp_path: Path) -> None:
    vectors = stretched(60, 8)
    long = kind(6).fit(vectors)
    got, want = long.first(3), kind(3).fit(vectors)
    assert (got.spec, got.n_components_, got.n_features_in_) == (want.spec, 3, 8)
    for name in kind.learned:
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), atol=1e-6)
    np.testing.assert_allclose(got.transform(vectors), long.transform(vectors)[:, :3], atol=1e-5)
    assert long.components_.shape == (6, 8)
    got.save(tmp_path / "reducer")
    assert reduce.open(tmp_path / "reducer").n_components_ == 3
    for n in (0, 7, True):
        with pytest.raises(InputError, match=f"has 1 to 6 directions to keep, not {n}"):
            long.first(n)
    with pytest.raises(InputError, match="has learned nothing yet"):
        kind(3).first(2)


def test_pca_keeps_a_share_of_the_variance() -> None:
    vectors = stretched(500, 8)
    for share in (0.5, 0.9, 0.99):
        ratios = PCA(share).fit(vectors).explained_variance_ratio_
        assert ratios.sum() >= share > ratios[:-1].sum()


def test_a_mapped_half_precision_file_gives_the_same(tmp_path: Path) -> None:
    halves = stretched(9000, 6).astype(np.float16)
    np.save(tmp_path / "v.npy", halves)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    for spec in ("pca:3", "pq:3"):
        got, want = reduce.create(spec).fit(mapped), reduce.create(spec).fit(halves.astype(np.float32))
        np.testing.assert_allclose(
            got.inverse_transform(got.transform(halves)), want.inverse_transform(want.transform(halves)), atol=1e-5
        )


def test_whitening_leaves_no_rounding_blown_up() -> None:
    flat = stretched(50, 4)
    flat[:, 3] = flat[:, 2]
    got = WhitenedPCA().fit_transform(flat)
    np.testing.assert_allclose(got[:, :3].std(axis=0, ddof=1), 1, rtol=1e-3)
    assert np.abs(got[:, 3]).max() == 0


def test_what_all_components_keep_comes_back() -> None:
    vectors = stretched(40, 6)
    for reducer in (PCA(), WhitenedPCA(), RandomProjection()):
        np.testing.assert_allclose(
            reducer.fit(vectors).inverse_transform(reducer.transform(vectors)), vectors, atol=1e-3
        )


def test_pca_loses_the_least() -> None:
    vectors = stretched(300, 10)
    lost = {
        spec: float(((made.inverse_transform(made.fit_transform(vectors)) - vectors) ** 2).sum())
        for spec, made in ((spec, reduce.create(spec)) for spec in ("pca:3", "random:3"))
    }
    variances = PCA().fit(vectors).explained_variance_
    assert lost["pca:3"] == pytest.approx(299 * variances[3:].sum(), rel=1e-2)
    assert lost["pca:3"] < lost["random:3"]


def test_random_projection_keeps_lengths_on_average_and_repeats() -> None:
    vectors = np.random.default_rng(1).standard_normal((400, 256)).astype(np.float32)
    got = RandomProjection(64).fit_transform(vectors)
    ratios = (got**2).sum(axis=1) / (vectors**2).sum(axis=1)
    assert abs(ratios.mean() - 1) < 0.03
    np.testing.assert_array_equal(got, RandomProjection(64).fit_transform(vectors))
    assert not np.allclose(got, RandomProjection(64, seed=1).fit_transform(vectors))
    whole = RandomProjection().fit(vectors).components_
    np.testing.assert_allclose(whole @ whole.T, np.eye(256), atol=1e-5)


def test_lda_finds_what_tells_labels_apart() -> None:
    vectors, labels = labelled()
    fitted = LDA(shrinkage=1e-6).fit(vectors, labels)
    assert fitted.components_.shape == (2, 6)
    share = (fitted.components_[:, 3:5] ** 2).sum(axis=1) / (fitted.components_**2).sum(axis=1)
    assert share.min() > 0.97
    got, which = fitted.transform(vectors), np.array(labels)
    for label in "abc":
        np.testing.assert_allclose(got[which == label].std(axis=0), 1, atol=0.25)
    centres = np.stack([got[which == label].mean(axis=0) for label in "abc"])
    nearest = ((got[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (np.array(list("abc"))[nearest] == which).mean() > 0.97


def test_lda_is_scikit_learns() -> None:
    analysis = pytest.importorskip("sklearn.discriminant_analysis")
    vectors, labels = labelled(200)
    want = analysis.LinearDiscriminantAnalysis(n_components=2, solver="eigen").fit(vectors, labels).transform(vectors)
    got = LDA(shrinkage=1e-9).fit_transform(vectors, labels)
    for column in range(2):
        assert abs(np.corrcoef(got[:, column], want[:, column])[0, 1]) == pytest.approx(1, abs=1e-4)


def test_pq_takes_the_nearest_centre_of_every_piece() -> None:
    vectors = stretched(1500, 8)
    fitted = ProductQuantizer(4).fit(vectors)
    codes = fitted.transform(vectors)
    assert codes.shape == (1500, 4) and codes.dtype == np.uint8 and fitted.centroids_.shape == (4, 256, 2)
    for row in range(0, 1500, 100):
        for piece in range(4):
            gaps = ((fitted.centroids_[piece] - vectors[row, 2 * piece : 2 * piece + 2]) ** 2).sum(axis=1)
            assert gaps[codes[row, piece]] == pytest.approx(gaps.min(), rel=1e-3, abs=1e-5)
    back = fitted.inverse_transform(codes)
    assert back.shape == vectors.shape
    assert ((back - vectors) ** 2).sum() < 0.02 * ((vectors - vectors.mean(axis=0)) ** 2).sum()


def test_pq_of_few_vectors_has_few_centres() -> None:
    vectors = stretched(10, 8)
    fitted = ProductQuantizer().fit(vectors)
    assert fitted.centroids_.shape == (1, 8, 8)
    assert fitted.transform(vectors).max() < 8
    with pytest.raises(InputError, match="codes must be 0 to 7, not 0 to 9"):
        fitted.inverse_transform(np.array([[0], [9]]))


@pytest.mark.parametrize("spec", SPECS)
def test_scikit_learns_conventions(spec: str) -> None:
    base, pipeline = pytest.importorskip("sklearn.base"), pytest.importorskip("sklearn.pipeline")
    vectors, labels = labelled()
    reducer = reduce.create(spec)
    copy = base.clone(reducer)
    assert copy is not reducer and copy.get_params() == reducer.get_params()
    copy.set_params(n_components=1)
    assert reducer.n_components != 1 or spec == "lda:1"
    got = pipeline.make_pipeline(reducer).fit(vectors, labels).transform(vectors[:4])
    assert got.shape == (4, reducer.n_components_)
    with pytest.raises(InputError, match="has no parameter 'depth'"):
        reducer.set_params(depth=3)


@pytest.mark.parametrize(
    ("spec", "vectors", "labels", "message"),
    [
        (
            "pca:7",
            np.ones((9, 6)),
            None,
            r"pca can keep 1 to 6 numbers of a vector \(9 vectors of 6 were given\), not 7",
        ),
        (
            "pca:5",
            np.ones((4, 6)),
            None,
            r"pca can keep 1 to 4 numbers of a vector \(4 vectors of 6 were given\), not 5",
        ),
        ("pca:0", np.ones((9, 6)), None, "pca can keep 1 to 6"),
        ("pca:1.5", np.ones((9, 6)), None, "a share of the variance between 0 and 1, not 1.5"),
        ("random:7", np.ones((9, 6)), None, "random can keep 1 to 6"),
        ("pq:4", np.ones((9, 6)), None, "4 does not divide 6"),
        ("pca:2", np.ones((1, 6)), None, "needs at least 2 vectors to learn from, not 1"),
        ("pca:2", np.ones(6), None, r"must have shape \(n, dim\), not \(6,\)"),
        ("pca:2", np.array([[1, 2], [3, np.nan]]), None, "row 1 holds NaN"),
        ("pca:2", np.array([[1, 2], [3, np.inf]], np.float16), None, "row 1 holds NaN"),
        ("lda", np.ones((9, 6)), None, "lda learns from labels"),
        ("lda", np.ones((9, 6)), ["a"] * 9, "every vector has 'a'"),
        ("lda", np.ones((4, 6)), ["a", "b", "a"], "3 labels were given for 4 vectors"),
        (
            "lda:2",
            np.ones((4, 6)),
            ["a", "b", "a", "b"],
            r"lda can keep 1 to 1 numbers of a vector \(there are 2 labels\)",
        ),
    ],
)
def test_what_cannot_be_learned_gets_one_sentence(spec: str, vectors: Any, labels: Any, message: str) -> None:
    reducer = reduce.create(spec)
    with pytest.raises(InputError, match=message):
        reducer.fit(vectors, labels)
    assert not reducer.fitted
    with pytest.raises(InputError, match="has learned nothing yet"):
        reducer.transform(vectors)


def test_equal_vectors_and_tiny_ones_do_no_harm() -> None:
    for spec in ("pca:2", "pca-whiten:2", "random:2", "pq:2", "lda:1"):
        got = reduce.create(spec).fit(np.ones((8, 4)), list("abababab")).transform(np.full((3, 4), 1e-30))
        assert np.isfinite(got).all()


def test_specs() -> None:
    with pytest.raises(UnknownNameError, match="known: head, lda, pca, pca-whiten, pq, random"):
        reduce.create("tsne:2")
    for spec in ("pca:", "pca:many", "pca:True", "pca:(1,2)"):
        with pytest.raises(InputError, match="names no reducer"):
            reduce.create(spec)
    with pytest.raises(InputError, match=r"must have shape \(n, 6\), not \(2, 5\)"):
        PCA(2).fit(stretched(9, 6)).transform(np.ones((2, 5)))
