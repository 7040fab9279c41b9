"""What training makes smaller: the losses by name, listed without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from imagekin.errors import InputError, UnknownNameError

SOFTMAX: Final = "softmax"

PACKAGE: Final = "pytorch_metric_learning"
"""What all other losses need."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss.

    Attributes:
        summary: for a list.
        source: of the method.
        by_pairs: whether it compares the pictures of a batch with each other, and so needs several of each class in it;
            others compare them with something that is learned for each class.
        options: and what they are unless others are given.
    """

    summary: str
    source: str
    by_pairs: bool
    options: Mapping[str, float] = field(default_factory=dict)


LOSSES: Final[Mapping[str, Loss]] = {
    SOFTMAX: Loss(
        "a classifier behind the network, with label smoothing",
        "Szegedy and others, 2016",
        by_pairs=False,
        options={"smoothing": 0.1},
    ),
    "contrastive": Loss(
        "Siamese: the same close, others at least a margin apart",
        "Hadsell, Chopra, LeCun, 2006",
        by_pairs=True,
        options={"margin": 1.0},
    ),
    "triplet": Loss(
        "the same closer than others by a margin; semi-hard triplets",
        "Schroff and others (FaceNet), 2015",
        by_pairs=True,
        options={"margin": 0.2},
    ),
    "multi-similarity": Loss(
        "pairs weighed by how they lie among the others of the batch",
        "Wang and others, 2019",
        by_pairs=True,
        options={"alpha": 2.0, "beta": 50.0, "base": 0.5, "epsilon": 0.1},
    ),
    "proxy-anchor": Loss(
        "a learned point for each class draws its pictures",
        "Kim and others, 2020",
        by_pairs=False,
        options={"margin": 0.1, "alpha": 32.0},
    ),
    "arcface": Loss(
        "a classifier by angles with a margin, as for faces",
        "Deng and others, 2019",
        by_pairs=False,
        options={"margin": 28.6, "scale": 64.0},
    ),
    "supcon": Loss(
        "each picture picks those of its class from the batch",
        "Khosla and others, 2020",
        by_pairs=True,
        options={"temperature": 0.1},
    ),
}


def named(name: str) -> Loss:
    """The loss of that name.

    Raises:
        UnknownNameError: there is none; the message lists the known ones.
    """
    if name not in LOSSES:
        raise UnknownNameError(f"no loss is called {name!r}; known: {', '.join(LOSSES)}.")
    return LOSSES[name]


def checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of the loss of that name: its usual ones, and *options* instead of them.

    Raises:
        UnknownNameError: no loss of that name.
        InputError: as for ``objective``.
    """
    loss = named(name)
    for option in options:
        if option not in loss.options:
            known = ", ".join(loss.options)
            raise InputError(f"the loss {name} has no option {option!r}; it takes: {known}.")
    chosen = {**loss.options, **options}
    for option, value in chosen.items():
        _check(name, option, value)
    return chosen


def objective(name: str, dim: int, classes: int, **options: float) -> Any:
    """What a batch costs: a module of PyTorch, ``(features (n, dim), labels (n,)) -> loss``, to be made small.

    Some losses have parameters of their own, which learn with the network's.

    Args:
        name: of ``LOSSES``.
        dim: numbers of a vector.
        classes: labels are 0 … classes − 1; losses by pairs do not mind others.
        options: of the loss, others than usual.

    Raises:
        UnknownNameError: no loss of that name.
        InputError: an option that it does not have, or that is no number above 0 (smoothing and margin: 0 or more).
        MissingPackageError: PyTorch or pytorch-metric-learning is not installed.
    """
    chosen = checked(name, options)
    if classes < 2:
        raise InputError(f"the loss {name} learns what tells classes apart and needs two or more, not {classes}.")
    from imagekin.train import objectives

    return objectives.made(name, dim, classes, chosen)


def _check(name: str, option: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    least = option in ("smoothing", "margin")
    if not number or value < 0 or (value == 0 and not least) or (option == "smoothing" and value >= 1):
        wanted = "0 or more and below 1" if option == "smoothing" else "0 or more" if least else "above 0"
        raise InputError(f"{option} of the loss {name} must be a number {wanted}, not {value!r}.")
