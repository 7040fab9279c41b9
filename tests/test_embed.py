"""The family: its table, how a member is made, and what every member must do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagekin.embed import EMBEDDERS, create, parse
from imagekin.embed.base import Embedder, Recipe
from imagekin.embed.pixels import PixelEmbedder
from imagekin.errors import InputError, UnknownNameError
from imagekin.testing import embedders
from imagekin.testing.embedders import check_embedder, synthetic_picture


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGEKIN_CACHE", str(folder))
        yield folder


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("efficientnet-lite0", {"precision": "fp32"}),
        ("efficientnet-lite0", {"precision": "int8"}),
        ("efficientnet-lite0", {"precision": "int8", "threads": 2}),
        ("pixels", {}),
        ("pixels(side=3)", {}),
    ],
)
def test_every_member_conforms(spec: str, options: dict[str, Any]) -> None:
    check_embedder(lambda: create(spec, **options))


class Wrong(PixelEmbedder):
    """An embedder with one fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.calls = 0
        if fault == "fingerprint":
            self.fingerprint = str(id(self))

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        vectors = super()._embed(batch)
        self.calls += 1
        if self.fault == "order":
            return vectors[::-1]
        if self.fault == "batch":
            return vectors - vectors.mean(axis=0) if len(batch) > 1 else vectors
        if self.fault == "random":
            return vectors + self.calls
        return np.ones_like(vectors) if self.fault == "constant" else vectors

    def embed(self, pictures: Any) -> Any:
        if self.fault == "lenient":
            return super().embed([np.zeros((4, 4, 3), np.uint8) if isinstance(p, str) else p for p in pictures])
        vectors = super().embed(pictures)
        if self.fault == "length":
            return vectors * 2
        return vectors.astype(np.float64) if self.fault == "type" else vectors


@pytest.mark.parametrize("fault", ["order", "batch", "random", "constant", "lenient", "length", "type", "fingerprint"])
def test_the_suite_finds_each_fault(fault: str) -> None:
    with pytest.raises(AssertionError):
        check_embedder(lambda: Wrong(fault))
    check_embedder(lambda: Wrong("none"))


def test_the_suite_runs_all_its_checks() -> None:
    names = {name for name in vars(embedders) if name.startswith("check_")} - {"check_embedder", "check_fingerprint"}
    assert {check.__name__ for check in embedders.CHECKS} == names


def test_the_table_lists_what_there_is() -> None:
    assert {"efficientnet-lite0", "pixels", "onnx"} <= set(EMBEDDERS)
    with pytest.raises(UnknownNameError, match="known: .*pixels"):
        create("resnet50")
    with pytest.raises(UnknownNameError, match="Did you mean 'pixels'"):
        create("pixel")
    with pytest.raises(InputError, match="'pixels' has no option 'precision'; it takes: side"):
        create("pixels", precision="int8")
    assert create("pixels", trust=True).spec == create("pixels").spec  # which has nothing that needs trust
    with pytest.raises(InputError, match="'pixels' has no option 'trust'"):
        create("pixels(trust=True)")


@pytest.mark.parametrize(
    ("spec", "name", "options"),
    [
        ("pixels", "pixels", {}),
        (" pixels(side=16) ", "pixels", {"side": 16}),
        ("pixels()", "pixels", {}),
        ("a/b.onnx(cut=1, mean=(0.5, 0.4, 0.3))", "a/b.onnx", {"cut": 1, "mean": (0.5, 0.4, 0.3)}),
        ("a (1)/b.onnx", "a (1)/b.onnx", {}),
        ("a (1)/b (2).ONNX(cut=1)", "a (1)/b (2).ONNX", {"cut": 1}),
    ],
)
def test_options_may_stand_in_the_spec(spec: str, name: str, options: dict[str, Any]) -> None:
    assert parse(spec) == (name, options)


@pytest.mark.parametrize(
    "spec", ["pixels(16)", "pixels(side=)", "pixels(side=open('x'))", "pixels(**{'side': 1})", "pixels(a)(b)"]
)
def test_a_spec_holds_plain_values_only(spec: str) -> None:
    with pytest.raises(InputError, match="write options like"):
        parse(spec)


def test_spec_and_describe_say_how_to_make_it_again() -> None:
    for embedder in (create("pixels", side=5), create("efficientnet-lite0", precision="fp32", threads=2)):
        again = create(embedder.spec, precision=embedder.precision or None)
        assert again.describe() == embedder.describe() and again.describe()["spec"] == embedder.spec
    assert create("pixels(side=4)", side=5).spec == "pixels(side=5)"
    both = (
        create("efficientnet-lite0(precision='fp32', views='flip')"),
        create("efficientnet-lite0(views='flip')", precision="fp32"),
    )
    assert both[0].describe() == both[1].describe() and both[0].spec == "efficientnet-lite0(views='flip')"


def imported(code: str) -> set[str]:
    command = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout.split())


