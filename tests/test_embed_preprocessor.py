"""Configurations of published image processors: what they mean, against transformers and by hand, and hostile ones."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from benchmarks.reference_preprocessing import CONFIGURATIONS, EXPECTED, SIZES, picture, sampled
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagekin.embed.preprocessor import Preprocessor, Size, read_size
from imagekin.errors import ModelError
from tests.hub_models import CLIP, DINOV2, DINOV3, RESNET

PUBLISHED = json.loads(CONFIGURATIONS.read_text("utf-8"))


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    with np.load(EXPECTED) as file:
        return dict(file)


@pytest.mark.parametrize("title", PUBLISHED)
def test_pictures_are_prepared_as_transformers_does(title: str, expected: dict[str, Any]) -> None:
    """Every kind of configuration, on pictures that are higher, wider and smaller than the input, to 1e-3."""
    said = Preprocessor(PUBLISHED[title]["config"], {})
    steps, scaling = said.steps(), said.scaling()
    for width, height in SIZES:
        prepared = scaling.apply(steps.apply(Image.fromarray(picture(width, height), "RGB"))[None])[0]
        np.testing.assert_allclose(sampled(prepared), expected[f"{title} {width}x{height}"], atol=1e-3)


def test_the_references_are_those_of_the_configurations(expected: dict[str, Any]) -> None:
    assert {*expected} == {f"{title} {width}x{height}" for title in PUBLISHED for width, height in SIZES}
    assert {each.shape for each in expected.values()} == {(12, 12, 3)}
    assert all(np.ptp(each) > 0.2 for each in expected.values())


def test_a_reference_would_tell_another_filter_or_mean(expected: dict[str, Any]) -> None:
    for change in ({"resample": 2}, {"size": 256}, {"image_mean": [0.48, 0.46, 0.41]}, {"rescale_factor": 0.0038}):
        said = Preprocessor({**CLIP, **change}, {})
        prepared = said.scaling().apply(said.steps().apply(Image.fromarray(picture(500, 375), "RGB"))[None])[0]
        reference = expected["Xenova/clip-vit-base-patch32 500x375"]
        assert np.abs(sampled(prepared) - reference).max() > 5e-3, change


# -- words of their own ----------------------------------------------------------------------------------------


def test_jinas_words() -> None:
    said = {
        "image_processor_type": "JinaCLIPImageProcessor", "size": 224, "resize_mode": "shortest",
        "interpolation": "bicubic", "fill_color": 0, "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6],
    }  # fmt: skip
    steps, scaling = Preprocessor(said, {}).steps(), Preprocessor(said, {}).scaling()
    assert (steps.height, steps.resize, steps.resample, steps.corner) == (224, 224, "bicubic", "round")
    assert (scaling.mean, scaling.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert Preprocessor({**said, "resize_mode": "squash"}, {}).steps().resize == (224, 224)
    long = Preprocessor({**said, "resize_mode": "longest"}, {}).steps()
    assert (long.resize, long.longest, long.mode) == (None, 224, "pad")
    for mode in json.loads('["twice", [], {"a": 1}, 3]'):
        with pytest.raises(ModelError, match="resize_mode is .*, of which nothing can be made"):
            Preprocessor({**said, "resize_mode": mode}, {})
    with pytest.raises(ModelError) as caught:
        Preprocessor({"size": 224, "resample": "x" * 5000}, {}).steps()
    assert len(str(caught.value)) < 200


def timm(**more: Any) -> dict[str, Any]:
    config = {
        "input_size": [3, 224, 224],
        "crop_pct": 0.95,
        "interpolation": "bicubic",
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
    return {"pretrained_cfg": {**config, **more}}


def test_timms_words() -> None:
    steps = Preprocessor(timm(), {}).steps()
    assert (steps.resize, steps.height, steps.width, steps.resample, steps.corner) == (
        235,
        224,
        224,
        "bicubic",
        "round",
    )
    assert Preprocessor(timm(crop_mode="squash"), {}).steps().resize == (235, 235)
    assert Preprocessor(timm(crop_pct=None), {}).steps().resize == 256
    assert Preprocessor(timm(mean=None), {}).scaling().mean == (0.485, 0.456, 0.406)
    for wrong in (
        {"input_size": [224]},
        {"input_size": None},
        {"crop_pct": 0},
        {"crop_pct": "x"},
        {"input_size": [3, 1e9, 1]},
    ):
        if wrong != {"crop_pct": 0}:  # which stands for none
            with pytest.raises(ModelError):
                Preprocessor(timm(**wrong), {})


def test_pads() -> None:
    said = {
        **CLIP,
        "do_center_crop": False,
        "size": {"longest_edge": 100},
        "do_pad": True,
        "pad_size": {"height": 112, "width": 112},
    }
    steps = Preprocessor(said, {}).steps()
    assert (steps.height, steps.width, steps.longest, steps.resize, steps.pad) == (112, 112, 100, None, "corner")
    assert steps.fill == (123, 117, 104)  # the mean, as the border is laid after normalising there
    assert Preprocessor({**said, "do_pad": None}, {}).steps().height == 100


@pytest.mark.parametrize(
    ("value", "short", "size"),
    [
        (224, True, Size("short", 224, 224)),
        (224, False, Size("box", 224, 224)),
        (224.0, False, Size("box", 224, 224)),
        ([100, 200], False, Size("box", 100, 200)),
        ({"height": 100, "width": 200}, True, Size("box", 100, 200)),
        ({"width": 200, "height": 100, "shortest_edge": None}, True, Size("box", 100, 200)),
        ({"shortest_edge": 256}, False, Size("short", 256, 256)),
        ({"shortest_edge": 256, "longest_edge": 400, "height": None}, False, Size("short", 256, 256, 400)),
        ({"longest_edge": 400}, False, Size("long", 400, 400)),
    ],
)
def test_sizes(value: Any, short: bool, size: Size) -> None:
    assert read_size(value, short=short) == size


def test_a_size_that_nobody_says_is_the_networks() -> None:
    said = {"image_mean": 0.5, "image_std": 0.5}
    assert Preprocessor(said, {"image_size": 384}).steps().resize == (384, 384)
    assert Preprocessor(said, {"vision_config": {"image_size": 336}}).steps().height == 336
    assert Preprocessor(said, {}).steps().height == 224


def test_a_size_of_the_owner_keeps_the_share() -> None:
    assert Preprocessor(DINOV2, {}).steps((448, 448)).resize == 512
    assert Preprocessor(DINOV3, {}).steps((448, 320)).resize == (448, 320)
    assert Preprocessor(RESNET, {}).steps((112, 112)).resize == 128
    assert Preprocessor({**CLIP, "do_resize": False}, {}).steps((112, 112)).resize is None


def test_one_number_for_all_channels() -> None:
    scaling = Preprocessor({"image_mean": 0.5, "image_std": [0.25], "rescale_factor": None}, {}).scaling()
    assert (scaling.mean, scaling.std, scaling.scale) == ((0.5,) * 3, (0.25,) * 3, 1 / 255)
    plain = Preprocessor({"do_normalize": False, "do_rescale": False}, {}).scaling()
    assert (plain.mean, plain.std, plain.scale) == ((0.0,) * 3, (1.0,) * 3, 1.0)


# -- hostile configurations ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        *({"size": size} for size in (0, -1, 1e9, 2**200, 0.5, "224", True, [], [1, 2, 3], {}, {"height": 224})),
        {"size": {"shortest_edge": 0}},
        *({"size": {"height": side, "width": 224}} for side in (float("nan"), float("inf"), 9000, "x", [1])),
        {"size": {"max_height": 1000, "max_width": 1000}},
        {"crop_size": 4096, "size": 4096},
        {"crop_size": -5},
        {"crop_size": {"height": 10**12, "width": 1}},
        {"size": {"shortest_edge": 224, "longest_edge": -1}},
        *({"resample": value} for value in (6, -1, 2.5, "sinc", True, [3])),
        *({"image_mean": value} for value in ([1, 2], "grey", [1, 2, "3"], [float("nan")] * 3, 1e300, [], [[1]], True)),
        *({"image_std": value} for value in (0, [0.2, 0, 0.2], -1, float("inf"))),
        *({"rescale_factor": value} for value in (0, -1, "1/255", float("nan"), 1e9)),
        {"do_resize": "yes"},
        {"do_normalize": 1},
        {"do_center_crop": []},
        {"do_flip_channel_order": "BGR"},
        *({"crop_pct": value} for value in (1e-9, 2, -1, "all", float("nan"))),
        {"do_pad": True, "pad_size": 10**7},
        {"corner": "up"},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_cannot_be_are_refused_with_a_sentence(change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="preprocessor") as caught:
        said = Preprocessor({**RESNET, "do_center_crop": True, **change}, {})
        said.scaling()
        said.steps()
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_normalising_by_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match="normalises, but says no image_mean"):
        Preprocessor({"image_processor_type": "Unheard", "image_std": 1}, {}).scaling()


@pytest.mark.parametrize("size", ["x", -1, {"a": 1}, 1e99, [1, 2, 3]])
def test_a_networks_size_that_cannot_be(size: Any) -> None:
    with pytest.raises(ModelError, match="size"):
        Preprocessor({"image_mean": 0, "image_std": 1}, {"image_size": size}).steps()


KEYS = sorted({key for each in PUBLISHED.values() for key in each["config"]} | {"pad_size", "do_pad", "pretrained_cfg"})
SIDES = st.sampled_from(["height", "width", "shortest_edge", "longest_edge", "input_size"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.integers(1, 600) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["CLIPImageProcessor", "ConvNextFeatureExtractor", "LevitImageProcessor", "squash", "bicubic"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SIDES, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(base=st.sampled_from(sorted(PUBLISHED)), change=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_any_configuration_is_a_recipe_or_a_sentence(base: str, change: dict[str, Any]) -> None:
    try:
        said = Preprocessor({**PUBLISHED[base]["config"], **change}, change)
        steps, scaling = said.steps(), said.scaling()
    except ModelError as error:
        assert len(str(error)) < 500 and "\n" not in str(error)
        return
    assert 1 <= min(steps.height, steps.width) <= max(steps.height, steps.width) <= 2048
    prepared = scaling.apply(steps.apply(Image.fromarray(picture(30, 20), "RGB"))[None])
    assert prepared.shape == (1, steps.height, steps.width, 3)
