"""Maps: what lies close together in truth does so in the plane; the same seed gives the same map."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import maps
from imagekin.errors import InputError, MissingPackageError, UnknownNameError
from imagekin.evaluation import Progress
from imagekin.maps import faithful, graph, saved
from imagekin.maps.methods import METHODS
from imagekin.types import Vectors
from tests.clouds import clusters
from tests.pictures import folder

METHOD_NAMES = ["tsne", "umap", "pca"]


def need(method: str) -> None:
    """Skip where the method's package is missing, unless everything has to be here."""
    if os.environ.get("IMAGEKIN_ALL_ENGINES") != "1" and not METHODS[method].installed():
        pytest.skip(f"{method} needs a package that is not installed")


@pytest.fixture(scope="module")
def cloud() -> tuple[Vectors, list[str]]:
    """Four classes that are far apart, in sixty dimensions."""
    random = np.random.default_rng(1)
    codes = np.arange(240) % 4
    vectors = 8 * np.eye(60, dtype=np.float32)[codes] + random.normal(size=(240, 60))
    return vectors.astype(np.float32), [f"class {code}" for code in codes]


def own_class(xy: Any, labels: list[str]) -> float:
    """How often the nearest on a map has the same label."""
    gaps = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    near = gaps.argmin(axis=1)
    return float(np.mean([labels[row] == labels[other] for row, other in enumerate(near)]))


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_classes_stay_together_and_the_seed_decides(method: str, cloud: tuple[Vectors, list[str]]) -> None:
    need(method)
    vectors, labels = cloud
    made = imagekin.map(vectors, method)
    assert own_class(made.xy, labels) > (0.8 if method == "pca" else 0.98)
    assert np.array_equal(imagekin.map(vectors, method).xy, made.xy)
    assert (made.method, made.dim, made.components, len(made)) == (method, 60, 50, 240)
    assert made.kept is not None and made.trustworthiness is not None
    assert made.kept > 2 * made.chance
    assert made.trustworthiness > 0.7
    assert made.made_by.split()[0] == {"tsne": "openTSNE", "umap": "umap-learn", "pca": "imagekin"}[method]


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_map_is_framed(method: str, cloud: tuple[Vectors, list[str]]) -> None:
    need(method)
    xy = imagekin.map(cloud[0], method).xy
    low, high = xy.min(axis=0), xy.max(axis=0)
    assert xy.dtype == np.float32
    assert (high - low).max() == pytest.approx(2)
    assert low + high == pytest.approx(0, abs=1e-6)


def test_pca_shows_the_two_largest_directions() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(500, 3)) * (9, 3, 0.1) @ np.linalg.qr(random.normal(size=(3, 3)))[0]
    made = maps.map(vectors, "pca", metric="euclidean")
    spread = made.xy.std(axis=0)
    assert spread[0] / spread[1] == pytest.approx(3, rel=0.1)
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    assert abs(np.corrcoef(centred @ directions[0], made.xy[:, 0])[0, 1]) == pytest.approx(1, abs=1e-4)


def test_cosine_does_not_see_lengths(cloud: tuple[Vectors, list[str]]) -> None:
    vectors = cloud[0]
    longer = vectors * np.linspace(0.5, 20, len(vectors), dtype=np.float32)[:, None]
    assert np.allclose(maps.map(vectors, "pca").xy, maps.map(longer, "pca").xy, atol=1e-4)
    assert not np.allclose(
        maps.map(vectors, "pca", metric="euclidean").xy, maps.map(longer, "pca", metric="euclidean").xy, atol=0.1
    )


# -- few, equal and damaged vectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_few_pictures_are_laid_out_by_pca(method: str, count: int) -> None:
    need(method)
    made = maps.map(np.random.default_rng(0).normal(size=(count, 9)), method)
    assert made.method == "pca"
    assert len(np.unique(made.xy, axis=0)) == count
    assert bool(made.notes) == (method != "pca")
    assert (made.kept is None) == (count < 4)
    assert made.told()
    json.dumps(made.to_dict(), allow_nan=False)


@pytest.mark.parametrize("method", ["tsne", "umap"])
@pytest.mark.parametrize("count", [8, 12])
def test_fewer_pictures_than_neighbours_asked_for(method: str, count: int) -> None:
    need(method)
    made = maps.map(np.random.default_rng(0).normal(size=(count, 5)), method)
    assert made.method == method
    assert np.isfinite(made.xy).all()
    assert len(made.notes) == 1
    assert "at the most" in made.notes[0]


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_equal_vectors_lie_on_one_spot(method: str) -> None:
    need(method)
    made = maps.map(np.ones((50, 6)), method)
    assert not made.xy.any()
    assert made.notes == ("All 50 vectors are equal, so that every picture lies on one spot.",)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_copies_have_a_place_each(method: str) -> None:
    need(method)
    few = np.random.default_rng(0).normal(size=(6, 4))
    made = maps.map(np.repeat(few, 10, axis=0), method)
    assert np.isfinite(made.xy).all()
    assert np.ptp(made.xy, axis=0).max() > 1


