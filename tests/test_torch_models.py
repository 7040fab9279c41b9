"""Networks of timm and torchvision, beside those libraries' own preprocessing and answers."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import imagekin
from imagekin import embed
from imagekin.cli.app import app
from imagekin.embed.asked import Asked
from imagekin.errors import InputError, ModelError, UnknownNameError
from tests.photographs import save
from tests.torch_networks import lively, need, pictures, saved, unit

CLASSIC = {
    "timm:vgg16.tv_in1k": (512, 224),
    "timm:vgg19.tv_in1k": (512, 224),
    "timm:mobilenetv1_100.ra4_e3600_r224_in1k": (1024, 224),
    "timm:mobilenetv2_100.ra_in1k": (1280, 224),
    "timm:inception_v3.tv_in1k": (2048, 299),
    "timm:inception_v3.tf_in1k": (2048, 299),
    "timm:legacy_xception.tf_in1k": (2048, 299),
    "timm:resnet50.tv_in1k": (2048, 224),
    "timm:tf_efficientnet_lite0.in1k": (1280, 224),
    "torchvision:googlenet.IMAGENET1K_V1": (1024, 224),
    # today's, with their traps: an input smaller than the configuration's, one token, a projection
    "timm:vit_small_patch14_dinov2.lvd142m": (384, 224),
    "timm:vit_small_patch16_dinov3.lvd1689m": (384, 256),
    "timm:vit_base_patch16_clip_224.openai": (512, 224),
    "timm:vit_base_patch16_siglip_224.webli": (768, 224),
    "timm:convnext_tiny.fb_in1k": (768, 224),
    "timm:mobilenetv4_conv_small.e2400_r224_in1k": (1280, 224),
    # torchvision's other kinds of classifier
    "torchvision:alexnet.IMAGENET1K_V1": (256, 224),
    "torchvision:squeezenet1_1.IMAGENET1K_V1": (512, 224),
    "torchvision:densenet121.IMAGENET1K_V1": (1024, 224),
    "torchvision:convnext_tiny.IMAGENET1K_V1": (768, 224),
    "torchvision:mobilenet_v3_small.IMAGENET1K_V1": (1024, 224),
    "torchvision:resnet50.IMAGENET1K_V2": (2048, 224),
    "torchvision:vit_b_16.IMAGENET1K_V1": (768, 224),
}


@pytest.fixture(scope="module")
def torch() -> Any:
    found, _, _ = need("torch", "timm", "torchvision")
    return found


@pytest.fixture(scope="module")
def weights(torch: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of a whole little ResNet, classifier and all."""
    import timm

    return saved(lively(timm.create_model("test_resnet")), tmp_path_factory.mktemp("weights") / "it's mine.safetensors")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGEKIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def network(spec: str) -> Any:
    """What a spec's network is before it is exported."""
    scheme, _, model = spec.partition(":")
    if scheme == "timm":
        from imagekin.embed import timm_model as library
    else:
        from imagekin.embed import torchvision_model as library  # type: ignore[no-redef]
    return library.network(Asked(spec, model, "random"))


@pytest.mark.parametrize("spec", CLASSIC)
def test_lengths_and_inputs_of_the_classic_networks_and_of_todays(torch: Any, spec: str) -> None:
    from imagekin.embed.torch_network import whole

    with torch.device("meta"):  # shapes without arithmetic
        made = network(spec)
        answer = whole(made)(torch.zeros(2, made.recipe.height, made.recipe.width, 3, dtype=torch.uint8))
    assert (answer.shape[1], made.recipe.height) == CLASSIC[spec]


@pytest.mark.parametrize("spec", [spec for spec in CLASSIC if "dinov2" not in spec])
def test_preprocessing_is_that_of_the_library_to_the_pixel(torch: Any, spec: str) -> None:
    with torch.device("meta"):
        made = network(spec)
    scheme, _, model = spec.partition(":")
    if scheme == "timm":
        import timm

        transform = timm.data.create_transform(
            **timm.data.resolve_data_config(pretrained_cfg=vars(timm.get_pretrained_cfg(model)))
        )
    else:
        import torchvision

        name, _, tag = model.partition(".")
        transform = torchvision.models.get_model_weights(name)[tag].transforms()
    for picture in pictures():
        ours = (made.recipe.apply(picture) / 255 - made.mean) / made.std
        np.testing.assert_allclose(ours, transform(picture).permute(1, 2, 0).numpy(), atol=1e-5)


