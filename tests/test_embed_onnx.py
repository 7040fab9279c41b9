"""Any ONNX file as an embedder: the numbers it gives, from models made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from imagekin.embed import create
from imagekin.embed.onnx_model import IMAGENET_MEAN, IMAGENET_STD
from imagekin.errors import InputError, ModelError
from imagekin.testing.embedders import check_embedder, synthetic_picture
from tests.onnx_models import COLOUR, Shape, classifier, colour, imagenet, node, same, unit, write


@pytest.mark.parametrize(
    "shape", [("n", 3, 8, 8), ("n", 8, 8, 3), (1, 3, 8, 8), (4, 8, 8, 3), ("n", 3, "h", "w"), ("n", 3, 8, 6)]
)
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_scaling_and_layout(tmp_path: Path, shape: Shape, kind: int) -> None:
    embedder = create(str(same(tmp_path / "m.onnx", shape, kind)))
    rows = [dim for dim in shape[1:] if dim != 3]
    assert embedder.input_size == ((224, 224) if "h" in shape else tuple(rows))
    assert embedder.dim == 3 and embedder.name == "m.onnx" and embedder.precision == ""
    np.testing.assert_allclose(colour(embedder), imagenet(), atol=2e-3 if kind == TensorProto.FLOAT16 else 1e-5)


def test_a_model_of_bytes_gets_bytes(tmp_path: Path) -> None:
    path = same(tmp_path / "m.onnx", ("n", 8, 8, 3), TensorProto.UINT8)
    np.testing.assert_allclose(colour(create(str(path))), unit(COLOUR), atol=1e-5)
    np.testing.assert_allclose(colour(create(str(path), channels="BGR")), unit(COLOUR[::-1]), atol=1e-5)
    with pytest.raises(InputError, match="takes bytes and scales them itself; leave out mean"):
        create(str(path), mean=0.5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mean": 0.0, "std": 1.0}, unit(COLOUR)),
        ({"scale": 1.0, "mean": 127.5, "std": 127.5}, unit(np.array(COLOUR) - 127.5)),
        ({"scale": 1, "mean": (104, 117, 124), "std": 1, "channels": "BGR"}, unit([50 - 104, 100 - 117, 200 - 124])),
        (
            {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
            unit([(200 / 255 - 0.5) / 0.2, (100 / 255 - 0.4) / 0.3, (50 / 255 - 0.3) / 0.4]),
        ),
    ],
)
def test_scaling_options(tmp_path: Path, options: dict[str, Any], expected: NDArray[Any]) -> None:
    np.testing.assert_allclose(colour(create(str(same(tmp_path / "m.onnx")), **options)), expected, atol=1e-5)


def test_cutting_gives_the_inner_tensors(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx")
    session_of = {proto.name: numpy_helper.to_array(proto) for proto in onnx.load(path).graph.initializer}
    picture = [synthetic_picture(1)]
    features = create(str(path), cut=2)
    assert [create(str(path), cut=cut).dim for cut in (0, 1, 2)] == [4, 6, 5]
    hidden = features.embed(picture)[0] @ session_of["w2"]
    np.testing.assert_allclose(unit(create(str(path), output="product").embed(picture)[0]), unit(hidden), atol=1e-5)
    np.testing.assert_array_equal(
        create(str(path), output="hidden").embed(picture), create(str(path), cut=1).embed(picture)
    )
    whole = create(str(path), output="logits").embed(picture)[0]
    np.testing.assert_allclose(
        create(str(path), output="logits", cut=1).embed(picture), create(str(path), cut=1).embed(picture)
    )
    assert whole.shape == (4,)
    assert create(str(path), output="features").embed(picture) == pytest.approx(features.embed(picture), abs=1e-6)


def test_cutting_too_much_or_at_a_branch_is_refused(tmp_path: Path) -> None:
    path = str(classifier(tmp_path / "m.onnx"))
    with pytest.raises(InputError, match="cut=4 is too much: 3 layers"):
        create(path, cut=4)
    with pytest.raises(InputError, match="cut must be 0 or more"):
        create(path, cut=-1)
    with pytest.raises(InputError, match=r"no tensor 'nowhere'.*outputs are: y"):
        create(path, output="nowhere")
    with pytest.raises(InputError, match="no tensor 'w2'"):
        create(path, output="w2")
    nodes = [node("Relu", "x", "a"), node("Neg", "x", "b"), node("Add", "a b", "y")]
    branch = write(tmp_path / "b.onnx", nodes, {"y": ("n", 3, 8, 8)})
    with pytest.raises(InputError, match=r"meets a branch \(Add of a, b\)"):
        create(str(branch), cut=1)


@pytest.mark.parametrize("batch", ["n", 1, 4])
def test_it_conforms_whatever_its_batch_size(tmp_path: Path, batch: int | str) -> None:
    path = str(classifier(tmp_path / "m.onnx", batch))
    check_embedder(lambda: create(path, cut=2, threads=1))


def test_tokens_need_a_pooling(tmp_path: Path) -> None:
    nodes = [node("Reshape", "x shape", "flat"), node("Transpose", "flat", "tokens", perm=[0, 2, 1])]
    shape = np.array([0, 3, 64])
    path = str(write(tmp_path / "m.onnx", nodes, {"tokens": ("n", 64, 3)}, weights={"shape": shape}))
    with pytest.raises(ModelError, match=r"'tokens' .* shape \(1, 64, 3\).*pooling='cls' or 'mean'"):
        create(path)
    with pytest.raises(InputError, match="pooling must be cls, mean or gem, not 'max'"):
        create(path, pooling="max")
    pixels = synthetic_picture(3, 8, 8)
    scaled = (pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD
    options: dict[str, Any] = {"crop_fraction": 1.0, "resample": "nearest"}
    first = create(path, pooling="cls", **options).embed([pixels])[0]
    np.testing.assert_allclose(first, unit(scaled[0, 0]), atol=1e-5)
    mean = create(path, pooling="mean", **options).embed([pixels])[0]
    np.testing.assert_allclose(mean, unit(scaled.mean(axis=(0, 1))), atol=1e-5)


def test_several_outputs_are_chosen_by_name_then_rank(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMean", "x", "small", axes=[2, 3], keepdims=0),
        node("Neg", "small", "other"),
        node("Relu", "x", "map"),
    ]
    two: dict[str, Shape] = {"small": ("n", 3), "other": ("n", 3)}
    with pytest.raises(ModelError, match=r"several outputs.*small \(n, 3\), other \(n, 3\)"):
        create(str(write(tmp_path / "a.onnx", nodes, two)))
    assert colour(create(str(tmp_path / "a.onnx"), output="other")) == pytest.approx(-imagenet(), abs=1e-5)
    path = write(tmp_path / "b.onnx", nodes, {"map": ("n", 3, 8, 8), "small": ("n", 3)})
    assert colour(create(str(path))) == pytest.approx(imagenet(), abs=1e-5)
    nodes.append(node("Neg", "small", "image_embeds"))
    path = write(tmp_path / "c.onnx", nodes, {"small": ("n", 3), "image_embeds": ("n", 3)})
    assert colour(create(str(path))) == pytest.approx(-imagenet(), abs=1e-5)


def test_the_fingerprint_knows_the_file_and_every_option(tmp_path: Path) -> None:
    path = str(classifier(tmp_path / "m.onnx"))
    options: list[dict[str, Any]] = [
        {}, {"cut": 1}, {"cut": 2}, {"output": "logits"},
        {"mean": 0.5}, {"std": 0.5}, {"scale": 1.0}, {"channels": "BGR"},
        {"mode": "squash"}, {"mode": "pad"}, {"mode": "pad", "fill": (1, 2, 3)},
        {"crop_fraction": 1.0}, {"stretch": 0.5}, {"resample": "nearest"},
    ]  # fmt: skip
    prints = [create(path, **chosen).fingerprint for chosen in options]
    assert len(set(prints)) == len(prints)
    assert prints == [create(path, **chosen).fingerprint for chosen in options]
    assert create(path, threads=2).fingerprint == create(path, cut=0).fingerprint == prints[0]
    moved = tmp_path / "elsewhere.onnx"
    moved.write_bytes(Path(path).read_bytes())
    assert create(str(moved)).fingerprint == prints[0]
    assert create(str(classifier(moved, seed=8))).fingerprint != prints[0]


def test_spec_makes_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier(tmp_path / "m (1).onnx")
    monkeypatch.chdir(tmp_path)
    embedder = create("m (1).onnx", cut=1, mode="squash", mean=(0.5, 0.5, 0.5))
    assert embedder.spec == f"{tmp_path / 'm (1).onnx'}(cut=1, mean=(0.5, 0.5, 0.5), mode='squash')"
    monkeypatch.chdir("/")
    assert create(embedder.spec).fingerprint == embedder.fingerprint
    assert create("onnx", path=tmp_path / "m (1).onnx").spec == str(tmp_path / "m (1).onnx")


def test_a_free_layout_and_size_can_be_given(tmp_path: Path) -> None:
    path = str(same(tmp_path / "m.onnx", ("n", "a", "b", "c")))
    for layout in ("NCHW", "NHWC"):
        embedder = create(path, layout=layout, size=(12, 10))
        assert embedder.input_size == (12, 10)
        np.testing.assert_allclose(colour(embedder), imagenet(), atol=1e-5)


def test_a_model_that_answers_nan_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("Sqrt", "x", "y")], {"y": ("n", 3, 8, 8)})
    with pytest.raises(ModelError, match="NaN"):
        create(str(path)).embed([np.zeros((8, 8, 3), np.uint8)])
