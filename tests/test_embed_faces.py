"""Faces: found, turned upright, told apart, and a picture without one is told about."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin.embed import create, face_finder
from imagekin.embed.base import Embedder
from imagekin.embed.faces import FaceEmbedder
from imagekin.errors import ImageError, InputError, ModelError
from imagekin.testing.embedders import synthetic_picture
from tests.onnx_models import same

PEOPLE = (1, 2, 10, 12)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return create("faces")


@pytest.fixture(scope="module")
def portraits(shared_data: Path) -> list[Image.Image]:
    """Two of each of four people, one after the other."""
    paths = [shared_data / "orl_faces" / f"s{person}" / f"{number}.pgm" for person in PEOPLE for number in (1, 2)]
    return [Image.open(path).convert("RGB") for path in paths]


def scene(portrait: Image.Image, turned: float = 0, scale: float = 1.5) -> Image.Image:
    """A portrait somewhere in a larger picture of something else."""
    wide = Image.fromarray(synthetic_picture(1, 360, 480))
    large = portrait.resize((round(portrait.width * scale), round(portrait.height * scale)))
    mask = Image.new("L", large.size, 255).rotate(turned, expand=True)
    wide.paste(large.rotate(turned, Image.Resampling.BICUBIC, expand=True), (260, 60), mask)
    return wide


def test_one_person_is_told_from_others(embedder: Embedder, portraits: list[Image.Image]) -> None:
    vectors = embedder.embed(portraits)
    assert vectors.shape == (8, 128)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    person = np.repeat(PEOPLE, 2)
    alike = person[:, None] == person
    similarities = vectors @ vectors.T
    assert similarities[alike].min() > 0.6
    assert similarities[~alike].max() < 0.4
    assert abs(np.median(similarities[~alike])) < 0.25, "strangers come to about nothing"


def test_a_face_is_the_same_wherever_it_is_and_however_it_is_turned(
    embedder: Embedder, portraits: list[Image.Image]
) -> None:
    plain, placed, turned = embedder.embed([portraits[0], scene(portraits[0]), scene(portraits[0], turned=20)])
    assert plain @ placed > 0.9
    assert plain @ turned > 0.8


def test_the_largest_face_counts(embedder: Embedder, portraits: list[Image.Image]) -> None:
    both = scene(portraits[0], scale=2)
    both.paste(portraits[2], (10, 200))
    (vector,) = embedder.embed([both])
    first, second = embedder.embed([portraits[0], portraits[2]])
    assert vector @ first > 0.8 > vector @ second


def test_the_vector_is_what_the_network_says_less_the_mean(portraits: list[Image.Image]) -> None:
    embedder = FaceEmbedder()
    face = embedder.prepare(portraits[0])
    assert face.shape == (150, 150, 3) and face.dtype == np.uint8
    raw = embedder.raw(face[None])
    assert 1.2 < np.linalg.norm(raw) < 1.7
    expected = raw[0] - embedder._mean
    (vector,) = embedder.embed_prepared(face[None])
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_a_picture_without_a_face_is_refused(embedder: Embedder) -> None:
    for picture in (synthetic_picture(0), np.zeros((1, 1, 3), np.uint8), np.full((9, 700, 3), 90, np.uint8)):
        with pytest.raises(ImageError, match="no face was found in the picture; .* 1/8 of the picture's longer side"):
            embedder.embed([picture])
    with pytest.raises(InputError, match=r"must have shape \(height, width, 3\)"):
        embedder.embed([np.zeros((5, 5), np.uint8)])
    assert embedder.embed([]).shape == (0, 128)


def test_more_detail_finds_smaller_faces(embedder: Embedder, portraits: list[Image.Image]) -> None:
    wide = Image.new("RGB", (1300, 900), (90, 120, 90))
    wide.paste(portraits[4], (600, 400))
    with pytest.raises(ImageError, match="no face"):
        embedder.embed([wide])
    finer = create("faces(detail=1300)")
    assert finer.recipe.decode_side == 1300 and finer.fingerprint != embedder.fingerprint
    assert (finer.embed([wide]) @ embedder.embed([portraits[4]]).T).item() > 0.8


def test_several_threads_at_once_embed_alike(embedder: Embedder, portraits: list[Image.Image]) -> None:
    expected = embedder.embed(portraits[:3])
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda portrait: embedder.embed([portrait])[0], portraits[:3]))
    np.testing.assert_array_equal(np.stack(answers), expected)


def test_a_folder_of_portraits_answers_whom_a_face_is_like(shared_data: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for person in PEOPLE:
        (photos / f"s{person}").mkdir(parents=True)
        shutil.copy(shared_data / "orl_faces" / f"s{person}" / "1.pgm", photos / f"s{person}")
    Image.fromarray(synthetic_picture(0)).save(photos / "wall.png")
    with imagekin.open(tmp_path / "c", model="faces") as collection:
        report = collection.index(photos)
        assert report.added == 4
        (reason,) = [skip.reason for skip in report.skipped if skip.path.endswith("wall.png")]
        assert reason.startswith("no face was found in the picture")
        hits = collection.search(Image.open(shared_data / "orl_faces" / "s10" / "5.pgm").convert("RGB"), k=4)
        assert hits[0].label == "s10" and hits[0].similarity > 0.5
        assert hits[1].similarity < 0.45
        with pytest.raises(ImageError, match="no face"):
            collection.search(synthetic_picture(0))


def test_eyes_lie_where_other_networks_expect_them(portraits: list[Image.Image], tmp_path: Path) -> None:
    import dlib

    own = create("faces", path=str(same(tmp_path / "m.onnx", ("n", 3, 112, 112))))
    points = dlib.shape_predictor(str(face_finder.weights(*face_finder._POINTS)))
    found = []
    for portrait in portraits:
        face = own.prepare(portrait)
        assert face.shape == (112, 112, 3)
        marks = points(face, dlib.rectangle(23, 37, 90, 104)).parts()
        found.append([[(a.x + b.x) / 2, (a.y + b.y) / 2] for a, b in (marks[2:4], marks[:2])])
    np.testing.assert_allclose(np.median(found, axis=0), [[38.29, 51.70], [73.53, 51.50]], atol=2.5)


def test_a_network_of_ones_own_gets_the_aligned_face(portraits: list[Image.Image], tmp_path: Path) -> None:
    path = same(tmp_path / "m.onnx", ("n", 3, "h", "w"))
    own = create("faces", path=str(path))
    assert (own.dim, own.input_size) == (3, (112, 112)) and own.name == "faces(m.onnx)"
    mean = own.prepare(portraits[0]).reshape(-1, 3).mean(axis=0) / 127.5 - 1
    (vector,) = own.embed(portraits[:1])
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-4)
    again = create(own.spec, fingerprint=own.fingerprint)
    assert (again.fingerprint, again.spec) == (own.fingerprint, own.spec) and str(path) in own.spec
    swapped = create("faces", path=str(path), channels="BGR", size=96)
    assert swapped.input_size == (96, 96) and swapped.fingerprint != own.fingerprint
    small = create("faces", path=str(same(tmp_path / "s.onnx", ("n", 3, 64, 64))))
    assert small.prepare(portraits[0]).shape == (64, 64, 3)


def test_another_network_than_the_collections_is_refused(tmp_path: Path) -> None:
    path = same(tmp_path / "m.onnx", ("n", 3, 112, 112))
    with pytest.raises(ModelError, match="is not the model that made the collection"):
        create("faces", path=str(path), fingerprint="faces/1/640/onnx/0")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"detail": 10}, "detail must be a whole number from 160 to 4096, not 10"),
        ({"threads": 2}, "has no option 'threads' without path; it takes: path, detail"),
        ({"path": "m.onnx", "cut": -1}, "."),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence(options: dict[str, Any], reason: str, tmp_path: Path) -> None:
    if "path" in options:
        options = {**options, "path": str(same(tmp_path / "m.onnx"))}
    with pytest.raises(InputError, match=reason):
        create("faces", **options)


def test_weights_that_are_not_the_published_ones_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "no_models"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(face_finder, "PACKAGE", "no_models")
    with pytest.raises(ModelError, match=r'cannot be read; install it with: pip install "imagekin\[faces\]"'):
        face_finder.weights("a.dat", "00")
    (package / "models" / "a.dat").write_bytes(b"other")
    with pytest.raises(ModelError, match="is not the published model"):
        face_finder.weights("a.dat", "00")
    monkeypatch.setattr(face_finder, "PACKAGE", "there_is_no_such_package")
    with pytest.raises(ModelError, match="cannot be read"):
        face_finder.weights("a.dat", "00")