@pytest.mark.parametrize(("mode", "size"), [("squash", (96, 96)), ("squash", (64, 128)), ("border", (96, 64))])
def test_timms_other_ways_to_cut(torch: Any, mode: str, size: tuple[int, int]) -> None:
    import timm

    from imagekin.embed.timm_model import steps

    data: dict[str, Any] = {"crop_mode": mode, "interpolation": "bilinear", "mean": (0.3, 0.5, 0.7), "std": (1, 1, 1)}
    data["crop_pct"] = 1.0 if mode == "border" else 0.9
    transform = timm.data.create_transform(size, **data)
    for picture in pictures():
        ours = steps(data, size).apply(picture) / 255 - np.array(data["mean"])
        np.testing.assert_allclose(ours, transform(picture).permute(1, 2, 0).numpy(), atol=1e-5)


def test_a_network_of_timm_gives_what_timm_gives(torch: Any, weights: Path) -> None:
    import timm

    model = timm.create_model("test_resnet", checkpoint_path=str(weights)).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    with torch.inference_mode():
        features = model.forward_features(torch.stack([transform(picture) for picture in pictures()]))
        wanted = unit(model.forward_head(features, pre_logits=True))
    ours = embed.create("timm:test_resnet.r160_in1k", weights=str(weights))
    found = ours.embed(pictures())
    assert np.abs(wanted - wanted.mean(axis=0)).max() > 0.005  # the pictures are told apart
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert (ours.dim, ours.input_size, ours.name) == (96, (160, 160), "timm:test_resnet.r160_in1k")
    np.testing.assert_allclose(ours.parts(pictures()[:1]).sum(axis=(1, 2))[0], found[0], atol=1e-5)


def test_a_network_of_torchvision_gives_what_torchvision_gives(torch: Any, tmp_path: Path) -> None:
    import torchvision

    published = torchvision.models.MobileNet_V3_Small_Weights.IMAGENET1K_V1
    model = lively(torchvision.models.mobilenet_v3_small())
    path = saved(model, tmp_path / "mobilenet.safetensors")
    del model.classifier[-1]
    with torch.inference_mode():
        wanted = unit(model(torch.stack([published.transforms()(picture) for picture in pictures()])))
    found = embed.create(f"torchvision:mobilenet_v3_small(weights={str(path)!r})").embed(pictures())
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    with torch.device("meta"):  # its weights take pictures that are scaled in another way
        assert network("torchvision:googlenet.IMAGENET1K_V1").module.transform_input


def test_pooling_by_one_token_by_all_and_by_the_largest(torch: Any) -> None:
    from imagekin.embed.timm_model import network as made

    scaled = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        for model, pooling in (("test_vit", "token"), ("test_vit", "mean"), ("test_resnet", "max")):
            ours = made(Asked(f"timm:{model}", model, "random", pooling=pooling)).module.eval()
            features = getattr(ours, "module", ours).forward_features(scaled)
            wanted = features.amax((2, 3)) if pooling == "max" else features[:, 0]
            wanted = features[:, 1:].mean(1) if pooling == "mean" else wanted
            torch.testing.assert_close(ours(scaled), wanted)


