"""Losses as PyTorch computes them, against the papers' formulas in slow loops."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imagekin.errors import MissingPackageError
from imagekin.train import losses
from tests.torch_networks import need

DIM, CLASSES = 5, 4
LABELS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3])


@pytest.fixture(scope="module")
def torch() -> Any:
    return need("torch", "pytorch_metric_learning")[0]


def features() -> Any:
    """Vectors that are not of length 1, of classes that overlap."""
    random = np.random.default_rng(5)
    centres = random.normal(size=(CLASSES, DIM))
    return (3 * (centres[LABELS] + 0.5 * random.normal(size=(len(LABELS), DIM)))).astype(np.float32)


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def nonzero(values: list[float]) -> float:
    """The mean of those above 0, which losses by pairs take: easy pairs do not dilute hard ones."""
    some = [value for value in values if value > 0]
    return float(np.mean(some)) if some else 0.0


def pairs() -> tuple[Any, list[tuple[int, int]], list[tuple[int, int]]]:
    rows = unit(features().astype(np.float64))
    every = [(one, other) for one in range(len(rows)) for other in range(len(rows)) if one != other]
    same = [pair for pair in every if LABELS[pair[0]] == LABELS[pair[1]]]
    return rows, same, [pair for pair in every if pair not in same]


def softmax(module: Any) -> float:
    layer = module.layer
    says = features() @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    log = says - np.log(np.exp(says).sum(axis=1, keepdims=True))
    wanted = 0.9 * np.eye(CLASSES)[LABELS] + 0.1 / CLASSES
    return float(-(wanted * log).sum(axis=1).mean())


def contrastive(module: Any) -> float:
    rows, same, other = pairs()
    gap = {pair: float(np.linalg.norm(rows[pair[0]] - rows[pair[1]])) for pair in [*same, *other]}
    return nonzero([gap[pair] for pair in same]) + nonzero([max(0.0, 1.0 - gap[pair]) for pair in other])


def triplet(module: Any) -> float:
    rows, same, other = pairs()
    found = []
    for anchor, positive in same:
        for negative in (to for of, to in other if of == anchor):
            near, far = (float(np.linalg.norm(rows[anchor] - rows[each])) for each in (positive, negative))
            if near < far <= near + 0.2:  # semi-hard: further, but not by the margin
                found.append(near - far + 0.2)
    assert found
    return nonzero(found)


def multi_similarity(module: Any) -> float:
    rows, same, other = pairs()
    total = 0.0
    for anchor in range(len(rows)):
        mine, theirs = ([float(rows[anchor] @ rows[to]) for of, to in some if of == anchor] for some in (same, other))
        hard = [one for one in mine if one - 0.1 < max(theirs)]
        near = [one for one in theirs if one + 0.1 > min(mine)]
        total += np.log(1 + sum(np.exp(-2 * (one - 0.5)) for one in hard)) / 2
        total += np.log(1 + sum(np.exp(50 * (one - 0.5)) for one in near)) / 50
    return total / len(rows)


def supcon(module: Any) -> float:
    rows, same, _ = pairs()
    found = []
    for anchor in range(len(rows)):
        near = np.exp([rows[anchor] @ rows[to] / 0.1 for to in range(len(rows)) if to != anchor]).sum()
        own = [rows[anchor] @ rows[to] / 0.1 - np.log(near) for of, to in same if of == anchor]
        found.append(-float(np.mean(own)))
    return nonzero(found)


def proxy_anchor(module: Any) -> float:
    rows = unit(features().astype(np.float64))
    proxies = unit(next(module.parameters()).detach().numpy().astype(np.float64))
    near = total = 0.0
    for code, proxy in enumerate(proxies):
        alike = rows @ proxy
        near += np.log(1 + np.exp(-32 * (alike[LABELS == code] - 0.1)).sum())
        total += np.log(1 + np.exp(32 * (alike[LABELS != code] + 0.1)).sum())
    return float((near + total) / CLASSES)


def arcface(module: Any) -> float:
    rows = unit(features().astype(np.float64))
    weights = next(module.parameters()).detach().numpy().astype(np.float64)
    centres = unit(weights.T if weights.shape[0] == DIM else weights)
    angles = np.arccos(np.clip(rows @ centres.T, -1, 1))
    turned = angles + np.radians(28.6) * np.eye(CLASSES)[LABELS]
    assert turned.max() < np.pi
    says = 64 * np.cos(turned)
    says -= says.max(axis=1, keepdims=True)
    log = says - np.log(np.exp(says).sum(axis=1, keepdims=True))
    return float(-log[np.arange(len(rows)), LABELS].mean())


WANTED: dict[str, Callable[[Any], float]] = {
    "softmax": softmax, "contrastive": contrastive, "triplet": triplet, "multi-similarity": multi_similarity,
    "supcon": supcon, "proxy-anchor": proxy_anchor, "arcface": arcface,
}  # fmt: skip


def made(torch: Any, name: str) -> Any:
    torch.manual_seed(1)
    return losses.objective(name, DIM, CLASSES)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_torch_loss_is_what_its_paper_says(torch: Any, name: str) -> None:
    module = made(torch, name)
    found = module(torch.from_numpy(features()), torch.from_numpy(LABELS))
    assert float(found.detach()) == pytest.approx(WANTED[name](module), rel=2e-3)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_what_a_torch_loss_makes_smaller_brings_classes_together(torch: Any, name: str) -> None:
    module = made(torch, name)
    rows, labels = torch.nn.Parameter(torch.from_numpy(features())), torch.from_numpy(LABELS)
    first = float(module(rows, labels).detach())

    def apart() -> float:
        seen = unit(rows.detach().numpy())
        alike = seen @ seen.T
        same = LABELS[:, None] == LABELS[None, :]
        return float(alike[same & ~np.eye(len(seen), dtype=bool)].mean() - alike[~same].mean())

    before = apart()
    steps = torch.optim.Adam([rows, *module.parameters()], lr=0.05)
    for _ in range(100):
        steps.zero_grad()
        module(rows, labels).backward()
        steps.step()
    # a classifier minds lengths too, and need not turn vectors of one class towards each other
    assert name == "softmax" or apart() > before + 0.05
    assert float(module(rows, labels).detach()) < 0.9 * first
    assert losses.LOSSES[name].by_pairs == (not list(module.parameters()))


def test_a_torch_loss_by_pairs_is_nothing_where_there_are_none(torch: Any) -> None:
    rows = torch.nn.Parameter(torch.from_numpy(features()[:3]))
    for name in ("contrastive", "triplet", "supcon"):
        loss = made(torch, name)(rows, torch.tensor([0, 0, 0]) if name == "triplet" else torch.tensor([0, 1, 2]))
        loss.backward()
        assert float(loss.detach()) >= 0 and torch.isfinite(rows.grad).all()


def test_a_missing_torch_package_is_named(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning.losses", None)
    with pytest.raises(MissingPackageError, match=r'pip install "imagekin\[torch\]"'):
        losses.objective("supcon", 4, 2)
    assert losses.objective("softmax", 4, 2) is not None
