"""The verb: train a network's last stages on labelled pictures, with a classifier in the place of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from imagekin.train import learning, losses, pictures
from imagekin.train.learning import HELD, Learned
from imagekin.train.pictures import Pictures
from imagekin.train.plan import Plan

if TYPE_CHECKING:
    from imagekin.train.feeds import Step
    from imagekin.train.loop import Watch


def finetune(
    folder: str | os.PathLike[str] | Pictures,
    model: str = "efficientnet-lite0",
    *,
    out: str | os.PathLike[str] | None = None,
    label_from: str = "parent",
    held: float = HELD,
    resume: bool = False,
    trust: bool = False,
    watch: tuple[Step | None, Watch | None] = (None, None),
    **plan: Any,
) -> Learned:
    """Train a network to tell the classes of labelled pictures apart; what it then sees in pictures searches better.

    Args:
        folder: of labelled pictures, or the pictures.
        model: ``efficientnet-lite0``, ``timm:NAME``, ``torchvision:NAME``, ``cnn`` or the folder of an earlier run.
        out: folder of the run, which is then a model: ``--model ./runs/x``; None for one below ``runs``.
        label_from: ``parent`` or a CSV file.
        held: share of the pictures that is not learned from: one half says when to stop, the other what was gained.
        resume: go on from the last checkpoint in *out*.
        trust: weights that are published as a pickle only may be read.
        watch: see ``learning.learn``.
        plan: of `Plan`: ``unfreeze``, ``epochs``, ``batch``, ``lr``, ``augment``, ``seed``, …, and ``smoothing``, the
            classifier's share of doubt.

    Returns:
        What it came to, with the figures before and after.

    Raises:
        InputError: too few pictures, a folder that is taken, an option out of range.
        MissingPackageError: PyTorch or timm is not installed.
        ModelError: the network cannot be had, its loss is no number, or the memory does not suffice.
    """
    learning.need()
    from imagekin.train.network import network

    smoothing = plan.pop("smoothing", None)
    options = {} if smoothing is None else {"smoothing": smoothing}
    asked = Plan(loss=losses.SOFTMAX, options=options, **plan)
    given = folder if isinstance(folder, Pictures) else pictures.of_folder(folder, label_from=label_from)
    started = network(model, seed=asked.seed, trust=trust)
    return learning.learn(given, started, asked, out, held=held, resume=resume, watch=watch)
