from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from imagekin.duplicates import agreement, features, look, placement
from imagekin.duplicates.calibration import Calibration, score
from imagekin.duplicates.comparison import CROP, MIRROR, NEAR, ROTATED, Comparison, compare
from imagekin.duplicates.orientation import ORIENTATIONS, Orientation
from imagekin.evaluation import edits
from tests.photographs import photograph

ORIGINAL = photograph(1)


def compared(second: Image.Image, first: Image.Image = ORIGINAL) -> Comparison:
    return compare(look.of(first), look.of(second))


def is_copy(found: Comparison) -> bool:
    return Calibration().accepts(found)


# -- the eight orientations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("laid", ORIENTATIONS, ids=str)
def test_points_go_where_their_pixels_go(laid: Orientation) -> None:
    grey = np.zeros((4, 7), np.uint8)
    grey[1, 5] = 255
    shown = laid.image(Image.fromarray(grey))
    assert shown.size == laid.size((7, 4))
    assert np.array_equal(np.asarray(shown), laid.array(grey))
    ((x, y),) = laid.points(np.array([[5.5, 1.5]], np.float32), (7, 4)).tolist()
    assert np.asarray(shown)[int(y), int(x)] == 255


def test_the_eight_orientations_are_different() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert len({laid.array(grey).tobytes() + bytes(laid.array(grey).shape) for laid in ORIENTATIONS}) == 8
    assert [laid.name for laid in ORIENTATIONS[:5]] == [
        "", "turned by 90°", "turned by 180°", "turned by 270°", "mirrored",
    ]  # fmt: skip


@pytest.mark.parametrize("laid", ORIENTATIONS, ids=str)
def test_the_hash_of_an_orientation_is_that_of_the_picture_laid_so(laid: Orientation) -> None:
    bits = look.apart(look.of(laid.image(ORIGINAL)), look.of(ORIGINAL))
    assert bits[ORIENTATIONS.index(laid)] <= 2
    assert sorted(bits.tolist())[1] > 15


@pytest.mark.parametrize("laid", ORIENTATIONS, ids=str)
def test_features_of_an_orientation_are_those_of_the_picture_laid_so(laid: Orientation) -> None:
    grey = ORIGINAL.convert("L")
    predicted, seen = features.of(grey).laid(laid), features.of(laid.image(grey))
    assert predicted.size == seen.size
    alike = seen.seen.astype(float) @ predicted.seen.astype(float).T
    gaps = np.linalg.norm(seen.points - predicted.points[alike.argmax(axis=1)], axis=1)
    assert np.median(alike.max(axis=1)) > 0.99
    assert np.median(gaps) < 1


# -- placements and agreement ----------------------------------------------------------------------------------------


def test_corners_find_where_a_crop_lies() -> None:
    """A region of 200 x 150 at (100, 60), at 1.25 times its size: 0.8 pixels of the original to one of the crop."""
    grey = ORIGINAL.convert("L")
    crop = grey.crop((100, 60, 300, 210)).resize((250, 188), Image.Resampling.BICUBIC)
    found = placement.found(features.of(grey), features.of(crop))
    assert found is not None
    assert (found.across, found.down) == pytest.approx((0.8, 0.8), abs=0.01)
    assert (found.left, found.top) == pytest.approx((100, 60), abs=1.5)
    assert found.corners > 20


def test_strangers_have_no_placement_in_common() -> None:
    found = [placement.found(features.of(ORIGINAL.convert("L")), features.of(photograph(seed).convert("L")))
             for seed in range(2, 12)]  # fmt: skip
    assert [each for each in found if each is not None and each.corners > 6] == []


def test_a_plain_picture_has_no_features_and_agrees_with_nothing() -> None:
    plain = Image.new("RGB", (200, 100), (200, 10, 10))
    assert len(look.of(plain).features) == 0
    assert compared(plain, plain).agreement == 0
    assert compared(Image.new("RGB", (1, 1))).agreement == 0


def test_a_picture_agrees_with_itself_in_every_block_and_half_of_it_in_half() -> None:
    grey = ORIGINAL.convert("L")
    box = (0.0, 0.0, 360.0, 240.0)
    assert agreement.of((grey, box), (grey, box)).share == 1
    other = grey.copy()
    other.paste(photograph(9).convert("L").crop((0, 0, 360, 120)), (0, 0))
    assert agreement.of((grey, box), (other, box)).share == pytest.approx(0.5, abs=0.13)


