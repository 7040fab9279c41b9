"""Losses as modules of PyTorch: a classifier, and those of pytorch-metric-learning with their miners."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from imagekin.errors import MissingPackageError

torch: Any = importlib.import_module("torch")

Options = Mapping[str, float]

PACKAGE: Final = "pytorch-metric-learning"


def made(name: str, dim: int, classes: int, options: Options) -> Any:
    """The loss of that name; see ``losses.objective``, which has checked the arguments."""
    return _MADE[name](dim, classes, options)


class Classifier(torch.nn.Module):  # type: ignore[misc]
    """A linear layer from features to classes, and the cross entropy of what it says."""

    def __init__(self, dim: int, classes: int, smoothing: float) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(dim, classes)
        self.smoothing = smoothing

    def forward(self, features: Any, labels: Any) -> Any:
        """The loss of a batch, features ``(n, dim)`` and labels ``(n,)``."""
        says = self.layer(features.float())
        return torch.nn.functional.cross_entropy(says, labels, label_smoothing=self.smoothing)


class Compared(torch.nn.Module):  # type: ignore[misc]
    """A loss that compares unit vectors, of pairs or triplets that a miner picks if there is one."""

    def __init__(self, loss: Any, miner: Any = None) -> None:
        super().__init__()
        self.loss, self.miner = loss, miner

    def forward(self, features: Any, labels: Any) -> Any:
        """The loss of a batch, features ``(n, dim)`` and labels ``(n,)``; 0 where no pair or triplet has any."""
        unit = torch.nn.functional.normalize(features.float(), dim=1)
        if self.miner is None:
            return self.loss(unit, labels)
        return self.loss(unit, labels, self.miner(unit, labels))


def _contrastive(dim: int, classes: int, options: Options) -> Any:
    return Compared(_library("losses").ContrastiveLoss(pos_margin=0, neg_margin=options["margin"]))


def _triplet(dim: int, classes: int, options: Options) -> Any:
    margin = options["margin"]
    miner = _library("miners").TripletMarginMiner(margin=margin, type_of_triplets="semihard")
    return Compared(_library("losses").TripletMarginLoss(margin=margin), miner)


def _multi_similarity(dim: int, classes: int, options: Options) -> Any:
    shape = {name: options[name] for name in ("alpha", "beta", "base")}
    miner = _library("miners").MultiSimilarityMiner(epsilon=options["epsilon"])
    return Compared(_library("losses").MultiSimilarityLoss(**shape), miner)


def _proxy_anchor(dim: int, classes: int, options: Options) -> Any:
    return Compared(_library("losses").ProxyAnchorLoss(num_classes=classes, embedding_size=dim, **options))


def _arcface(dim: int, classes: int, options: Options) -> Any:
    return Compared(_library("losses").ArcFaceLoss(num_classes=classes, embedding_size=dim, **options))


def _supcon(dim: int, classes: int, options: Options) -> Any:
    return Compared(_library("losses").SupConLoss(**options))


def _library(part: str) -> Any:
    try:
        return importlib.import_module(f"pytorch_metric_learning.{part}")
    except ImportError:
        raise MissingPackageError(
            f'this loss is one of {PACKAGE}, which is not installed; install it with: pip install "imagekin[torch]"'
        ) from None


_MADE: Final[Mapping[str, Callable[[int, int, Options], Any]]] = {
    "softmax": lambda dim, classes, options: Classifier(dim, classes, options["smoothing"]),
    "contrastive": _contrastive,
    "triplet": _triplet,
    "multi-similarity": _multi_similarity,
    "proxy-anchor": _proxy_anchor,
    "arcface": _arcface,
    "supcon": _supcon,
}