def test_heavy_packages_load_late() -> None:
    heavy = {"onnx", "onnxruntime", "torch", "scipy", "google.protobuf"}
    listing = (
        "from imagekin import embed; [(name, row.summary, row.installed()) for name, row in embed.EMBEDDERS.items()]"
    )
    assert not heavy & imported(listing)
    assert not heavy & imported("from imagekin import embed; embed.create().fingerprint; embed.create('pixels')")
    create(precision="int8").embed([synthetic_picture(0)])
    run = (
        "from imagekin import embed; embed.create(precision='int8').embed([__import__('numpy').zeros((9, 9, 3), 'u1')])"
    )
    assert heavy & imported(run) == {"onnxruntime"}, "the cached model is opened without the onnx package"


def test_pixels_are_the_picture_without_its_mean() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0] = (255, 0, 0)
    (vector,) = create("pixels", side=2).embed([picture])
    centred = np.append(picture.reshape(-1) - 255 / 12, 1.0)
    np.testing.assert_allclose(vector, centred / np.linalg.norm(centred), atol=1e-6)
    brighter = create("pixels", side=2).embed([picture // 2 + 60, picture])
    assert brighter[0] @ brighter[1] > 0.999, "brightness and contrast do not matter"


def test_pixels_of_plain_grey_are_all_alike() -> None:
    vectors = create("pixels").embed([np.full((9, 9, 3), level, np.uint8) for level in (0, 128, 255)])
    np.testing.assert_array_equal(vectors, np.eye(1, 193, 192, dtype=np.float32).repeat(3, axis=0))
    with pytest.raises(InputError, match="side must be a whole number from 1 to 64, not 65"):
        create("pixels", side=65)


def seen(recipe: Recipe, width: int, height: int) -> tuple[float, float, float, float]:
    """Where the first and last row and column of the input lie in the picture, from a picture of its coordinates."""
    down, across = np.mgrid[0:height, 0:width]
    flat = np.stack([across * 255 / width, down * 255 / height, across * 0], axis=-1)
    pixels = recipe.apply(Image.fromarray(np.rint(flat).astype(np.uint8))).astype(float) / 255
    return pixels[0, 0, 0], pixels[0, -1, 0], pixels[0, 0, 1], pixels[-1, 0, 1]


@pytest.mark.parametrize(
    ("options", "size", "expected"),
    [
        ({"crop_fraction": 1.0}, (400, 400), (0, 1, 0, 1)),
        ({"crop_fraction": 0.5}, (400, 400), (0.25, 0.75, 0.25, 0.75)),
        ({"crop_fraction": 1.0}, (400, 100), (0.375, 0.625, 0, 1)),
        ({"crop_fraction": 1.0}, (100, 400), (0, 1, 0.375, 0.625)),
        ({"crop_fraction": 1.0, "stretch": 0.5}, (400, 100), (0.25, 0.75, 0, 1)),
        ({"crop_fraction": 1.0, "stretch": 1.0}, (400, 100), (0, 1, 0, 1)),
        ({"crop_fraction": 0.5, "stretch": 0.5}, (100, 400), (0.25, 0.75, 0.375, 0.625)),
        ({"mode": "squash"}, (400, 100), (0, 1, 0, 1)),
    ],
)
def test_the_crop_is_where_it_should_be(
    options: dict[str, Any], size: tuple[int, int], expected: tuple[float, ...]
) -> None:
    assert seen(Recipe(100, 100, **options), *size) == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("size", [(1, 1), (1, 999), (999, 1), (3, 301), (224, 225), (225, 224), (333, 500)])
@pytest.mark.parametrize("stretch", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("fraction", [0.875, 1.0])
def test_the_crop_never_leaves_the_picture(size: tuple[int, int], stretch: float, fraction: float) -> None:
    recipe = Recipe(224, 224, stretch=stretch, crop_fraction=fraction)
    pixels = recipe.apply(Image.new("RGB", size, (9, 99, 199)))
    np.testing.assert_array_equal(pixels, np.full((224, 224, 3), (9, 99, 199), np.uint8))


def test_kinds_of_recipe_that_are_not() -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"stretch": 1.1},
        {"stretch": -0.1},
        {"stretch": "x"},
        {"crop_fraction": 0.0},
        {"resample": "best"},
        {"resample": []},
        {"mode": "zoom"},
        {"fill": (0, 0, 256)},
    )
    for options in wrong:
        [(name, value)] = options.items()
        with pytest.raises(InputError) as caught:
            Recipe(8, 8, **options)
        assert str(caught.value).startswith(f"not a usable preprocessing recipe: {name} must be ")
        assert str(caught.value).endswith(f", not {value!r}.")
    with pytest.raises(InputError, match="height must be 1 or more, not 0"):
        Recipe(0, 8)


def test_turned_pictures_embed_alike(shared_data: Path) -> None:
    """The EXIF test scenes are one scene in eight orientations; once turned upright they are kin."""
    from PIL import ImageOps

    embedder: Embedder = create(precision="int8")
    files = sorted((shared_data / "exif_orientation").rglob("*andscape*_*.jp*g"))
    pictures = []
    for file in files:
        with Image.open(file) as image:
            pictures.append(ImageOps.exif_transpose(image).convert("RGB"))
    vectors = embedder.embed(pictures)
    assert len(files) >= 8 and (vectors @ vectors.T).min() > 0.9
