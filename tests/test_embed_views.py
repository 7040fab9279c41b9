"""Several views of a picture averaged, and the generalised mean over places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

import imagekin
from imagekin.distance import normalized
from imagekin.embed import create
from imagekin.embed.base import Picture
from imagekin.errors import InputError, MismatchError, ModelError, UnsupportedError
from imagekin.testing.embedders import check_embedder, synthetic_picture
from tests.onnx_models import node, write
from tests.pictures import folder, picture

VIEWS = ("flip", "crops", "crops+flip")


def mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    direction: NDArray[np.float32] = normalized(vectors.mean(axis=0, keepdims=True))[0]
    return direction


def corners(shown: Image.Image) -> list[Image.Image]:
    """Of a picture of 48 x 32 pixels: 36 x 24 each."""
    return [shown.crop((x, y, x + 36, y + 24)) for x in (0, 12) for y in (0, 8)]


def flipped(shown: Sequence[Image.Image]) -> list[Image.Image]:
    return [*shown, *map(ImageOps.mirror, shown)]


EXPECTED: dict[str, Callable[[Image.Image], Sequence[Picture]]] = {
    "flip": lambda shown: flipped([shown]),
    "crops": lambda shown: [shown, *corners(shown)],
    "crops+flip": lambda shown: flipped([shown, *corners(shown)]),
}


@pytest.mark.parametrize("views", VIEWS)
def test_the_vector_is_the_mean_of_the_views(views: str) -> None:
    shown, plain = picture(5), create("pixels")
    found = create("pixels", views=views).embed([shown])[0]
    assert found == pytest.approx(mean(plain.embed(EXPECTED[views](shown))), abs=2e-3)
    assert found @ plain.embed([shown])[0] < 0.99999


@pytest.mark.parametrize("views", VIEWS)
def test_models_with_views_keep_the_contract(views: str) -> None:
    check_embedder(lambda: create("pixels", views=views))


def test_a_mirrored_picture_has_the_same_vector_as_the_picture() -> None:
    shown, embedder = picture(6), create("efficientnet-lite0", views="flip", precision="fp32")
    both = embedder.embed([shown, ImageOps.mirror(shown)])
    assert both[0] @ both[1] > 0.9999
    assert create("efficientnet-lite0", precision="fp32").embed([shown])[0] @ both[1] < 0.9999


@pytest.mark.parametrize("spec", ["pixels(views='flip')", "pixels(side=4, views='crops+flip')"])
def test_a_spec_makes_the_model_again(spec: str) -> None:
    first = create(spec)
    again = create(first.spec, fingerprint=first.fingerprint)
    assert (again.spec, again.fingerprint, again.name) == (first.spec, first.fingerprint, first.name)
    assert first.fingerprint != create("pixels").fingerprint
    assert create("pixels", views="flip+crops").fingerprint == create("pixels", views="crops+flip").fingerprint


def test_other_views_are_refused() -> None:
    for views in ("flop", "", "flip+flip", 3):
        with pytest.raises(InputError, match="views must be flip, crops or crops"):
            create("pixels", views=views)
    with pytest.raises(InputError, match="no option 'views_'"):
        create("pixels", views_="flip")


def test_a_collection_with_views_is_opened_again_and_refuses_others(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    with imagekin.open(tmp_path / "c", model="pixels(views='flip')") as photos:
        photos.index(root)
    with imagekin.open(tmp_path / "c") as photos:
        shown = ImageOps.mirror(picture(1))
        assert photos.search(shown, k=1)[0].path.endswith("b.png")
    with pytest.raises(MismatchError), imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.search(shown)


def test_a_file_that_only_a_collection_names_is_still_held_to_its_fingerprint(tmp_path: Path) -> None:
    path = local(tmp_path / "model.onnx")
    first = create(str(path), views="flip", crop_fraction=1.0)
    assert create(first.spec, fingerprint=first.fingerprint).fingerprint == first.fingerprint
    with pytest.raises(ModelError, match="is not the model that made the collection"):
        create(first.spec, fingerprint="onnx/another+flip")


def test_where_pictures_agree_is_told_of_both_views(tmp_path: Path) -> None:
    shown = synthetic_picture(2, 8, 8)
    embedder = create(str(local(tmp_path / "model.onnx")), views="flip", crop_fraction=1.0, resample="nearest")
    parts = embedder.parts([shown])[0]
    assert parts.sum(axis=(0, 1)) == pytest.approx(embedder.embed([shown])[0], abs=1e-4)
    mirrored = embedder.parts([np.ascontiguousarray(shown[:, ::-1])])[0]
    assert mirrored[:, ::-1] == pytest.approx(parts, abs=1e-4)
    with pytest.raises(UnsupportedError, match="different parts"):
        create(str(local(tmp_path / "model.onnx")), views="crops").parts([shown])


# -- the generalised mean ----------------------------------------------------------------------------------------------


def local(path: Path) -> Path:
    """A network whose answer is a map of rank 4: half of each pixel's number, above a quarter."""
    weights = {"half": np.array(0.5, np.float32), "less": np.array(-0.25, np.float32)}
    nodes = [node("Mul", "x half", "small"), node("Add", "small less", "lower"), node("Relu", "lower", "y")]
    return write(path, nodes, {"y": ("n", 3, 8, 8)}, weights=weights)


def test_gem_is_the_root_of_the_mean_of_third_powers(tmp_path: Path) -> None:
    shown = synthetic_picture(1, 8, 8)
    options: dict[str, Any] = {"crop_fraction": 1.0, "resample": "nearest", "mean": 0.0, "std": 1.0}
    embedder = create(str(local(tmp_path / "model.onnx")), pooling="gem", **options)
    values = np.maximum(shown / 255 * 0.5 - 0.25, 1e-6).astype(np.float64)
    wanted = (values**3).mean(axis=(0, 1)) ** (1 / 3)
    assert embedder.embed([shown])[0] == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)
    assert embedder.fingerprint != create(str(local(tmp_path / "model.onnx")), **options).fingerprint
    with pytest.raises(UnsupportedError, match="generalised mean"):
        embedder.parts([shown])


def test_gem_of_features_of_any_size_is_finite(tmp_path: Path) -> None:
    for scale in (1e-3, 1e6):
        options: dict[str, Any] = {"crop_fraction": 1.0, "mean": 0.0, "std": 1.0, "scale": scale}
        embedder = create(str(local(tmp_path / "model.onnx")), pooling="gem", **options)
        assert np.isfinite(embedder.embed([synthetic_picture(1, 8, 8)])).all()
