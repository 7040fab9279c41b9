"""The verb: train a network so that pictures which belong together lie together, whatever they show."""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np

from imagekin.train import learning, losses, pictures
from imagekin.train.learning import HELD, Learned
from imagekin.train.pictures import Pictures
from imagekin.train.plan import Plan

LOSS: Final = "multi-similarity"
SIGNATURES: Final = "signatures"
"""Where labels come from in a folder of signatures: writers, and imitations of each as a class beside his."""

_CLASSES: Final = 16
_OPTIONS: Final = frozenset(option for loss in losses.LOSSES.values() for option in loss.options)


def metric(
    folder: str | os.PathLike[str] | Pictures,
    model: str = "efficientnet-lite0",
    *,
    loss: str = LOSS,
    dims: int | None = None,
    known_classes: bool = False,
    label_from: str = "parent",
    **how: Any,
) -> Learned:
    """Train a network by a metric loss, on batches of a few pictures of each of a few classes.

    Whole classes are held out: what is told is how it does on classes that it never saw.

    Args:
        folder: of labelled pictures, or the pictures.
        model: as for ``finetune``.
        loss: of ``losses.LOSSES``.
        dims: numbers of a vector, made by a linear layer from all places of the network's last map instead of their
            mean; it begins in closed form.  None for the network's own vector.
        known_classes: hold pictures of every class out instead, for where no new classes will come.
        label_from: ``parent``, a CSV file, or ``signatures`` for a folder that ``verification.signatures`` knows.
        how: ``out``, ``held``, ``resume``, ``trust`` and ``watch`` of ``finetune``; the loss's own options
            (``margin``, …); and those of `Plan`: ``unfreeze``, ``epochs``, ``classes``, ``images``, ``lr``, …

    Returns:
        What it came to, with the figures before and after.

    Raises:
        UnknownNameError: no loss of that name.
        InputError: too few classes or pictures, a folder that is taken, an option out of range.
        MissingPackageError: PyTorch, timm or pytorch-metric-learning is not installed.
        ModelError: the network cannot be had, its loss is no number, or the memory does not suffice.
    """
    options = {name: how.pop(name) for name in list(how) if name in _OPTIONS}
    losses.checked(loss, options)
    learning.need(*(() if loss == losses.SOFTMAX else (losses.PACKAGE,)))
    from imagekin.train.network import network

    rest = {name: how.pop(name) for name in ("out", "held", "resume", "watch") if name in how}
    trust = how.pop("trust", False)
    given = folder if isinstance(folder, Pictures) else _of_folder(folder, label_from)
    held = pictures.checked_share(rest.pop("held") if "held" in rest else _held(given, known_classes))
    if "classes" not in how:
        how["classes"] = _classes(given, held, known_classes)
    plan = Plan(loss=loss, options=options, order="few", **how)
    made = network(model if dims is None else _longer(model, dims), seed=plan.seed, trust=trust)
    return learning.learn(given, made, plan, held=held, new_classes=not known_classes, **rest)


def _of_folder(folder: str | os.PathLike[str], label_from: str) -> Pictures:
    if label_from != SIGNATURES:
        return pictures.of_folder(folder, label_from=label_from)
    from imagekin.verification import signatures

    found = signatures.scan(folder)
    return pictures.of_files([each.path for each in found], [each.label for each in found])


def _held(given: Pictures, known: bool) -> float:
    """The usual share; of few classes so many that two say when to stop, and two what was gained."""
    groups = len(np.unique(given.families()))
    return max(HELD, 2 * pictures.FEWEST / groups) if not known and groups >= 3 * pictures.FEWEST else HELD


def _classes(given: Pictures, held: float, known: bool) -> int:
    """Classes of a batch: 16, or as many as will be left to learn from, an even number."""
    left = len(given.classes())
    if not known:
        groups = len(np.unique(given.families()))
        left -= max(pictures.FEWEST, round(held * groups)) * left // groups
    return max(2, min(_CLASSES, left - left % 2))


def _longer(model: str, dims: int) -> str:
    """The model's name with one option more."""
    return f"{model[:-1]}, dims={dims})" if model.endswith(")") else f"{model}(dims={dims})"
