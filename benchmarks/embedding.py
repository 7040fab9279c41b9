"""Networks of timm as they are run here, beside PyTorch's own way and beside the bare session, in turns."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import rounds
from imagekin import embed
from imagekin.embed import probe
from imagekin.embed.base import Embedder
from imagekin.embed.devices import has_openvino
from imagekin.embed.runtime import open_session

Figures = dict[str, Any]
Work = Callable[[], object]

MODELS = "tf_efficientnet_lite0.in1k,mobilenetv2_100.ra_in1k,resnet50.tv_in1k"


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", default=MODELS, help="names of timm, separated by commas; their weights are random")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1, help="of everybody")
    parser.add_argument("--rounds", type=int, default=9)


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Milliseconds an image of each way to run each network, and their ratios round by round."""
    shared = {"batch": arguments.batch, "threads": arguments.threads}
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("timm") is None:
        return {**shared, "missing": 'pip install "imagekin[torch]"', "networks": {}}
    found: Figures = {}
    for name in arguments.models.split(","):
        samples = rounds.interleaved(contestants(name, arguments), arguments.rounds)
        found[name] = {
            "ms": {who: rounds.spread(seconds, 1000 / arguments.batch) for who, seconds in samples.items()},
            "times_eager": {who: rounds.ratio(samples["eager"], seconds) for who, seconds in samples.items()},
            "times_bare": rounds.ratio(samples["exported"], samples["bare"]),
        }
        print(f"  {name}: {found[name]['times_eager']['exported']['median']} times PyTorch", flush=True)
    return {**shared, "networks": found}


def contestants(name: str, arguments: argparse.Namespace) -> dict[str, Callable[[], float]]:
    """PyTorch itself, the bare session, and the embedder on ONNX Runtime, at int8 and on OpenVINO."""
    spec, threads = f"timm:{name}(weights='random')", arguments.threads
    exported = embed.create(spec, threads=threads, device="cpu")
    batch = probe.pictures(arguments.batch, exported.input_size)
    made: dict[str, Work] = {
        "eager": _eager(name, batch, threads),
        "bare": _bare(exported, batch, threads),
        "exported": lambda: exported.embed_prepared(batch),
    }
    rounded = embed.create(spec, threads=threads, device="cpu", precision="int8")
    rounded.learn(probe.pictures(16, exported.input_size, seed=1))
    made["int8"] = lambda: rounded.embed_prepared(batch)
    if has_openvino():
        other = embed.create(spec, threads=threads, device="openvino")
        made["openvino"] = lambda: other.embed_prepared(batch)
    return {who: rounds.timed(turn) for who, turn in made.items()}


def _eager(name: str, batch: NDArray[np.uint8], threads: int) -> Work:
    """The same network as PyTorch runs it, from the same bytes."""
    import torch

    from imagekin.embed.asked import RANDOM, Asked
    from imagekin.embed.timm_model import network
    from imagekin.embed.torch_network import answer, whole

    torch.set_num_threads(threads)
    module = whole(network(Asked(f"timm:{name}", name, RANDOM)))
    return lambda: answer(module, batch)


def _bare(embedder: Embedder, batch: NDArray[np.uint8], threads: int) -> Work:
    session = open_session(embedder._file(), threads)  # type: ignore[attr-defined]
    return lambda: session.run(["features"], {"pictures": batch})
