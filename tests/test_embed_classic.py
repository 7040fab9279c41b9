"""Classical descriptors without weights: what each sees, what it does not, and values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagekin.embed import create
from imagekin.errors import InputError
from imagekin.testing.embedders import check_embedder, synthetic_picture
from imagekin.types import Pixels

NAMES = ["raw", "colour", "hog", "lbp", "gabor", "gist"]


@pytest.mark.parametrize("spec", [*NAMES, "raw(side=5, channels=3)", "colour(space='hsv', bins=(8, 2, 2), grid=1)"])
def test_every_descriptor_conforms(spec: str) -> None:
    check_embedder(lambda: create(spec))


@pytest.mark.parametrize(
    ("spec", "dim"),
    [
        ("raw", 784),  # the 28 x 28 pixels of Fashion-MNIST
        ("raw(side=8, channels=3)", 192),
        ("colour", 4**3 * 4**2),
        ("colour(bins=(8, 4, 2), grid=3, space='lab')", 64 * 9),
        ("hog", 3 * 3 * 2 * 2 * 9 + 1),
        ("hog(side=128, cell=8)", 15 * 15 * 2 * 2 * 9 + 1),
        ("lbp", 59 * 16),
        ("gabor", 4 * 6 * 2 + 1),
        ("gist", 4 * 8 * 16 + 1),
    ],
)
def test_the_length_follows_from_the_options(spec: str, dim: int) -> None:
    embedder = create(spec)
    assert embedder.dim == dim == embedder.embed([synthetic_picture(0)]).shape[1]


def stripes(angle: float, wave: float = 8.0, side: int = 128) -> Pixels:
    """Grey stripes that change along *angle*, *wave* pixels long."""
    down, across = np.mgrid[0:side, 0:side]
    along = across * np.cos(angle) + down * np.sin(angle)
    level = np.rint(128 + 100 * np.sin(2 * np.pi * along / wave)).astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=2)


def similarity(spec: str, first: Pixels, second: Pixels) -> float:
    one, two = create(spec).embed([first, second])
    return float(one @ two)


def test_raw_pixels_are_the_grey_levels() -> None:
    picture = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 10, 10]]], np.uint8)
    grey = np.array([0.299 * 255, 0.587 * 255, 0.114 * 255, 10]) + 1
    (vector,) = create("raw(side=2)").embed([picture])
    np.testing.assert_allclose(vector, grey / np.linalg.norm(grey), atol=1e-6)
    (vector,) = create("raw(side=2, channels=3)").embed([picture])
    np.testing.assert_allclose(vector * np.linalg.norm(picture + 1.0), picture.reshape(-1) + 1.0, rtol=1e-5)


def test_two_halves_of_colour_are_two_bins() -> None:
    half = np.zeros((128, 128, 3), np.uint8)
    half[:, :32] = 255, 0, 0  # a quarter red, the rest black
    (vector,) = create("colour(bins=(2, 2, 2), grid=1)").embed([half])
    expected = np.zeros(8)
    expected[0b000], expected[0b100] = np.sqrt(0.75), np.sqrt(0.25)
    np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_colour_sees_colours_and_no_edges() -> None:
    first = synthetic_picture(1, 128, 128)
    mixed = np.random.default_rng(0).permutation(first.reshape(-1, 3)).reshape(first.shape)
    assert similarity("colour(grid=1)", first, mixed) > 0.9999, "it does not matter where a colour is"
    assert similarity("colour", first, mixed) < 0.99, "with cells it matters"
    assert similarity("colour", first, first[..., ::-1].copy()) < 0.6


@pytest.mark.parametrize("spec", ["hog", "lbp", "gabor", "gist"])
def test_those_of_grey_levels_do_not_see_colour(spec: str) -> None:
    grey = stripes(0.5)
    tinted = np.rint(grey * np.array([0.6, 1.0, 0.8])).astype(np.uint8)
    assert similarity(spec, grey, tinted) > 0.97


@pytest.mark.parametrize("spec", ["hog", "gabor", "gist"])
def test_direction_matters_and_place_of_the_stripes_does_not(spec: str) -> None:
    upright, shifted, lying = stripes(0.0), np.roll(stripes(0.0), 3, axis=1), stripes(np.pi / 2)
    assert similarity(spec, upright, shifted) > 0.95
    assert similarity(spec, upright, lying) < 0.7


def test_gabor_answers_most_to_stripes_of_its_own_size_and_direction() -> None:
    embedder = create("gabor(scales=4, orientations=4)")
    for scale, wave in enumerate((4.0, 8.0, 16.0)):
        for direction in range(4):
            (vector,) = embedder.embed([stripes(np.pi * direction / 4, wave)])
            means = vector[:-1].reshape(4, 4, 2)[..., 0]
            assert np.unravel_index(means.argmax(), means.shape) == (scale, direction)


def test_gist_tells_where_something_is_and_gabor_does_not() -> None:
    left = np.full((128, 128, 3), 128, np.uint8)
    left[:, :64] = stripes(0.0)[:, :64]
    right = left[:, ::-1].copy()
    assert similarity("gabor", left, right) > 0.99
    assert similarity("gist", left, right) < 0.6


def test_hog_of_one_edge_has_its_direction() -> None:
    edge = np.zeros((64, 64, 3), np.uint8)
    edge[:, 32:] = 255
    (vector,) = create("hog").embed([edge])
    cells = vector[:-1].reshape(3, 3, 2, 2, 9)
    assert cells[..., 0].sum() == pytest.approx(cells.sum(), rel=1e-6), "every gradient is across: the first bin"


def test_lbp_of_a_plain_picture_is_one_pattern() -> None:
    (vector,) = create("lbp(grid=1)").embed([np.full((64, 64, 3), 77, np.uint8)])
    assert vector.argmax() == 57 and vector.max() > 0.95, "all neighbours are as light; only the border has others"


@pytest.mark.parametrize("spec", ["hog", "gabor", "gist"])
def test_pictures_without_structure_are_alike_and_like_nothing_else(spec: str) -> None:
    black, grey, waves = np.zeros((9, 9, 3), np.uint8), np.full((50, 90, 3), 99, np.uint8), synthetic_picture(2)
    embedder = create(spec)
    vectors = embedder.embed([black, grey, waves])
    np.testing.assert_array_equal(vectors[:2], np.eye(1, embedder.dim, embedder.dim - 1).repeat(2, axis=0))
    assert vectors[2, -1] == 0


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("raw(side=0)", "side must be a whole number from 1 to 128, not 0"),
        ("raw(channels=2)", "channels must be 1 for grey or 3"),
        ("colour(space='cmyk')", "space must be one of hsv, lab, rgb; not 'cmyk'"),
        ("colour(bins=8)", r"bins must be three whole numbers, such as \(8, 4, 4\)"),
        ("colour(bins=(8, 4, 999))", "each of bins must be a whole number from 1 to 32, not 999"),
        ("hog(cell=40)", "cell must be a whole number from 4 to 32, not 40"),
        ("hog(orientations=True)", "orientations must be a whole number"),
        ("lbp(radius=0.5)", "radius must be a whole number"),
        ("gabor(scales=9)", "scales must be a whole number from 1 to 4, not 9"),
        ("gist(side=32)", "from 1 to 2, not 4, which takes a side of 128 pixels or more, not 32"),
        ("gist(grid='4')", "grid must be a whole number"),
        ("hog(side=None)", "side must be a whole number"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence(spec: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        create(spec)


def test_options_are_told_by_name_and_fingerprint() -> None:
    made: list[Any] = [create(spec) for spec in ("gist", "gist(grid=4)", "gist(grid=2)")]
    assert [each.name for each in made] == ["gist", "gist", "gist(grid=2)"]
    assert made[0].fingerprint == made[1].fingerprint != made[2].fingerprint


def test_a_file_and_its_array_are_one_picture() -> None:
    picture = synthetic_picture(5)
    for name in NAMES:
        one, two = create(name).embed([picture, Image.fromarray(picture)])
        np.testing.assert_array_equal(one, two)