def test_the_name_is_pinned_and_the_spec_says_all_but_trust(torch: Any, weights: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(weights.parent)
    ours = embed.create("timm:test_resnet", weights=weights.name, trust=True)
    assert ours.spec == f"timm:test_resnet.r160_in1k(weights={str(weights)!r})"
    assert embed.create(ours.spec).fingerprint == ours.fingerprint
    from imagekin.embed import timm_model, torchvision_model

    assert timm_model.pinned("xception") == "legacy_xception.tf_in1k"  # its name of before
    assert timm_model.pinned("resnet50") == "resnet50.a1_in1k"
    assert torchvision_model.TorchvisionEmbedder._pinned("resnet50") == "resnet50.IMAGENET1K_V2"


def test_the_fingerprint_follows_weights_and_preprocessing(torch: Any, weights: Path) -> None:
    name = "timm:test_resnet.r160_in1k"
    first = embed.create(name, weights=str(weights)).fingerprint
    assert embed.create(name, weights=str(weights), fingerprint=first).fingerprint == first
    others = {
        embed.create(name, weights=str(weights), size=96).fingerprint,
        embed.create(name, weights="random").fingerprint,
    }
    assert len(others | {first}) == 3
    with pytest.raises(ModelError, match="is not the model that made the collection"):
        embed.create(name, weights="random", fingerprint=first)


def test_once_exported_neither_pytorch_nor_the_library_is_imported(torch: Any, weights: Path) -> None:
    spec = f"timm:test_resnet.r160_in1k(weights={str(weights)!r})"
    wanted = embed.create(spec).embed(pictures()[:1])[0]
    code = (
        "import json, sys\nfrom imagekin import embed\nfrom tests.torch_networks import pictures\n"
        f"vector = embed.create({spec!r}).embed(pictures()[:1])[0]\n"
        "print(json.dumps([vector.tolist(), [name for name in ('torch', 'timm', 'onnx') if name in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    found, imported = json.loads(done.stdout)
    assert imported == []
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_random_weights_are_the_same_ones_and_leave_the_callers_alone(torch: Any) -> None:
    from imagekin.embed.torch_network import digest

    torch.manual_seed(11)
    before = torch.get_rng_state()
    digests = {digest(network("timm:test_vit.r160_in1k").module) for _ in range(2)}
    assert len(digests) == 1
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_of_another_network_are_refused(torch: Any, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"another network: \d+ of \d+ tensors are not in it"):
        embed.create("timm:test_vit.r160_in1k", weights=str(weights))
    with pytest.raises(ModelError, match="another network"):
        embed.create("torchvision:resnet18.IMAGENET1K_V1", weights=str(weights))
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ModelError, match="cannot be read"):
        embed.create("timm:test_resnet.r160_in1k", weights=str(torn))
    with pytest.raises(ModelError, match="are not there"):
        embed.create("timm:test_resnet.r160_in1k", weights="nowhere.safetensors")


class Harm:
    """What a pickle of a stranger may do."""

    def __reduce__(self) -> Any:
        return print, ("harm was done",)


def test_a_pickle_needs_trust_and_may_build_tensors_only(
    torch: Any, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import safetensors.torch

    name, pickled = "timm:test_resnet.r160_in1k", tmp_path / "weights.pth"
    torch.save(
        {"state_dict": {f"module.{key}": value for key, value in safetensors.torch.load_file(weights).items()}}, pickled
    )
    with pytest.raises(ModelError, match="trust=True"):
        embed.create(name, weights=str(pickled))
    stored = embed.create(name, weights=str(weights)).fingerprint
    told = f"{name}(trust=True, weights={str(pickled)!r})"
    with pytest.raises(ModelError, match="--trust"):  # the word of a collection's file does not count
        embed.create(told, fingerprint=stored)
    assert embed.create(told).fingerprint == stored
    bad = tmp_path / "bad.pth"
    torch.save({"state_dict": Harm()}, bad)
    with pytest.raises(ModelError, match="cannot be read"):
        embed.create(name, weights=str(bad), trust=True)
    assert "harm" not in capsys.readouterr().out


def test_trust_is_said_on_the_command_line_and_asked_for_again_when_the_cache_is_gone(
    torch: Any, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.torch

    pickled, place = tmp_path / "weights.pth", tmp_path / "c"
    torch.save(safetensors.torch.load_file(weights), pickled)
    save(tmp_path / "photos" / "cat" / "1.jpg", pictures()[0])
    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "cache"))

    def run(*arguments: object) -> Any:
        return CliRunner().invoke(app, ["-c", str(place), *map(str, arguments)])

    index = ("index", tmp_path / "photos", "--model", f"timm:test_resnet.r160_in1k(weights={str(pickled)!r})")
    refused = run(*index)
    assert refused.exit_code == 1 and "--trust" in refused.output
    assert not place.exists()
    assert run(*index, "--trust").exit_code == 0
    search = ("search", tmp_path / "photos" / "cat" / "1.jpg", "--json")
    first = run(*search)
    assert first.exit_code == 0, first.output
    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "another"))
    assert "--trust" in run(*search).output
    again = run(*search, "--trust")
    assert again.exit_code == 0 and json.loads(again.stdout) == json.loads(first.stdout)
    with imagekin.open(place) as photos:
        assert "trust=" not in photos.info()["embedder"]["spec"]


def test_a_pickle_is_not_downloaded_because_a_collection_names_it(torch: Any) -> None:
    spec = "torchvision:googlenet.IMAGENET1K_V1"
    with pytest.raises(ModelError, match=f"nothing is fetched.*--model {spec} --trust"):
        embed.create(spec, fingerprint="of a stranger", trust=True)


