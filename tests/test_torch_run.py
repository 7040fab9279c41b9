"""Networks run by PyTorch itself, as on a graphics card; here on the processor, which is a device too."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin import embed
from imagekin.embed import exported
from imagekin.embed.asked import Asked
from imagekin.embed.probe import pictures
from imagekin.errors import ModelError
from tests.torch_networks import lively, need, saved, unit

SIZE = (160, 160)


@pytest.fixture(scope="module")
def network() -> Any:
    need("torch", "timm", "torchvision")
    from imagekin.embed.timm_model import network as made

    found = made(Asked("timm:test_resnet.r160_in1k", "test_resnet.r160_in1k", "random"))
    lively(found.module)
    return found


@pytest.fixture(scope="module")
def wanted(network: Any) -> Any:
    from imagekin.embed.torch_network import answer, whole

    return unit(answer(whole(network), pictures(12, SIZE)))


@pytest.mark.parametrize(("dtype", "least"), [("float32", 0.999999), ("bfloat16", 0.9995), ("float16", 0.99999)])
def test_every_format_gives_the_networks_vectors(network: Any, wanted: Any, dtype: str, least: float) -> None:
    from imagekin.embed.torch_run import TorchRun

    runner = TorchRun(copy.deepcopy(network), "cpu", dtype)
    found = runner.run(["features"], {"pictures": pictures(12, SIZE)})[0]
    assert found.dtype == np.float32
    assert np.einsum("ij,ij->i", unit(found), wanted).min() > least


def test_many_threads_at_once_get_their_own_answers(network: Any, wanted: Any) -> None:
    from imagekin.embed.torch_run import TorchRun

    runner, seen = TorchRun(copy.deepcopy(network), "cpu", "float32"), pictures(12, SIZE)
    parts = [slice(at, at + count) for at in range(9) for count in (1, 2, 3)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda part: runner.run(["features"], {"pictures": seen[part]})[0], parts))
    for part, found in zip(parts, answers, strict=True):
        np.testing.assert_allclose(unit(found), wanted[part], atol=1e-5)


def test_the_shortest_format_that_is_exact_enough_is_taken(network: Any) -> None:
    import torch

    from imagekin.embed.torch_run import TorchRun

    assert TorchRun(copy.deepcopy(network), "cpu").dtype == "float16"
    large = copy.deepcopy(network)
    with torch.no_grad():  # features beyond 65,504, where float16 ends
        for layer in large.module.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                torch.as_tensor(layer.running_var).mul_(1e-4)
    assert TorchRun(large, "cpu").dtype != "float16"


def test_a_device_that_does_not_work_is_told(network: Any) -> None:
    import torch

    from imagekin.embed.torch_run import TorchRun

    if torch.cuda.is_available():
        pytest.skip("there is a card here, which works")
    with pytest.raises(ModelError, match="PyTorch cannot run the network on cuda:0"):
        TorchRun(copy.deepcopy(network), "cuda:0", "float16")


def test_where_there_is_a_card_batches_go_to_it(
    network: Any, wanted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm

    from imagekin.embed import torch_run

    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "cache"))
    path = saved(lively(timm.create_model("test_resnet", num_classes=0)), tmp_path / "w.safetensors")
    spec = f"timm:test_resnet.r160_in1k(weights={str(path)!r})"
    here = embed.create(spec)
    made: list[str] = []

    class Card(torch_run.TorchRun):
        def __init__(self, network: Any, device: str) -> None:
            made.append(device)
            super().__init__(network, "cpu", "bfloat16")

    monkeypatch.setattr(torch_run, "TorchRun", Card)
    monkeypatch.setattr(exported, "cards", lambda: 2)
    there = embed.create(spec, device="cuda:1")
    assert made == ["cuda:1"]
    assert there.batch_size > here.batch_size
    assert there.fingerprint == here.fingerprint
    seen = pictures(6, SIZE)
    assert np.einsum("ij,ij->i", there.embed_prepared(seen), here.embed_prepared(seen)).min() > 0.999
    unasked = embed.create(spec, device="auto")
    unasked.embed_prepared(seen[:1])
    assert made == ["cuda:1"]  # a picture alone does not wake the card
    unasked.embed_prepared(seen)
    assert made == ["cuda:1", "cuda:0"]
    saved(lively(timm.create_model("test_resnet", num_classes=0), seed=9), path)
    with pytest.raises(ModelError, match="has other weights now"):
        there._on_card(0, there.fingerprint.rpartition("/")[2])  # type: ignore[attr-defined]