def test_what_cannot_be_laid_out_says_so_in_a_sentence() -> None:
    good = np.eye(10)
    bad = good.copy()
    bad[3, 3] = np.nan
    for vectors, sentence in ((bad, "row 3 holds NaN"), (np.empty((0, 4)), "no vectors"), ([["a"]], "real numbers")):
        with pytest.raises(InputError, match=sentence):
            maps.map(vectors, "pca")
    for options, sentence in (
        ({"method": "pca", "perplexity": 5}, "pca has no option 'perplexity'; its options: none"),
        ({"method": "pca", "seed": -1}, "seed is -1"),
        ({"method": "pca", "limit": 0}, "limit is 0"),
        ({"method": "pca", "components": 1}, "components is 1"),
        ({"method": "pca", "label": "cat"}, "label is about the pictures of a collection"),
    ):
        with pytest.raises(InputError, match=sentence):
            maps.map(good, **options)
    with pytest.raises(UnknownNameError, match="no method is called 'tnse'; Did you mean 'tsne'"):
        maps.map(good, "tnse")


def test_options_out_of_range() -> None:
    need("tsne")
    for value in (0, 1e9, "many", True, float("nan")):
        with pytest.raises(InputError, match="perplexity is .*; give a number from 2 to 500"):
            maps.map(np.random.default_rng(0).normal(size=(20, 3)), perplexity=value)


def test_a_missing_package_answers_with_its_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r'pip install "imagekin\[maps\]"'):
        maps.map(np.eye(20), "umap")


def test_progress_goes_up_to_its_end(cloud: tuple[Vectors, list[str]]) -> None:
    need("tsne")
    seen: list[Progress] = []
    maps.map(cloud[0], progress=seen.append)
    done = [each.done for each in seen if each.what == "Laying out"]
    assert done == sorted(done)
    assert done[-1] == 750 == seen[1].total


# -- how far to believe it ---------------------------------------------------------------------------------------------


def slowly(vectors: Any, xy: Any, k: int) -> tuple[float, float]:
    """Both measures by their definitions, one picture at a time."""
    n = len(vectors)
    kept = penalty = 0
    for row in range(n):
        true = np.linalg.norm(vectors - vectors[row], axis=1)
        shown = np.linalg.norm(xy - xy[row], axis=1)
        true_order = [each for each in np.argsort(true, kind="stable") if each != row]
        shown_order = [each for each in np.argsort(shown, kind="stable") if each != row][:k]
        kept += len(set(true_order[:k]) & set(shown_order))
        penalty += sum(max(0, true_order.index(each) + 1 - k) for each in shown_order)
    return kept / (n * k), 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1))


def test_measures_are_those_of_their_definitions() -> None:
    random = np.random.default_rng(5)
    vectors, xy = random.normal(size=(80, 7)).astype(np.float32), random.normal(size=(80, 2)).astype(np.float32)
    k, kept, trust = faithful.measure(vectors, xy, metric="euclidean", seed=0)
    assert k == 10
    assert (kept, trust) == pytest.approx(slowly(vectors, xy, 10))
    assert faithful.measure(xy, xy, metric="euclidean", seed=0) == (10, 1.0, 1.0)


def test_a_sample_speaks_for_all() -> None:
    vectors, _ = clusters(3_000, 12, 20)
    whole = slowly_kept(vectors)
    _, kept, _ = faithful.measure(vectors, vectors[:, :2].copy(), metric="euclidean", seed=3)
    assert kept == pytest.approx(whole, abs=0.01)


def slowly_kept(vectors: Vectors) -> float:
    near = [set(line) for line in graph.among(vectors, 10)[0].tolist()]
    flat = [set(line) for line in graph.among(vectors[:, :2].copy(), 10)[0].tolist()]
    return float(np.mean([len(one & other) / 10 for one, other in zip(near, flat, strict=True)]))


def test_neighbours_are_the_others() -> None:
    vectors = np.array([[0.0], [0.0], [1.0], [3.0]], np.float32)
    rows, gaps = graph.among(vectors, 2)
    assert rows.tolist() == [[1, 2], [0, 2], [0, 1], [2, 0]]
    assert gaps[3].tolist() == [2.0, 3.0]


# -- collections and files ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = folder(
        tmp_path_factory.mktemp("photos"), [f"{label}/{number}.png" for label in "abc" for number in range(5)]
    )
    where = tmp_path_factory.mktemp("collections") / "c"
    with imagekin.open(where, model="pixels") as photos:
        photos.index(root)
    return where


