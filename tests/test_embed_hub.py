"""Models in folders of the hub's layout: which file, which of its answers, which precision, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from PIL import Image

import imagekin
from imagekin.embed import create
from imagekin.errors import ImagekinError, InputError, ModelError, UnsupportedError
from imagekin.testing.embedders import check_embedder, synthetic_picture
from tests import hub_models as hub
from tests.onnx_models import COLOUR, Shape, colour, imagenet, node, unit

CLIP_MEAN = np.array(hub.CLIP["image_mean"])
CLIP_STD = np.array(hub.CLIP["image_std"])
AS_CLIP = unit((np.array(COLOUR) / 255 - CLIP_MEAN) / CLIP_STD)


def small(preprocessor: Any, side: int = 8) -> dict[str, Any]:
    """A configuration of published models, for pictures of a few pixels."""
    sides = {"size": side, "crop_size": side} if "crop_size" in preprocessor else {"size": side}
    return {**preprocessor, **sides}


def model(folder: Path, kind: str, preprocessor: Any = None, **config: Any) -> str:
    files = {
        "config.json": {"model_type": kind, **config},
        "preprocessor_config.json": preprocessor or small(hub.DINOV2),
    }
    return str(hub.write(folder, files))


def test_a_dual_encoder(tmp_path: Path) -> None:
    embedder = create(f"hub:{hub.clip(tmp_path / 'tiny clip')}")
    np.testing.assert_allclose(colour(embedder), AS_CLIP, atol=1e-5)
    assert (embedder.name, embedder.dim, embedder.precision) == ("tiny clip", 3, "fp32")
    assert embedder.takes_text and embedder.input_size == (8, 8)
    assert embedder.spec == f"hub:{tmp_path / 'tiny clip'}"
    check_embedder(lambda: create(f"hub:{tmp_path / 'tiny clip'}"))


def test_a_folders_path_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.clip(tmp_path / "clip")
    monkeypatch.chdir(tmp_path)
    spec = f"hub:{tmp_path / 'clip'}"
    assert {
        create(name).spec for name in ("./clip", str(tmp_path / "clip"), "hub:./clip", f"../{tmp_path.name}/clip")
    } == {spec}
    monkeypatch.setenv("HOME", str(tmp_path))
    assert create("~/clip").spec == spec
    with pytest.raises(InputError, match="no model is called 'clip'"):
        create("clip")
    with pytest.raises(InputError, match="needs a name of its own behind a colon: hub:NAME"):
        create("hub")


def test_a_folder_with_brackets(tmp_path: Path) -> None:
    folder = hub.clip(tmp_path / "models (2)" / "clip (1)")
    embedder = create(str(folder))
    assert embedder.spec == f"hub:{folder}" and create(embedder.spec).fingerprint == embedder.fingerprint
    small = create(f"hub:{folder}(variant='quantized', size=[4, 4])")
    assert small.precision == "int8" and small.input_size == (4, 4)
    assert create(small.spec, precision="int8").fingerprint == small.fingerprint
    with pytest.raises(InputError, match="does not name a model"):
        create(f"hub:{folder}(1)")


def test_the_same_model_again(tmp_path: Path) -> None:
    spec = str(hub.clip(tmp_path / "clip"))
    first = create(spec, precision="int8")
    again = create(first.spec, precision=first.precision, fingerprint=first.fingerprint)
    assert again.describe() == first.describe() and again.precision == "int8"
    with pytest.raises(ModelError, match="is not the model that made the collection"):
        create(first.spec, fingerprint=first.fingerprint)  # at fp32


@pytest.mark.parametrize(
    ("options", "file", "precision"),
    [
        ({}, "vision_model.onnx", "fp32"),
        ({"variant": "quantized"}, "vision_model_quantized.onnx", "int8"),
        ({"precision": "int8"}, "vision_model_quantized.onnx", "int8"),
        ({"precision": "int8", "variant": "quantized"}, "vision_model_quantized.onnx", "int8"),
        ({"precision": "fp32"}, "vision_model.onnx", "fp32"),
        ({"variant": "fp16"}, "vision_model_fp16.onnx", "fp16"),
        ({"precision": "fp16"}, "vision_model_fp16.onnx", "fp16"),
    ],
)
def test_variants(tmp_path: Path, options: dict[str, Any], file: str, precision: str) -> None:
    folder = hub.clip(tmp_path / "clip")
    hub.vectors(folder / "onnx" / "vision_model_fp16.onnx", weight=3)
    embedder: Any = create(str(folder), **options)
    assert (embedder.path.name, embedder.precision) == (file, precision)
    again = create(embedder.spec, precision=embedder.precision)
    assert again.fingerprint == embedder.fingerprint


def test_the_only_variant_there_is_is_taken_unasked(tmp_path: Path) -> None:
    spec = model(tmp_path, "dinov2")
    hub.tokens(tmp_path / "onnx" / "model_fp16.onnx")
    assert create(spec).precision == "fp16"
    hub.tokens(tmp_path / "onnx" / "model_quantized.onnx")
    assert create(spec).precision == "int8"
    with pytest.raises(ModelError, match="has no fp32 of onnx/model; it has: quantized, fp16"):
        create(spec, precision="fp32")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "q1"}, "no variant is called 'q1'"),
        ({"precision": "int4"}, "no variant is called 'int4'"),
        ({"precision": "int8", "variant": "fp32"}, "is not of precision int8"),
        ({"mean": 0.5}, "no option 'mean'; it takes: variant, size, output"),
        ({"pooling": "max"}, "pooling must be"),
        ({"cut": -1}, "cut must be 0 or more"),
        ({"size": 0}, "size must be one number or two"),
        ({"size": (8, 8, 8)}, "size must be one number or two"),
        ({"threads": 0}, "threads must be"),
        ({"device": "toaster"}, "toaster"),
        ({"output": "nothing"}, "no tensor 'nothing'"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create(str(hub.clip(tmp_path / "clip")), **options)


# -- which answer is the vector --------------------------------------------------------------------------------

FLAT = imagenet()
BACKWARDS = FLAT[::-1]


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("dinov2", {}, BACKWARDS),  # pooler_output, which is the mean colour backwards in the test's network
        ("siglip_vision_model", {}, BACKWARDS),
        ("vit", {}, FLAT),  # the first token, as poolers of this kind may never have been trained
        ("dinov2", {"output": "last_hidden_state"}, FLAT),
        ("dinov2", {"output": "last_hidden_state", "pooling": "cls"}, FLAT),
        ("dinov2", {"output": "last_hidden_state", "pooling": "mean"}, FLAT),  # of four quarters of one colour
    ],
)
def test_tokens_and_poolers(tmp_path: Path, kind: str, options: dict[str, Any], expected: NDArray[Any]) -> None:
    hub.tokens(tmp_path / "onnx" / "model.onnx")
    embedder = create(model(tmp_path, kind), **options)
    np.testing.assert_allclose(colour(embedder), expected, atol=1e-5)


def test_registers_are_no_places(tmp_path: Path) -> None:
    """A first token, four registers of 100s, and four quarters: without the registers the mean is the colour."""
    hub.tokens(tmp_path / "model.onnx", {"last_hidden_state": ("batch_size", "tokens", 3)}, prefix=5)
    spec = model(tmp_path, "dinov3_vit", small(hub.DINOV3), num_register_tokens=4)
    np.testing.assert_allclose(colour(create(spec)), FLAT, atol=1e-5)
    mean = create(spec, pooling="mean")
    np.testing.assert_allclose(colour(mean), FLAT, atol=1e-5)
    assert mean.fingerprint != create(spec).fingerprint
    parts = mean.parts([synthetic_picture(1)])
    assert parts.shape == (1, 2, 2, 3)
    np.testing.assert_allclose(parts.sum(axis=(1, 2)), mean.embed([synthetic_picture(1)]), atol=1e-5)
    with pytest.raises(UnsupportedError, match="one token"):
        create(spec).parts([synthetic_picture(1)])
    for wrong in (-1, 65, True, "4", 1e300):
        with pytest.raises(ModelError, match="num_register_tokens"):
            create(model(tmp_path, "dinov3_vit", small(hub.DINOV3), num_register_tokens=wrong))


def test_tokens_of_a_kind_that_is_not_known_need_a_word(tmp_path: Path) -> None:
    hub.tokens(tmp_path / "onnx" / "model.onnx", {"last_hidden_state": ("batch_size", "tokens", 3)})
    spec = model(tmp_path, "new_thing")
    with pytest.raises(ModelError, match=r"kind 'new_thing' .* give pooling='cls' or pooling='mean'"):
        create(spec)
    np.testing.assert_allclose(colour(create(spec, pooling="cls")), FLAT, atol=1e-5)


def test_answers_whose_shape_the_file_does_not_say(tmp_path: Path) -> None:
    path = hub.tokens(tmp_path / "onnx" / "model.onnx", {"last_hidden_state": ("batch_size", "tokens", 3)})
    proto = onnx.load(path)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(proto, path)
    embedder: Any = create(model(tmp_path, "dinov2"))
    assert embedder.pooling == "cls"
    np.testing.assert_allclose(colour(embedder), FLAT, atol=1e-5)
    with pytest.raises(ModelError, match="give pooling='cls' or 'mean'"):
        create(model(tmp_path, "new_thing"))


def test_a_mean_of_tokens_of_a_kind_without_a_first_one(tmp_path: Path) -> None:
    hub.tokens(tmp_path / "onnx" / "model.onnx", {"last_hidden_state": ("batch_size", "tokens", 3)})
    embedder: Any = create(model(tmp_path, "swin"))
    assert embedder.pooling == "mean" and embedder._prefix == 0


@pytest.mark.parametrize("quantized", [False, True])
def test_of_a_classifier_the_features_are_taken(tmp_path: Path, quantized: bool) -> None:
    hub.classes(tmp_path / "onnx" / "model.onnx", quantized=quantized)
    embedder: Any = create(model(tmp_path, "resnet", small(hub.RESNET)))
    assert embedder._output == "features" and embedder.dim == 3
    np.testing.assert_allclose(colour(embedder), FLAT, atol=1e-5)
    assert create(embedder.spec, output="logits").dim == 4


def test_a_classifier_whose_end_branches_says_so(tmp_path: Path) -> None:
    nodes = [*hub.MEAN_COLOUR, node("Add", "colour colour", "logits")]
    hub.network(tmp_path / "model.onnx", nodes, hub.PICTURES, {"logits": ("batch_size", 3)})
    with pytest.raises(ModelError, match="nothing but its classes.*meets a branch"):
        create(model(tmp_path, "deit"))


def test_maps_are_averaged(tmp_path: Path) -> None:
    shape = ("batch_size", 3, "rows", "columns")
    outputs: dict[str, Shape] = {"last_hidden_state": shape}
    hub.network(tmp_path / "model.onnx", [node("Identity", "pixel_values", "last_hidden_state")], hub.PICTURES, outputs)
    np.testing.assert_allclose(colour(create(model(tmp_path, "resnet"))), FLAT, atol=1e-5)
    outputs = {"last_hidden_state": shape, "pooler_output": ("batch_size", 3, 1, 1)}
    nodes = [
        node("Identity", "pixel_values", "last_hidden_state"),
        hub.MEAN_COLOUR[0],
        node("Mul", "pool two", "pooler_output"),
    ]
    hub.network(tmp_path / "model.onnx", nodes, hub.PICTURES, outputs, {"two": np.array(2, np.float32)})
    embedder: Any = create(model(tmp_path, "resnet"))
    assert embedder._output == "pooler_output"
    np.testing.assert_allclose(colour(embedder), FLAT, atol=1e-5)


def test_several_answers_of_which_none_is_known(tmp_path: Path) -> None:
    nodes = [*hub.MEAN_COLOUR, node("Neg", "colour", "one"), node("Abs", "colour", "two")]
    hub.network(tmp_path / "model.onnx", nodes, hub.PICTURES, {name: ("batch_size", 3) for name in ("one", "two")})
    with pytest.raises(ModelError, match=r"several outputs.*one \(batch_size, 3\), two"):
        create(model(tmp_path, "odd"))
    np.testing.assert_allclose(colour(create(model(tmp_path, "odd"), output="one")), -FLAT, atol=1e-5)


def test_both_towers_in_one_file(tmp_path: Path) -> None:
    hub.joint(tmp_path / "onnx" / "model.onnx")
    spec = model(tmp_path, "clip", small(hub.CLIP))
    embedder = create(spec)
    assert not embedder.takes_text  # without a tokenizer
    np.testing.assert_allclose(colour(embedder), AS_CLIP, atol=1e-5)
    hub.write(tmp_path, {"tokenizer.json": hub.tokenizer()})
    embedder = create(spec)
    assert embedder.takes_text
    np.testing.assert_allclose(
        embedder.embed_text(["red", "Blue red"]), [[1, 0, 0], [0.5**0.5, 0, 0.5**0.5]], atol=1e-6
    )
    with pytest.raises(UnsupportedError, match="of 'pixel_values', which is no feature"):
        embedder.parts([synthetic_picture(1)])


def test_weights_in_files_beside_it(tmp_path: Path) -> None:
    path = hub.vectors(tmp_path / "onnx" / "model.onnx", "pooler_output", weight=1)
    loaded = onnx.load(path)
    onnx.save(loaded, path, save_as_external_data=True, location="model.onnx_data", size_threshold=0)
    assert (tmp_path / "onnx" / "model.onnx_data").is_file()
    embedder = create(model(tmp_path, "dinov2"))
    np.testing.assert_allclose(colour(embedder), FLAT, atol=1e-5)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "link", "a/../../secret"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    path = hub.vectors(folder / "onnx" / "model.onnx", "pooler_output")
    (folder / "secret").write_bytes(bytes(4))
    (folder / "onnx" / "link").symlink_to(folder / "secret")
    proto = onnx.load(path)
    tensor = proto.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="only plain files in its own folder are read, no links"):
        create(model(folder, "dinov2"))


def test_the_size_of_the_network_and_of_the_owner(tmp_path: Path) -> None:
    hub.tokens(tmp_path / "onnx" / "model.onnx")
    spec = model(tmp_path, "dinov2", hub.DINOV2)
    sizes: dict[Any, tuple[int, int]] = {None: (224, 224), 448: (448, 448), (56, 112): (56, 112)}
    for size, expected in sizes.items():
        embedder: Any = create(spec, size=size) if size else create(spec)
        assert embedder.input_size == expected
        assert embedder.recipe.resize == 256 * max(expected) // 224  # the same share is cut away
    fixed = {"pixel_values": (TensorProto.FLOAT, (1, 3, 16, 16))}
    nodes = [*hub.MEAN_COLOUR, node("Identity", "colour", "pooler_output")]
    hub.network(tmp_path / "onnx" / "model.onnx", nodes, fixed, {"pooler_output": (1, 3)})
    assert create(spec).input_size == (16, 16)
    with pytest.raises(InputError, match="pictures of 16 x 16 pixels only"):
        create(spec, size=224)
    assert create(spec).embed([synthetic_picture(1), synthetic_picture(2)]).shape == (2, 3)


def test_real_numbers_between_resizing_and_the_network(tmp_path: Path) -> None:
    """A picture of 0s and 1s in turn, halved, is 0.5 everywhere, which no byte is."""
    hub.tokens(tmp_path / "onnx" / "model.onnx", {"last_hidden_state": ("batch_size", "tokens", 3)})
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:, 1::2] = 1
    config = {**small(hub.DINOV3), "resample": 4, "do_normalize": False}
    embedder = create(model(tmp_path, "dinov3_vit", config))
    prepared = embedder.prepare(picture)
    assert prepared.dtype == np.float32 and (prepared == 0.5).all()
    check_embedder(lambda: create(model(tmp_path, "dinov3_vit", small(hub.DINOV3))))


def test_real_numbers_go_through_a_collection(tmp_path: Path) -> None:
    hub.tokens(tmp_path / "model" / "model.onnx", {"last_hidden_state": ("batch_size", "tokens", 3)})
    spec = model(tmp_path / "model", "dinov3_vit", small(hub.DINOV3))
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        Image.fromarray(synthetic_picture(number), "RGB").save(tmp_path / "pictures" / f"{number}.png")
    with imagekin.open(tmp_path / "c", model=spec) as collection:
        assert collection.index(tmp_path / "pictures").added == 3
    with imagekin.open(tmp_path / "c") as collection:  # by the spec and the fingerprint that it keeps
        (hit,) = collection.search(tmp_path / "pictures" / "2.png", k=1)
        assert hit.distance == pytest.approx(0, abs=1e-6) and hit.path.endswith("2.png")


def test_views_and_the_generalised_mean_work_here_too(tmp_path: Path) -> None:
    shape: Shape = ("batch_size", 3, "rows", "columns")
    nodes = [node("Relu", "pixel_values", "last_hidden_state")]
    hub.network(tmp_path / "model.onnx", nodes, hub.PICTURES, {"last_hidden_state": shape})
    spec = model(tmp_path, "resnet", {"size": 8, "do_normalize": False})
    dots = np.zeros((8, 8, 3), np.uint8)
    dots[0, 0], dots[4] = (255, 0, 0), (0, 0, 255)  # one pixel, and eight
    mean, gem = create(spec).embed([dots])[0], create(spec, pooling="gem").embed([dots])[0]
    assert mean[2] / mean[0] == pytest.approx(8) and gem[2] / gem[0] == pytest.approx(2)  # the cube root of 8
    views = create(spec, views="flip")
    again = create(views.spec, fingerprint=views.fingerprint)
    np.testing.assert_array_equal(again.embed([dots]), views.embed([dots]))


# -- what is refused -------------------------------------------------------------------------------------------


def no_file(folder: Path) -> None:
    model(folder, "vit")


def no_preprocessor(folder: Path) -> None:
    hub.vectors(folder / "model.onnx")
    hub.write(folder, {"config.json": {}})


def other_files(folder: Path) -> None:
    hub.vectors(folder / "onnx" / "decoder.onnx")
    model(folder, "vit")


def patches(folder: Path) -> None:
    """SigLIP 2 of any aspect takes patches with their places."""
    inputs = {"pixel_values": (TensorProto.FLOAT, ("b", "n", 768)), "spatial_shapes": (TensorProto.INT64, ("b", 2))}
    nodes = [node("ReduceMean", "pixel_values", "mean", axes=[2]), node("Cast", "spatial_shapes", "real", to=1)]
    nodes += [node("ReduceMean", "real", "mean2"), node("Add", "mean mean2", "pooler_output")]
    hub.network(folder / "model.onnx", nodes, inputs, {"pooler_output": ("b", "n")})
    model(folder, "siglip2")


def text_file(name: str, content: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        hub.clip(folder)
        (folder / name).write_text(content, "utf-8")

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "is not a folder"),
        (no_file, "no ONNX file at all; take a repository for transformers.js"),
        (other_files, "only onnx/decoder.onnx"),
        (no_preprocessor, "has no preprocessor_config.json"),
        (patches, "exactly one input, of rank 4"),
        (text_file("config.json", "{"), "config.json of .* is not JSON"),
        (text_file("config.json", "[" * 100_000), "is not JSON"),
        (text_file("config.json", "[1]"), "holds a list"),
        (text_file("config.json", "\ud83d".encode("utf-8", "replace").decode()), "is not JSON"),
        (text_file("preprocessor_config.json", "null"), "holds a NoneType"),
        (text_file("onnx/vision_model.onnx", "not a model"), "is not an ONNX model"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "model")
    with pytest.raises(ImagekinError, match=message) as caught:
        create(f"hub:{tmp_path / 'model'}")
    assert "\n" not in str(caught.value)


def test_a_configuration_may_not_be_huge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekin.embed.repository.MAX_CONFIG", 10)
    with pytest.raises(ModelError, match="no file of at most 10 bytes"):
        create(str(hub.clip(tmp_path / "clip")))


def test_folders_of_many_files_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekin.embed.repository.MOST_FILES", 5)
    with pytest.raises(ModelError, match="more than 5 files"):
        create(str(hub.clip(tmp_path / "clip")))


def test_the_preprocessor_in_other_files(tmp_path: Path) -> None:
    hub.vectors(tmp_path / "onnx" / "vision_model.onnx")
    nested = {"processor_class": "CLIPProcessor", "image_processor": small(hub.CLIP)}
    hub.write(tmp_path, {"config.json": {"model_type": "clip"}, "processor_config.json": nested})
    np.testing.assert_allclose(colour(create(str(tmp_path))), AS_CLIP, atol=1e-5)
    (tmp_path / "processor_config.json").unlink()
    timm = {"input_size": [3, 8, 8], "crop_pct": 0.875, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3}
    hub.write(tmp_path, {"config.json": {"architecture": "resnet18", "pretrained_cfg": timm}})
    embedder: Any = create(str(tmp_path))
    np.testing.assert_allclose(colour(embedder), unit(np.array(COLOUR) / 127.5 - 1), atol=1e-5)
    assert embedder.recipe.resize == 9 and embedder.recipe.corner == "round"


def test_a_changed_network_is_another(tmp_path: Path) -> None:
    folder = hub.clip(tmp_path / "clip")
    before = create(str(folder)).fingerprint
    hub.vectors(folder / "onnx" / "vision_model.onnx", weight=5)
    assert create(str(folder)).fingerprint != before
    hub.vectors(folder / "onnx" / "vision_model.onnx")
    assert create(str(folder)).fingerprint == before
    config = json.loads((folder / "preprocessor_config.json").read_text())
    hub.write(folder, {"preprocessor_config.json": {**config, "resample": 2}})
    assert create(str(folder)).fingerprint != before