def test_published_weights_come_as_safetensors_unless_a_pickle_is_trusted(
    torch: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    asked = []

    def download(owner: str, file: str, revision: str | None = None, local_files_only: bool = False) -> str:
        asked.append((owner, file))
        if file != "model.safetensors" or owner != "timm/test_resnet.r160_in1k":
            raise huggingface_hub.errors.EntryNotFoundError("404")
        return str(weights)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    published = embed.create("timm:test_resnet.r160_in1k")
    assert asked == [("timm/test_resnet.r160_in1k", "model.safetensors")]
    assert published.fingerprint == embed.create("timm:test_resnet.r160_in1k", weights=str(weights)).fingerprint
    for spec in ("timm:test_vit.r160_in1k", "timm:legacy_xception.tf_in1k", "torchvision:googlenet.IMAGENET1K_V1"):
        with pytest.raises(ModelError, match="published as a pickle only"):
            embed.create(spec)

    fetches: list[bool] = []

    def unplugged(owner: str, file: str, revision: str | None = None, local_files_only: bool = False) -> str:
        fetches.append(not local_files_only)
        raise huggingface_hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unplugged)
    with pytest.raises(ModelError, match="no network.*copy model.safetensors of timm/test_vit.r160_in1k here"):
        embed.create("timm:test_vit.r160_in1k")
    assert fetches == [True]
    with pytest.raises(ModelError, match="nothing is fetched because a collection names it"):
        embed.create("timm:test_vit.r160_in1k", fingerprint="timm/of-a-stranger")
    assert fetches[1:] == [False] * (len(fetches) - 1) != []


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("timm:resnt50", UnknownNameError, "did you mean resnet50"),
        ("timm:resnt50.tv_in1k", UnknownNameError, "did you mean resnet50"),
        ("timm:resnet50.nobody", UnknownNameError, "tv_in1k"),
        ("timm:hf-hub:someone/model", InputError, "hub:owner/name"),
        ("torchvision:googlenett", UnknownNameError, "did you mean googlenet"),
        ("torchvision:googlenet.V9", UnknownNameError, "IMAGENET1K_V1"),
        ("timm:test_vit.r160_in1k(weights='random', pooling='most')", InputError, "avg, max, token, mean"),
        ("timm:test_vit.r160_in1k(weights='random', size=0)", InputError, "size must be"),
        ("timm:test_vit.r160_in1k(weights='random', sise=64)", InputError, "no option 'sise'"),
        ("timm:test_vit.r160_in1k(weights='random', trust='yes')", InputError, "trust must be"),
        ("torchvision:resnet18.IMAGENET1K_V1(weights='random', pooling='avg')", InputError, "no choice of pooling"),
    ],
)
def test_what_is_asked_for_wrongly_is_told(torch: Any, spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        embed.create(spec)


def test_an_export_that_answers_otherwise_is_refused_and_the_other_exporter_asked(
    torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imagekin.embed import torch_network

    module = torch_network.whole(network("timm:test_resnet.r160_in1k"))
    lively(module)
    right, off, dim = torch_network.export(module, (160, 160))
    assert off < 1e-5
    assert dim == 96

    def wrong(module: Any, sample: Any) -> bytes:
        return right

    def failing(module: Any, sample: Any) -> bytes:
        raise RuntimeError("no such operator")

    changed = torch_network.whole(network("timm:test_resnet.r160_in1k"))
    lively(changed, seed=4)
    compiled = torch_network._compiled
    monkeypatch.setattr(torch_network, "_EXPORTERS", {"first": wrong, "second": failing})
    with pytest.raises(ModelError, match=r"first: its numbers are .* from PyTorch's.*second: no such operator"):
        torch_network.export(changed, (160, 160))
    monkeypatch.setattr(torch_network, "_EXPORTERS", {"first": wrong, "second": compiled})
    assert torch_network.export(changed, (160, 160))[1] < 1e-5


def test_any_size_where_the_network_allows_it(torch: Any) -> None:
    wide = embed.create("timm:test_resnet.r160_in1k", weights="random", size=(64, 96))
    assert wide.embed(pictures()[:1]).shape == (1, 96)
    assert wide.input_size == (64, 96)
    smaller = embed.create("timm:test_vit.r160_in1k", weights="random", size=96)
    assert smaller.input_size == (96, 96)
    assert math.isclose(float(np.linalg.norm(smaller.embed(pictures()[:1]))), 1, abs_tol=1e-5)


def test_a_collection_remembers_the_network_it_was_made_with(torch: Any, weights: Path, tmp_path: Path) -> None:
    for number, picture in enumerate(pictures()):
        save(tmp_path / "photos" / f"{number}.png", picture)
    spec = f"timm:test_resnet(weights={str(weights)!r})"
    with imagekin.open(tmp_path / "c", model=spec) as photos:
        assert photos.index(tmp_path / "photos").added == 4
    with imagekin.open(tmp_path / "c") as photos:
        hits = photos.search(tmp_path / "photos" / "2.png", k=2)
        assert hits[0].path.endswith("2.png")
        assert photos.info()["embedder"]["spec"] == f"timm:test_resnet.r160_in1k(weights={str(weights)!r})"
