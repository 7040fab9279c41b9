from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin import evaluation, images
from imagekin.collection import Collection
from imagekin.errors import InputError, UnknownNameError
from imagekin.evaluation import edits, self_retrieval
from tests.pictures import folder, picture, save

NAMES = [f"{number:02}.png" for number in range(30)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    root = folder(tmp_path_factory.mktemp("photos"), NAMES)
    with imagekin.open(tmp_path_factory.mktemp("collections") / "c", model="pixels") as opened:
        opened.index(root)
        yield opened


def half_and_half() -> Image.Image:
    """Left half black, right half (200, 100, 50): 40 x 20."""
    array = np.zeros((20, 40, 3), np.uint8)
    array[:, 20:] = (200, 100, 50)
    return Image.fromarray(array)


def pixels(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert picture.mode == "RGB"
    return np.asarray(picture)


def test_a_crop_keeps_the_middle() -> None:
    kept = pixels(edits.crop(half_and_half(), keep=0.5))
    assert kept.shape == (10, 20, 3)
    assert np.array_equal(kept, pixels(half_and_half())[5:15, 10:30])


def test_flips_mirror_each_axis() -> None:
    left_right, upside_down = (edit.apply(picture(1)) for edit in edits.EDITS["flip"])
    assert np.array_equal(pixels(left_right), pixels(picture(1))[:, ::-1])
    assert np.array_equal(pixels(upside_down), pixels(picture(1))[::-1])


def test_a_lower_quality_loses_more() -> None:
    whole = pixels(picture(1)).astype(int)
    losses = [np.abs(pixels(edits.jpeg(picture(1), quality=quality)) - whole).mean() for quality in (90, 50, 20, 5)]
    assert 0 < losses[0] < losses[1] < losses[2] < losses[3] < 40


def test_a_blur_spreads_an_edge_by_its_share_of_the_shorter_side() -> None:
    """A step of 200 through a Gaussian of standard deviation 2: 100 at the edge, 200 Φ(1) ≈ 168 two beyond."""
    row = pixels(edits.blur(half_and_half(), share=0.1))[10, :, 0].astype(float)
    assert (row[19] + row[20]) / 2 == pytest.approx(100, abs=3)
    assert (row[21] + row[22]) / 2 == pytest.approx(168, abs=8)
    assert row[0] == 0
    assert row[39] == 200


def test_colours_change_as_the_factors_say() -> None:
    assert pixels(edits.brightness(half_and_half(), factor=0.5))[0, 30].tolist() == [100, 50, 25]
    assert pixels(edits.brightness(half_and_half(), factor=1.5))[0, 30].tolist() == [255, 150, 75]
    grey = pixels(edits.saturation(half_and_half(), factor=0.0))[0, 30]
    assert grey.tolist() == [round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)] * 3


def test_a_quarter_turn_swaps_the_sides_and_others_fill_the_corners() -> None:
    assert np.array_equal(pixels(edits.rotation(picture(1), degrees=90)), np.rot90(pixels(picture(1))))
    turned = pixels(edits.rotation(picture(1), degrees=45))
    assert turned.shape == (32, 48, 3)
    assert turned[0, 0].tolist() == [128, 128, 128]
    assert np.abs(turned[16, 24].astype(int) - pixels(picture(1))[16, 24]).max() < 30  # the middle stays


def test_an_overlay_covers_its_share_and_nothing_else() -> None:
    covered = pixels(edits.overlay(picture(1, 100, 80), share=0.25))
    assert np.array_equal(covered[:60], pixels(picture(1, 100, 80))[:60])
    assert (covered[60:] == (24, 24, 28)).all(axis=2).mean() > 0.5
    assert covered[60:].max() > 200  # the text


@pytest.mark.parametrize("edit", edits.chosen(None), ids=lambda edit: f"{edit.name}, {edit.strength}")
def test_edits_change_the_picture_and_leave_the_original_alone(edit: edits.Edit) -> None:
    for size in ((192, 128), (1, 1), (1, 300), (300, 2)):
        original = picture(3, *size)
        before = pixels(original).copy()
        edited = edit.apply(original)
        assert (edited.mode, np.array_equal(pixels(original), before)) == ("RGB", True)
        if size == (192, 128):
            assert edited.size != original.size or not np.array_equal(pixels(edited), before)


def test_recall_is_what_searching_by_each_edited_picture_finds(photos: Collection) -> None:
    found = self_retrieval(photos)
    assert (found.pictures, found.searched, found.model, found.notes) == (30, 30, "pixels", ())
    assert [(one.edit, one.strength) for one in found.edits] == [
        (edit.name, edit.strength) for kind in edits.EDITS.values() for edit in kind
    ]
    for one, edit in zip(found.edits, edits.chosen(None), strict=True):
        first = similar = 0.0
        for item in photos.items():
            edited = edit.apply(images.load(item.path).image)
            hits = photos.search(edited, k=30)
            first += hits[0].id == item.id
            similar += next(hit.similarity for hit in hits if hit.id == item.id)
        assert one.recall == pytest.approx(first / 30)
        assert one.similarity == pytest.approx(similar / 30, abs=1e-4)
        assert 0 <= one.low <= one.recall <= one.high <= 1
    recalls = {one.recall for one in found.edits}
    assert max(recalls) == 1
    assert min(recalls) < 0.5  # the case tells mild edits from hard ones


def test_a_sample_is_drawn_by_its_seed(photos: Collection) -> None:
    seen: list[evaluation.Progress] = []
    found = self_retrieval(photos, edits=["rotation"], sample=7, seed=1, progress=seen.append)
    assert found.pictures == 7
    assert {one.edit for one in found.edits} == {"rotation"}
    assert [(one.done, one.total) for one in seen] == [(number, 7) for number in range(1, 8)]
    assert self_retrieval(photos, edits=["rotation"], sample=7, seed=1).edits == found.edits
    assert self_retrieval(photos, edits=["rotation"], sample=7, seed=2).edits != found.edits


def test_exact_copies_do_no_harm_and_unreadable_pictures_are_told(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", NAMES[:6])
    for name in NAMES[:6]:
        shutil.copy(root / name, root / f"copy of {name}")
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        (root / NAMES[0]).write_bytes(b"not a picture any more")
        found = self_retrieval(photos, edits=["jpeg"])
        assert (found.pictures, found.searched) == (11, 12)
        assert found.edits[0].recall == 1
        assert len(found.notes) == 1
        assert NAMES[0] in found.notes[0]
        shutil.rmtree(root)
        with pytest.raises(InputError, match="none of the 12 pictures can be read any more; the first: "):
            self_retrieval(photos, edits=["jpeg"])


def test_bad_input_is_one_sentence(photos: Collection, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no edit is called 'melt'; known: crop, flip, jpeg"):
        self_retrieval(photos, edits=["crop", "melt"])
    with pytest.raises(UnknownNameError, match="known: crop"):
        self_retrieval(photos, edits=[])
    with pytest.raises(InputError, match="sample must be 1 or more, not 0"):
        self_retrieval(photos, sample=0)
    with imagekin.open(tmp_path / "c", model="pixels") as alone:
        alone.index(save(tmp_path / "photos" / "a.png", 1).parent)
        with pytest.raises(InputError, match="has 1 pictures; an original is found among two or more"):
            self_retrieval(alone)
