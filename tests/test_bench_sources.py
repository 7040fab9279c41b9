"""What a benchmark is made on: a collection, an HDF5 file that nobody vouches for, pixels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import imagekin
from imagekin.benchmark import of_collection, of_hdf5, of_pixels, of_vectors
from imagekin.benchmark.sources import compact
from imagekin.errors import InputError
from tests.pictures import save


def made(count: int, dim: int = 6, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def rows(array: Any) -> set[bytes]:
    return {row.tobytes() for row in np.asarray(array, np.float32)}


# -- arrays ------------------------------------------------------------------------------------------------------------


def test_queries_are_held_out_and_nothing_is_lost() -> None:
    vectors = made(300)
    data = of_vectors(vectors, queries=20)
    assert (len(data.train), len(data.queries), data.dim, data.metric) == (280, 20, 6, "cosine")
    assert rows(data.train) | rows(data.queries) == rows(vectors)
    assert not rows(data.train) & rows(data.queries)


def test_at_most_a_tenth_is_held_out() -> None:
    assert len(of_vectors(made(200), queries=1000).queries) == 20


def test_the_seed_decides_and_the_fingerprint_tells() -> None:
    vectors = made(300)
    one, same, other = (of_vectors(vectors, queries=20, seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    assert of_vectors(vectors, queries=20, seed=1, metric="inner").fingerprint() != one.fingerprint()
    assert of_vectors(vectors * 2, queries=20, seed=1).fingerprint() != one.fingerprint()


def test_vectors_are_kept_as_halves_only_where_that_loses_nothing() -> None:
    halves = made(10).astype(np.float16).astype(np.float32)
    assert compact(halves).dtype == np.float16
    assert np.array_equal(compact(halves).astype(np.float32), halves)
    for other in (made(10), halves * np.float32(1e6)):
        assert compact(other).dtype == np.float32
        assert np.array_equal(compact(other), other)


def test_too_few_vectors_and_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="thing has 99 vectors; a measurement needs at least 100"):
        of_vectors(made(99), name="thing")
    with pytest.raises(InputError, match="queries must be 1 or more, not 0"):
        of_vectors(made(200), queries=0)
    broken = made(200)
    broken[7, 1] = np.nan
    with pytest.raises(InputError, match="row 7 holds NaN"):
        of_vectors(broken)


def test_a_sample_has_the_same_queries_over_fewer_rows() -> None:
    data = of_vectors(made(300), queries=20)
    some = data.sample(100)
    assert len(some.train) == 100
    assert rows(some.train) < rows(data.train)
    assert np.array_equal(some.queries, data.queries)
    assert data.sample(280) is data


# -- collections and pictures ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for number in range(110):
        save(root / f"class{number % 3}" / f"{number:03d}.png", number, width=12, height=8)
    (root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    return root


def test_a_collection_gives_its_own_vectors(pictures: Path, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "mine", model="pixels") as photos:
        photos.index(pictures)
        data = of_collection(photos, queries=10)
        _, vectors = photos.vectors()
        assert (data.name, data.metric, len(data.train), len(data.queries)) == ("mine", photos.store.metric, 100, 10)
        assert rows(data.train) | rows(data.queries) == rows(vectors)
        assert data.train.dtype == np.float16
        assert len(of_collection(photos, limit=100).train) == 90


def test_a_collection_with_too_few_pictures_is_refused(tmp_path: Path) -> None:
    with (
        imagekin.open(tmp_path / "empty", model="pixels") as photos,
        pytest.raises(
            InputError, match="the collection empty has 0 images; a measurement needs at least 100: index more"
        ),
    ):
        of_collection(photos)


def test_pixels_are_grey_values_of_what_can_be_read(pictures: Path) -> None:
    steps: list[tuple[int, int]] = []
    data = of_pixels(pictures, side=4, queries=5, step=lambda done, total: steps.append((done, total)))
    assert (data.metric, data.dim, len(data.train), len(data.queries)) == ("euclidean", 16, 105, 5)
    assert steps[-1] == (111, 111)
    values = np.asarray(data.queries)
    assert 0 <= values.min() < values.max() <= 1


def test_pixels_of_a_white_and_a_black_picture(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(100):
        Image.new("RGB", (9, 7), (255,) * 3 if number else (0,) * 3).save(tmp_path / f"{number}.png")
    data = of_pixels(tmp_path, side=5, queries=10)
    every = np.concatenate([np.asarray(data.train, np.float32), data.queries])
    assert sorted(np.unique(every, axis=0).tolist()) == [[0.0] * 25, [1.0] * 25]


def test_pixels_of_nothing_are_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        of_pixels(tmp_path / "absent")
    with pytest.raises(InputError, match="has 0 pictures that can be read; at least 100 are needed"):
        of_pixels(tmp_path)
    with pytest.raises(InputError, match=r"side must be 4 … 128 pixels, not 1000"):
        of_pixels(pictures, side=1000)


# -- HDF5 --------------------------------------------------------------------------------------------------------------


def hdf5(path: Path, metric: str | None = "euclidean", **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        if metric is not None:
            file.attrs["distance"] = metric
    return path


def test_a_file_in_the_form_of_ann_benchmarks(tmp_path: Path) -> None:
    train, test, true = made(200), made(30, seed=1), np.sort(made(30, 100, seed=2))
    path = hdf5(tmp_path / "some-6-euclidean.hdf5", train=train, test=test, distances=true, neighbors=true.astype(int))
    data = of_hdf5(path)
    assert (data.name, data.metric) == ("some-6-euclidean", "euclidean")
    assert np.array_equal(data.train, train)
    assert rows(data.queries) == rows(test)
    assert len(data.queries) == 30
    few = of_hdf5(path, queries=10, limit=120)
    assert (len(few.train), len(few.queries), few.true) == (120, 10, None)
    assert rows(few.train) < rows(train)
    assert rows(few.queries) < rows(test)
    for some in (data, of_hdf5(path, queries=10)):
        assert some.true is not None
        at = [int(np.flatnonzero((test == query).all(axis=1))[0]) for query in some.queries]
        assert at != sorted(at)
        assert np.array_equal(some.true, true[at])


@pytest.mark.parametrize(("said", "metric"), [("angular", "cosine"), ("euclidean", "euclidean"), ("IP", "inner")])
def test_words_for_a_metric(tmp_path: Path, said: str, metric: str) -> None:
    assert of_hdf5(hdf5(tmp_path / "x.hdf5", said, train=made(200), test=made(5))).metric == metric


def test_a_metric_that_is_unknown_or_absent_can_be_given(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "x.hdf5", "jaccard", train=made(200), test=made(5))
    with pytest.raises(InputError, match=r"x.hdf5 says its distance is 'jaccard'; known: angular.*--metric"):
        of_hdf5(path)
    assert of_hdf5(path, metric="inner").metric == "inner"
    with pytest.raises(InputError, match="the metric is 'hamming'"):
        of_hdf5(path, metric="hamming")
    with pytest.raises(InputError, match="says its distance is ''"):
        of_hdf5(hdf5(tmp_path / "y.hdf5", None, train=made(200), test=made(5)))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"train": made(200)}, "has no array 'test'; it needs train and test, and has 'train'"),
        ({"test": made(9)}, "has no array 'train'"),
        ({}, "has no array 'train'; it needs train and test, and has nothing"),
        ({"train": made(200).ravel(), "test": made(9)}, r"'train' of x.hdf5 must be numbers \(n, dim\)"),
        ({"train": made(200).astype("S8"), "test": made(9)}, "must be numbers"),
        ({"train": made(200), "test": made(9, 5)}, "has train vectors of 6 elements, test of 5"),
        ({"train": made(50), "test": made(9)}, "50 train and 9 test vectors; too few"),
        ({"train": made(200), "test": made(0)}, "200 train and 0 test vectors; too few"),
        ({"train": np.full((200, 6), np.inf), "test": made(9)}, "train of x.hdf5 must be finite; row 0"),
        ({"train": made(200), "test": np.full((9, 6), np.nan)}, "test of x.hdf5 must be finite; row 0"),
    ],
)  # fmt: skip
def test_a_file_without_what_it_needs_is_one_sentence(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        of_hdf5(hdf5(tmp_path / "x.hdf5", **arrays))


def test_what_is_no_hdf5_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        of_hdf5(tmp_path / "absent.hdf5")
    with pytest.raises(InputError, match="there is no file"):
        of_hdf5(tmp_path)
    (tmp_path / "text.hdf5").write_text("not this")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        of_hdf5(tmp_path / "text.hdf5")
    whole = hdf5(tmp_path / "x.hdf5", train=made(5_000), test=made(9)).read_bytes()
    (tmp_path / "half.hdf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        of_hdf5(tmp_path / "half.hdf5")


def test_arrays_that_lie_in_other_files_are_not_followed(tmp_path: Path) -> None:
    other = hdf5(tmp_path / "other.hdf5", train=made(200), test=made(9))
    (tmp_path / "raw").write_bytes(made(200).tobytes())
    with h5py.File(tmp_path / "link.hdf5", "w") as file:
        file["train"] = h5py.ExternalLink(other, "/train")
        file["test"] = made(9)
    with pytest.raises(InputError, match="'train' of link.hdf5 points to other files or is no array"):
        of_hdf5(tmp_path / "link.hdf5")
    with h5py.File(tmp_path / "raw.hdf5", "w") as file:
        file.create_dataset("train", (200, 6), "f4", external=[(str(tmp_path / "raw"), 0, 4800)])
        file["test"] = made(9)
    with pytest.raises(InputError, match="'train' of raw.hdf5 points to other files"):
        of_hdf5(tmp_path / "raw.hdf5")
    with h5py.File(tmp_path / "virtual.hdf5", "w") as file:
        layout = h5py.VirtualLayout((200, 6), "f4")
        layout[:] = h5py.VirtualSource(other, "train", (200, 6))
        file.create_virtual_dataset("train", layout)
        file["test"] = made(9)
    with pytest.raises(InputError, match="points to other files"):
        of_hdf5(tmp_path / "virtual.hdf5")


def test_distances_are_read_from_this_file_only_and_for_those_who_ask(tmp_path: Path) -> None:
    rows, asked = made(200), made(9)
    gaps = np.sort(np.linalg.norm(asked[:, None] - rows[None], axis=2), axis=1)[:, :5]
    own = hdf5(tmp_path / "own.hdf5", train=rows, test=asked, distances=gaps)
    found = of_hdf5(own, metric="euclidean", queries=4)
    order = [int(np.flatnonzero((asked == query).all(axis=1))[0]) for query in found.queries]
    assert found.true is not None
    np.testing.assert_allclose(found.true, gaps[order])
    other = tmp_path / "other.hdf5"
    os.mkfifo(other)  # whoever followed the link would wait for ever
    with h5py.File(tmp_path / "link.hdf5", "w") as file:
        file["train"], file["test"] = rows, asked
        file["distances"] = h5py.ExternalLink(other, "/distances")
    linked = of_hdf5(tmp_path / "link.hdf5", metric="euclidean")
    assert linked.true is not None
    assert linked.true.shape == (9, 0)


@pytest.mark.parametrize("name", ["train", "test"])
def test_rows_that_were_never_written_are_not_counted_in_memory(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file.create_dataset(name, (1 << 32, 8), "f4", chunks=(1 << 16, 8))  # 137 GB of nothing
        file[{"train": "test", "test": "train"}[name]] = made(200, 8)
        file.attrs["distance"] = "euclidean"
    if name == "test":
        assert len(of_hdf5(tmp_path / "x.hdf5", queries=5).queries) == 5
    else:
        with pytest.raises(InputError, match="GB of memory"):
            of_hdf5(tmp_path / "x.hdf5")


def test_a_size_that_is_a_lie_is_refused_unread(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file.create_dataset("train", (1 << 40, 512), "f4", chunks=(64, 512))
        file["test"] = made(9)
    with pytest.raises(InputError, match="no set of vectors to measure on"):
        of_hdf5(tmp_path / "x.hdf5")


@pytest.mark.parametrize("distances", [made(29, 3), made(30, 3).ravel(), made(30, 3).astype("S4")])
def test_distances_that_do_not_fit_are_passed_over(tmp_path: Path, distances: Any) -> None:
    path = hdf5(tmp_path / "x.hdf5", train=made(200), test=made(30), distances=distances)
    found = of_hdf5(path).true
    assert found is not None
    assert found.shape == (30, 0)