def test_a_collection_is_laid_out_as_its_vectors_are_and_remembered(place: Path) -> None:
    with imagekin.open(place) as photos:
        ids, vectors = photos.vectors()
        made = imagekin.map(photos, "pca")
        assert np.array_equal(made.ids, ids)
        assert np.allclose(made.xy, maps.map(vectors, "pca").xy, atol=1e-3)
        assert (made.name, made.model, made.metric) == ("c", "pixels", "cosine")
        kept = list((place / "cache" / "maps").glob("*.npz"))
        assert len(kept) == 1
        before = kept[0].stat().st_mtime_ns
        again = imagekin.map(photos, "pca")
        assert np.array_equal(again.xy, made.xy)
        assert again.seconds == made.seconds
        assert kept[0].stat().st_mtime_ns == before
        kept[0].write_bytes(b"damaged")
        assert np.array_equal(imagekin.map(photos, "pca").xy, made.xy)
        assert maps.open(kept[0]).to_dict() == {**made.to_dict(), "seconds": maps.open(kept[0]).seconds}


def test_filters_and_limits_choose_pictures(place: Path) -> None:
    with imagekin.open(place) as photos:
        some = imagekin.map(photos, "pca", where="label != 'b'")
        assert {item.label for item in photos.get(some.ids)} == {"a", "c"}
        few = imagekin.map(photos, "pca", limit=9, label=None)
        assert len(few) == 9
        assert few.notes[0] == "9 of 15 pictures, drawn at random."
        with pytest.raises(InputError, match="none of its pictures fits the filter"):
            imagekin.map(photos, "pca", label="zebra")
        with pytest.raises(InputError, match="a collection has its own metric"):
            imagekin.map(photos, metric="inner")


def test_neighbours_by_the_store(place: Path) -> None:
    with imagekin.open(place) as photos:
        ids, _ = photos.vectors()
        rows, gaps = graph.in_store(photos.store, ids, 3)
        for row, number in enumerate(ids.tolist()):
            hits = photos.search(id=number, k=3)
            assert ids[rows[row]].tolist() == [hit.id for hit in hits]
            assert gaps[row] == pytest.approx([hit.distance for hit in hits], abs=1e-6)
        part = np.ascontiguousarray(ids[::2][::-1])
        rows, gaps = graph.in_store(photos.store, part, 2)
        for line, near in zip(rows.tolist(), gaps.tolist(), strict=True):
            for at, gap in zip(line, near, strict=True):
                assert (at < 0) == (gap == np.inf)
        nearest = photos.search(id=int(part[0]), k=14)
        expected = [hit.id for hit in nearest if hit.id in set(part.tolist())]
        there = [part[at] for at in rows[0].tolist() if at >= 0]
        assert there == expected[: len(there)]


def test_a_map_comes_back_from_its_file(tmp_path: Path, cloud: tuple[Vectors, list[str]]) -> None:
    made = maps.map(cloud[0], "pca", seed=7)
    back = maps.open(maps.save(made, tmp_path / "m.npz"))
    assert np.array_equal(back.xy, made.xy)
    assert np.array_equal(back.ids, made.ids)
    assert back.to_dict() == made.to_dict()
    assert back.notes == made.notes


def test_a_file_that_is_no_map_is_refused(tmp_path: Path, cloud: tuple[Vectors, list[str]]) -> None:
    whole = maps.save(maps.map(cloud[0], "pca"), tmp_path / "m.npz").read_bytes()
    with pytest.raises(InputError, match="no map lies at .*absent.npz"):
        maps.open(tmp_path / "absent.npz")
    path = tmp_path / "bad.npz"
    for data in (b"", b"PK", whole[:-40], whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(InputError, match="cannot be read as a map"):
            maps.open(path)
    np.savez(path, header=np.frombuffer(b"{}", np.uint8), ids=np.arange(3), xy=np.zeros((3, 2), np.float32))
    with pytest.raises(InputError, match="cannot be read as a map"):
        maps.open(path)
    np.savez(path, header=np.array([{"a": 1}], object), ids=np.arange(3), xy=np.zeros((3, 2), np.float32))
    with pytest.raises(InputError, match="cannot be read as a map"):
        maps.open(path)


def test_the_cache_forgets_the_oldest(tmp_path: Path) -> None:
    made = maps.map(np.eye(5), "pca")
    for number in range(saved.KEPT + 3):
        saved.keep(tmp_path / "maps", f"{number:02}", made)
        os.utime(tmp_path / "maps" / f"{number:02}.npz", (number, number))
    left = sorted(path.stem for path in (tmp_path / "maps").glob("*.npz"))
    assert len(left) <= saved.KEPT + 1
    assert "14" in left
    assert "00" not in left
