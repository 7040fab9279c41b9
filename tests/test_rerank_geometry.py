"""Geometric verification: the same thing seen twice, and things that are only alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageOps

import imagekin
from imagekin import evaluation
from imagekin.cli.app import app
from imagekin.collection import Collection
from imagekin.errors import ImageError, InputError, MissingPackageError
from imagekin.rerank import geometry, verifying
from imagekin.types import Hit
from tests.photographs import photograph, save


def points(left: Image.Image, right: Image.Image) -> int:
    return geometry.inliers(geometry.features(left), geometry.features(right))


def _covered(shown: Image.Image) -> Image.Image:
    pixels = np.asarray(shown).copy()
    pixels[:, : shown.width // 2] = 128
    return Image.fromarray(pixels, "RGB")


def _aside(shown: Image.Image) -> Image.Image:
    corners = (0, 0, 60, 480, 660, 400, 720, 60)
    return shown.transform(shown.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)


VIEWS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "itself": lambda shown: shown,
    "a crop": lambda shown: shown.crop((150, 70, 580, 410)),
    "turned": lambda shown: shown.rotate(35, expand=True, fillcolor=(128, 128, 128)),
    "half as large": lambda shown: shown.resize((360, 240)),
    "larger": lambda shown: shown.resize((1800, 1200), Image.Resampling.BICUBIC),
    "grey": lambda shown: shown.convert("L").convert("RGB"),
    "from the side": _aside,
    "half covered": _covered,
}


@pytest.mark.parametrize("view", VIEWS)
def test_the_same_thing_is_known_again(view: str) -> None:
    shown = photograph(3, 720, 480)
    assert verifying.is_same(points(VIEWS[view](shown), shown))


def test_other_things_are_not_the_same() -> None:
    features = [geometry.features(photograph(seed)) for seed in range(8)]
    pairs = [geometry.inliers(a, b) for at, a in enumerate(features) for b in features[:at]]
    assert max(pairs) < geometry.ENOUGH


def test_a_mirrored_picture_is_known_by_its_mirror_image_alone() -> None:
    shown = photograph(3, 720, 480)
    assert not verifying.is_same(points(ImageOps.mirror(shown), shown))
    own = geometry.features(shown)
    assert geometry.shared(geometry.both(ImageOps.mirror(shown)), own) == geometry.inliers(own, own)


def test_pictures_with_nothing_to_hold_on_to_share_no_points() -> None:
    blank = Image.new("RGB", (200, 100), (90, 90, 90))
    assert points(blank, blank) == points(blank, photograph(1)) == 0
    assert points(Image.new("RGB", (1, 1)), photograph(1)) == 0


def test_what_is_looked_at_is_bounded() -> None:
    found = geometry.features(photograph(2).resize((3000, 2000)))
    assert found.points.max() <= geometry.SIDE
    assert len(found.points) <= geometry.POINTS + 8  # OpenCV keeps those that tie with the last
    assert np.linalg.norm(found.descriptors, axis=1) == pytest.approx(1, abs=1e-3)


def test_a_squeezed_or_mirrored_map_is_no_view() -> None:
    place = np.array([[10, 10], [50, 20], [30, 80], [90, 90], [40, 40]], np.float32)
    assert geometry._is_view(np.eye(3), place)
    assert not geometry._is_view(np.diag([-1.0, 1, 1]), place)
    assert not geometry._is_view(np.diag([1, 0.01, 1]), place)
    assert not geometry._is_view(np.diag([0.01, 0.01, 1]), place)
    assert not geometry._is_view(np.eye(3), place[:4])


# -- searches ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of ten things; thing 4 also as a crop that is lighter, which pixels are far from."""
    folder = tmp_path_factory.mktemp("things")
    for seed in range(10):
        save(folder / f"{seed}.jpg", photograph(seed))
    crop = photograph(4).crop((120, 60, 360, 230))
    save(folder / "part.jpg", Image.fromarray((np.asarray(crop) // 2 + 127).astype(np.uint8), "RGB"))
    return folder


@pytest.fixture(scope="module")
def photos(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with imagekin.open(tmp_path_factory.mktemp("collections") / "c", model="pixels") as collection:
        collection.index(root)
        yield collection


def names(hits: list[Hit]) -> list[str]:
    return [Path(hit.path).name for hit in hits]


def test_the_same_thing_comes_first_and_the_rest_keeps_its_order(photos: Collection, root: Path) -> None:
    query = root / "4.jpg"
    plain = photos.search(query, k=11)
    assert names(plain).index("part.jpg") > 1
    hits = photos.search(query, k=11, verify=11)
    assert names(hits)[:2] == ["4.jpg", "part.jpg"]
    assert names(hits)[2:] == [name for name in names(plain) if name not in ("4.jpg", "part.jpg")]
    assert [verifying.is_same(hit.inliers) for hit in hits] == [True, True] + [False] * 9
    assert {hit.id: hit.distance for hit in hits} == {hit.id: hit.distance for hit in plain}


def test_more_hits_are_looked_at_than_are_shown(photos: Collection, root: Path) -> None:
    assert names(photos.search(root / "part.jpg", k=2, verify=11)) == ["part.jpg", "4.jpg"]
    few = photos.search(root / "4.jpg", k=5, verify=2)
    assert [hit.inliers is None for hit in few] == [False, False, True, True, True]


def test_items_and_regions_are_verified_as_well(photos: Collection, root: Path) -> None:
    number = next(item.id for item in photos.items() if item.path.endswith("part.jpg"))
    assert names(photos.search(id=number, k=1, verify=10)) == ["4.jpg"]
    region = photos.search(root / "4.jpg", k=1, crop=(150, 80, 200, 140), verify=11)
    assert names(region) == ["4.jpg"]
    several: Any = photos.search(id=[number, number], k=1, verify=10)
    assert [names(row) for row in several] == [["4.jpg"]] * 2


def test_a_file_that_is_gone_is_left_where_it_was(photos: Collection, root: Path) -> None:
    with Image.open(root / "4.jpg") as picture:
        hits = photos.search(picture.convert("RGB"), k=3)
    looked = verifying.verified(photograph(4), [replace(hits[0], path="/nowhere.jpg"), *hits], 4)
    assert [hit.inliers is None for hit in looked].count(True) == 1
    assert verifying.is_same(looked[0].inliers)


def test_when_the_time_is_up_hits_stay_as_they_were(photos: Collection, root: Path) -> None:
    hits = photos.search(root / "4.jpg", k=11)
    assert verifying.verified(photograph(4), hits, 11, seconds=0) == hits


def test_words_and_silly_numbers_are_refused(photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (0, 201, True, 2.5):
        with pytest.raises(InputError, match="1 to 200"):
            photos.search(root / "4.jpg", verify=number)
    with pytest.raises(InputError, match="point by point"):
        photos.search(imagekin.Mixture(root / "4.jpg", root / "5.jpg"), verify=3)
    with pytest.raises(ImageError):
        photos.search(root / "nowhere.jpg", verify=3)
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingPackageError, match=r'pip install "imagekin\[classic\]"'):
        photos.search(root / "4.jpg", verify=3)


def test_the_table_says_which_hits_are_the_same_thing(photos: Collection, root: Path) -> None:
    words = ["-c", photos.location, "search", str(root / "4.jpg"), "-k", "3", "--verify", "11"]
    lines = CliRunner().invoke(app, words).stdout.splitlines()
    assert lines[0].split() == ["similarity", "points", "thing", "id", "label", "size", "path"]
    assert [line.split()[2] == "same" for line in lines[1:]] == [True, True, False]
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [verifying.is_same(each["inliers"]) for each in found] == [True, True, False]


# -- evaluations -------------------------------------------------------------------------------------------------------


def test_edited_pictures_find_themselves_by_their_points(photos: Collection) -> None:
    plain = evaluation.self_retrieval(photos, edits=["rotation", "crop"], sample=5)
    looked = evaluation.self_retrieval(photos, edits=["rotation", "crop"], sample=5, verify=11)
    gains = [after.recall - before.recall for before, after in zip(plain.edits, looked.edits, strict=True)]
    assert min(gains) >= 0
    assert max(gains) > 0
    assert [one.similarity for one in plain.edits] == [one.similarity for one in looked.edits]


def test_evaluate_takes_verify_with_edits_only(photos: Collection) -> None:
    words = ["-c", photos.location, "evaluate", "--verify", "3"]
    assert CliRunner().invoke(app, words).exit_code == 2
    done = CliRunner().invoke(app, [*words, "--edits", "jpeg", "--sample", "2"])
    assert done.exit_code == 0, done.output
    assert done.stdout.count(" 100.00% ") == 3, done.stdout