def test_shading_alone_is_no_agreement() -> None:
    """Two skies, dark above and light below, with different noise."""
    shade = np.linspace(40, 220, 240)[:, None] * np.ones((1, 360))
    skies = [
        Image.fromarray(
            np.clip(shade + np.random.default_rng(seed).normal(0, 12, shade.shape), 0, 255).astype(np.uint8)
        )
        for seed in (1, 2)
    ]
    assert not is_copy(compared(skies[0].convert("RGB"), skies[1].convert("RGB")))


# -- what an edit is called --------------------------------------------------------------------------------------------

NEARLY: dict[str, Callable[[Image.Image], Image.Image]] = {
    "the picture itself": lambda picture: picture,
    "saved anew": lambda picture: edits.jpeg(picture, quality=25),
    "half the size": lambda picture: picture.resize((180, 120)),
    "a third, and saved anew": lambda picture: edits.jpeg(picture.resize((120, 80)), quality=40),
    "brighter": lambda picture: edits.brightness(picture, factor=1.4),
    "grey": lambda picture: edits.saturation(picture, factor=0.0),
    "captioned": lambda picture: edits.overlay(picture, share=0.12),
    "squeezed": lambda picture: picture.resize((300, 240)),
    "blurred": lambda picture: edits.blur(picture, share=0.006),
}


@pytest.mark.parametrize("edit", NEARLY)
def test_a_picture_that_was_edited_is_near(edit: str) -> None:
    found = compared(NEARLY[edit](ORIGINAL))
    assert (is_copy(found), found.kind, found.cropped) == (True, NEAR, 0)


@pytest.mark.parametrize("box", [(0, 0, 252, 168), (90, 60, 270, 180), (150, 40, 360, 240), (20, 10, 150, 110)])
def test_a_part_of_a_picture_is_a_crop_and_where_it_lies_is_told(box: tuple[int, int, int, int]) -> None:
    found = compared(edits.jpeg(ORIGINAL.crop(box), quality=60))
    assert (is_copy(found), found.kind, found.cropped) == (True, CROP, 2)
    expected = box[0] / 360, box[1] / 240, (box[2] - box[0]) / 360, (box[3] - box[1]) / 240
    assert found.region == pytest.approx(expected, abs=0.02)
    assert found.first == pytest.approx(expected[2] * expected[3], abs=0.02)
    assert found.second > 0.95


def test_what_a_picture_is_a_crop_of_is_told_from_the_other_side() -> None:
    found = compared(ORIGINAL, ORIGINAL.crop((90, 60, 270, 180)))
    assert (is_copy(found), found.kind, found.cropped) == (True, CROP, 1)


def test_mirrored_and_turned_pictures_are_told_with_their_orientation() -> None:
    mirrored = compared(ImageOps.mirror(ORIGINAL))
    assert (is_copy(mirrored), mirrored.kind, ORIENTATIONS[mirrored.orientation].name) == (True, MIRROR, "mirrored")
    turned = compared(edits.rotation(ORIGINAL, degrees=90))  # to the left, so that it must be turned by 270° more
    assert (is_copy(turned), turned.kind, ORIENTATIONS[turned.orientation].turns) == (True, ROTATED, 3)
    both = compared(ImageOps.mirror(ORIGINAL).crop((60, 40, 320, 210)))
    assert (is_copy(both), both.kind, both.cropped) == (True, MIRROR, 2)


def test_strangers_are_no_copies() -> None:
    looks = [look.of(photograph(seed)) for seed in range(12)]
    found = [score(compare(one, other)) for one in looks for other in looks if one is not other]
    assert max(found) < 0.35


def test_an_overlap_of_two_parts_is_no_copy() -> None:
    """Two pictures of one scene, 60 % of each in common, neither a part of the other."""
    wide = photograph(3, 600, 240)
    found = compared(wide.crop((0, 0, 360, 240)), wide.crop((144, 0, 504, 240)))
    assert not is_copy(found)
    assert found.corners >= Calibration().corners
    assert found.first == pytest.approx(0.6, abs=0.05)
