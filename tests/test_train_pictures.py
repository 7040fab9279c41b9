"""What a network learns from: labelled files, parted; and how they are varied."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin.embed.base import Recipe
from imagekin.errors import InputError
from imagekin.train import augmentation, metric_learning, pictures
from tests.pictures import folder, picture, save

RECIPE = Recipe(16, 24, mode="squash")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return folder(tmp_path / "photos", [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(10)])


def test_labels_are_the_folders_names_or_a_files(photos: Path, tmp_path: Path) -> None:
    found = pictures.of_folder(photos)
    assert found.labels == ("cat", "dog")
    assert found.codes.tolist() == [0] * 10 + [1] * 10
    assert [Path(path).parent.name for path in found.paths] == ["cat"] * 10 + ["dog"] * 10
    table = tmp_path / "labels.csv"
    rows = [f"photos/cat/{number}.png,{'odd' if number % 2 else 'even'}" for number in range(10)]
    table.write_text("path,label\n" + "\n".join(rows))
    found = pictures.of_folder(photos, label_from=str(table))
    assert found.labels == ("even", "odd")
    assert found.codes.tolist() == [0, 1] * 5
    assert "10 pictures have no label and were left out." in found.notes


def test_copies_are_taken_once_and_those_with_two_labels_not_at_all(photos: Path) -> None:
    shutil.copy(photos / "cat" / "0.png", photos / "cat" / "again.png")
    shutil.copy(photos / "cat" / "1.png", photos / "dog" / "other.png")
    found = pictures.of_folder(photos)
    names = [Path(path).name for path in found.paths]
    assert len(found) == 19
    assert names.count("0.png") == 2
    assert names.count("1.png") == 1
    assert "again.png" not in names
    assert "other.png" not in names
    assert set(found.notes) == {
        "2 copies of other pictures were left out.",
        "1 pictures have copies with another label and were left out.",
    }


def test_a_collection_has_labelled_pictures_too(photos: Path, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "collection", create=True, model="pixels") as collection:
        collection.index(photos)
        found = pictures.of_collection(collection)
    assert (found.labels, len(found)) == (("cat", "dog"), 20)


def test_files_with_labels_of_any_kind(photos: Path) -> None:
    paths = sorted(photos.rglob("*.png"))
    found = pictures.of_files(paths, [7] * 10 + [8] * 10)
    assert found.labels == ("7", "8")
    with pytest.raises(InputError, match="1 labels were given for 20 files"):
        pictures.of_files(paths, [7])


def test_one_long_label_takes_no_room_beside_each_picture(tmp_path: Path) -> None:
    names = ["a" * 100_000, *(str(number % 9) for number in range(999))]
    tracemalloc.start()
    try:
        found = pictures.of_files([f"{number}.png" for number in range(1000)], names)
        assert len(np.unique(found.families())) == 10
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [found.labels[code] for code in found.codes] == names
    assert peak < 4_000_000


def test_of_few_classes_enough_are_held_out_to_stop_and_to_judge() -> None:
    for classes, held in ((5, 0.3), (6, 4 / 6), (10, 0.4), (30, 0.3)):
        given = pictures.of_files([f"{number}.png" for number in range(2 * classes)], [*range(classes)] * 2)
        assert metric_learning._held(given, known=False) == pytest.approx(held)
        assert metric_learning._held(given, known=True) == 0.3
        if classes > 5:
            rest = pictures.held_out(given, metric_learning._held(given, known=False), seed=0, by_class=True)[1]
            assert len(rest.classes()) >= 4


def test_a_part_of_each_class_is_held_out_and_nothing_is_on_both_sides(photos: Path) -> None:
    given = pictures.of_folder(photos)
    learn, held = pictures.held_out(given, 0.3, seed=4)
    assert np.bincount(learn.codes).tolist() == [7, 7]
    assert np.bincount(held.codes).tolist() == [3, 3]
    assert set(learn.paths) | set(held.paths) == set(given.paths)
    assert not set(learn.paths) & set(held.paths)
    assert pictures.held_out(given, 0.3, seed=4)[1].paths == held.paths
    assert pictures.held_out(given, 0.3, seed=5)[1].paths != held.paths


def test_whole_classes_can_be_held_out(tmp_path: Path) -> None:
    root = folder(tmp_path, [f"{label}/{number}.png" for label in "abcdefgh" for number in range(2)])
    learn, held = pictures.held_out(pictures.of_folder(root), 0.25, seed=0, by_class=True)
    assert len(held.classes()) == 2
    assert not set(learn.classes()) & set(held.classes())
    compact = learn.compact()
    assert sorted(set(compact.codes.tolist())) == list(range(6))
    for before, after in zip(learn.codes, compact.codes, strict=True):
        assert learn.labels[before] == compact.labels[after]


def test_a_class_of_one_picture_is_learned_from(photos: Path) -> None:
    save(photos / "owl" / "only.png", 99)
    learn, held = pictures.held_out(pictures.of_folder(photos), 0.9, seed=0)
    assert learn.labels[learn.codes[-1]] == "owl"
    assert 2 not in held.codes
    assert np.bincount(learn.codes).tolist() == [1, 1, 1]


@pytest.mark.parametrize("share", [0, 1, -0.5, True, "half", float("nan")])
def test_a_share_that_is_none_is_said(photos: Path, share: Any) -> None:
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        pictures.held_out(pictures.of_folder(photos), share, seed=0)


def test_too_little_to_learn_from_is_said(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of one class, 'cat'"):
        pictures.of_folder(photos / "cat")
    with pytest.raises(InputError, match="is not a folder"):
        pictures.of_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no pictures"):
        pictures.of_folder(tmp_path / "empty")
    singles = folder(tmp_path / "singles", ["a/1.png", "b/1.png", "c/1.png"])
    with pytest.raises(InputError, match="of the 3 classes of .* 0 have so many"):
        pictures.of_folder(singles)


def test_the_digest_tells_other_pictures_and_other_labels_apart(photos: Path) -> None:
    given = pictures.of_folder(photos)
    assert given.digest() == pictures.of_folder(photos).digest()
    assert given.take([0, 1, 11, 12]).digest() != given.digest()
    (photos / "cat").rename(photos / "hat")
    assert pictures.of_folder(photos).digest() != given.digest()


# varied


def test_nothing_is_varied_unless_it_is_asked_for() -> None:
    shown = picture(3)
    for seed in range(4):
        found = augmentation.varied(shown, RECIPE, "none", np.random.default_rng(seed))
        assert np.array_equal(found, RECIPE.apply(shown))


def test_half_of_the_pictures_are_mirrored() -> None:
    shown = picture(3)
    plain = RECIPE.apply(shown)
    found = [augmentation.varied(shown, RECIPE, "flip", np.random.default_rng(seed)) for seed in range(200)]
    mirrored = sum(np.array_equal(each, plain[:, ::-1]) for each in found)
    assert mirrored + sum(np.array_equal(each, plain) for each in found) == 200
    assert 70 <= mirrored <= 130
    assert np.array_equal(augmentation.mirror(plain), plain[:, ::-1])


def test_cuts_lie_within_the_picture_and_keep_a_third_of_it_or_more() -> None:
    across, down = np.meshgrid(np.arange(240), np.arange(160))
    place = np.stack([across, down, np.zeros_like(across)], axis=-1).astype(np.uint8)
    recipe = Recipe(32, 32, mode="squash", resample="bilinear")
    shares, lefts = [], []
    for seed in range(100):
        found = augmentation.varied(Image.fromarray(place), recipe, "crop", np.random.default_rng(seed)).astype(float)
        wide = abs(found[:, -1, 0] - found[:, 0, 0]).mean() * 32 / 31 / 240
        high = (found[-1, :, 1] - found[0, :, 1]).mean() * 32 / 31 / 160
        shares.append(wide * high)
        lefts.append(min(found[0, 0, 0], found[0, -1, 0]))
    assert min(shares) > 0.3
    assert max(shares) < 1.01
    assert np.std(shares) > 0.1
    assert np.std(lefts) > 10


def test_light_and_colours_change_too_and_the_seed_says_how() -> None:
    shown = picture(5)
    some = [augmentation.varied(shown, RECIPE, "colour", np.random.default_rng(seed)) for seed in range(40)]
    again = augmentation.varied(shown, RECIPE, "colour", np.random.default_rng(7))
    assert np.array_equal(some[7], again)
    assert np.std([each.mean() for each in some]) > 5
    grey = [np.ptp(each.astype(int), axis=2).max() <= 1 for each in some]
    assert 0 < sum(grey) < 15
