"""Networks made into networks of bytes on the user's own pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import embed
from imagekin.embed import builtin, quantised
from imagekin.embed.base import Embedder
from imagekin.embed.probe import pictures as probes
from imagekin.embed.runtime import open_session, run
from imagekin.errors import InputError, ModelError
from tests.photographs import photograph, save
from tests.torch_networks import lively, need, saved

NAME = "timm:test_resnet.r160_in1k"


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGEKIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    _, timm, _ = need("torch", "timm", "torchvision")
    return str(saved(lively(timm.create_model("test_resnet")), tmp_path_factory.mktemp("weights") / "w.safetensors"))


@pytest.fixture(scope="module")
def taught(weights: str) -> Embedder:
    embedder = embed.create(NAME, weights=weights, precision="int8")
    embedder.learn(photograph(seed) for seed in range(24))
    return embedder


def test_quantisation_of_a_trained_network_keeps_its_vectors() -> None:
    exact = embed.create("efficientnet-lite0", precision="fp32")
    seen = np.stack([exact.prepare(photograph(seed)) for seed in range(24)])
    model = builtin.build("fp32")
    ranges = quantised.calibrate(model, [seen[:8], seen[8:16]])
    rounded = quantised.quantise(model, ranges)
    assert len(rounded) < 0.3 * len(model)
    found = quantised.unit(run(open_session(rounded), "pictures", seen, "features"))
    lost = quantised.loss(exact.embed_prepared(seen), found, held=8)
    assert 0.97 < lost["cosine"] < 1
    assert lost["neighbours"] >= 0.5
    # six is where this network's activations end
    assert max(high for name, (_, high) in ranges.items() if name == "block6.depthwise") == 6.0


def test_layers_that_share_their_biases_become_bytes_too() -> None:
    need("torch", "timm", "torchvision")
    import onnx

    exact = embed.create("timm:test_resnet.r160_in1k", weights="random")  # all biases are nought, and one constant
    model = exact._file()  # type: ignore[attr-defined]
    rounded = quantised.quantise(model, quantised.calibrate(model, [probes(4, (160, 160))]))
    nodes = onnx.load_model_from_string(rounded).graph.node
    made = {output: node.op_type for node in nodes for output in node.output}
    layers = [node for node in nodes if node.op_type == "Conv"]
    assert layers
    assert all(made[name] == "DequantizeLinear" for node in layers for name in node.input)


def test_loss_by_hand() -> None:
    exact = np.array([[1, 0], [0, 1], [0.8, 0.6], [0.6, 0.8]], np.float32)
    same = quantised.loss(exact, exact, held=2)
    assert same == {"cosine": 1.0, "neighbours": 1.0}
    turned = exact.copy()
    turned[3] = [0.352, 0.936]  # 0.2112 + 0.7488 = 0.96 to before; now nearer to the second than to the third
    assert quantised.loss(exact, turned, held=2) == {"cosine": pytest.approx(0.98, abs=1e-5), "neighbours": 0.5}


def test_int8_learns_from_pictures_and_tells_what_it_costs(taught: Embedder, weights: str, caplog: Any) -> None:
    exact = embed.create(NAME, weights=weights)
    photos = [photograph(seed) for seed in range(50, 56)]
    cosines = np.einsum("ij,ij->i", taught.embed(photos), exact.embed(photos))
    assert 0.99 < cosines.min() < 1
    lost = taught.describe()["loss"]
    assert lost["pictures"] == 6
    assert lost["cosine"] == pytest.approx(cosines.mean(), abs=0.01)
    assert taught.fingerprint.startswith(exact.fingerprint + "/int8/")
    assert taught.learns
    assert not exact.learns
    taught.parts(photos[:1])  # its places add up to its vectors, or it says so
    again = embed.create(NAME, weights=weights, precision="int8")
    with caplog.at_level("WARNING", "imagekin"):
        again.learn(photograph(seed) for seed in range(24))
    assert re.search(
        r"keeps cosine (0\.99|1\.00)\d\d to fp32 and \d+ % of nearest neighbours, by 6 of your", caplog.text
    )
    first, second = (json.loads(each.state() or b"")["ranges"] for each in (taught, again))
    assert first.keys() == second.keys()
    np.testing.assert_allclose([first[name] for name in first], [second[name] for name in first], rtol=1e-4, atol=1e-4)


def test_what_was_learned_makes_the_same_model_again(taught: Embedder, weights: str) -> None:
    state, photos = taught.state(), [photograph(70)]
    again = embed.create(NAME, weights=weights, precision="int8", state=state, fingerprint=taught.fingerprint)
    np.testing.assert_array_equal(again.embed(photos), taught.embed(photos))
    untaught = embed.create(NAME, weights=weights, precision="int8")
    assert untaught.state() is None
    assert untaught.fingerprint != taught.fingerprint
    other = embed.create(NAME, weights=weights, precision="int8")
    other.learn(photograph(seed) for seed in range(30, 50))
    with pytest.raises(ModelError, match="is not the model that made the collection"):
        embed.create(NAME, weights=weights, precision="int8", state=other.state(), fingerprint=taught.fingerprint)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda facts: b"\x80\x04",
        lambda facts: b"[]",
        lambda facts: json.dumps({"ranges": {}}).encode(),
        lambda facts: json.dumps({**facts, "ranges": {name: [1, -1] for name in facts["ranges"]}}).encode(),
        lambda facts: json.dumps({**facts, "ranges": {name: [0, float("inf")] for name in facts["ranges"]}}).encode(),
        lambda facts: json.dumps({**facts, "ranges": {name: [0, 1e39] for name in facts["ranges"]}}).encode(),
        lambda facts: json.dumps({**facts, "ranges": {name: [0, 10**400] for name in facts["ranges"]}}).encode(),
        lambda facts: json.dumps({**facts, "ranges": [1, 2]}).encode(),
        lambda facts: b"[" * 100_000,
        lambda facts: b" " * (1 << 23),
    ],
    ids=["pickle", "list", "no loss", "reversed", "infinite", "too large", "larger", "no names", "nested", "huge"],
)
def test_a_state_that_somebody_else_wrote_is_refused(taught: Embedder, weights: str, spoil: Any) -> None:
    state = spoil(json.loads(taught.state() or b""))
    with pytest.raises(ModelError, match="calibrated with are"):
        embed.create(NAME, weights=weights, precision="int8", state=state)


def test_ranges_of_another_network_are_refused(taught: Embedder, weights: str) -> None:
    facts = json.loads(taught.state() or b"")
    facts["ranges"] = {f"other.{name}": pair for name, pair in facts["ranges"].items()}
    with pytest.raises(ModelError, match="cannot be quantised to int8"):
        embed.create(NAME, weights=weights, precision="int8", state=json.dumps(facts).encode())


def test_too_few_pictures_and_other_precisions(weights: str) -> None:
    with pytest.raises(InputError, match="16 at least, and 15 could be read"):
        embed.create(NAME, weights=weights, precision="int8").learn(photograph(seed) for seed in range(15))
    with pytest.raises(InputError, match="one of fp32, int8"):
        embed.create(NAME, weights=weights, precision="fp16")


def test_a_network_that_does_not_bear_it_is_told_so(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = embed.create(NAME, weights=weights, precision="int8")
    monkeypatch.setattr(quantised, "loss", lambda *_: {"cosine": 0.89, "neighbours": 0.2})
    with pytest.raises(ModelError, match="cosine 0.890 to fp32 only; use precision='fp32'"):
        embedder.learn(photograph(seed) for seed in range(24))
    assert embedder.state() is None


def test_networks_with_attention_keep_their_floats_between_layers() -> None:
    _, _, _ = need("torch", "timm", "torchvision")
    exact = embed.create("timm:test_vit.r160_in1k", weights="random")
    rounded = embed.create("timm:test_vit.r160_in1k", weights="random", precision="int8")
    rounded.learn(photograph(seed) for seed in range(16))
    photos = [photograph(seed) for seed in range(50, 56)]
    assert np.einsum("ij,ij->i", exact.embed(photos), rounded.embed(photos)).min() > 0.99


def test_a_collection_keeps_what_int8_learned_from_its_pictures(weights: str, tmp_path: Path) -> None:
    for seed in range(18):
        save(tmp_path / "photos" / f"{seed}.jpg", photograph(seed))
    spec = f"{NAME}(weights={weights!r})"
    with imagekin.open(tmp_path / "c", model=spec, precision="int8") as photos:
        assert photos.index(tmp_path / "photos").added == 18
        first = photos.search(tmp_path / "photos" / "3.jpg", k=3)
    with imagekin.open(tmp_path / "c") as photos:
        again = photos.search(tmp_path / "photos" / "3.jpg", k=3)
        assert [hit.id for hit in again] == [hit.id for hit in first]
        assert again[0].path.endswith("3.jpg")
        stored = photos.info()["embedder"]
        assert stored["precision"] == "int8"
        assert stored["loss"]["pictures"] == 4
