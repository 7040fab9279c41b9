"""How a training is fed: pictures varied anew each time, or what the part that never changes made of them, once."""

from __future__ import annotations

import importlib
import logging
from typing import Any, Final

from imagekin.train import cut
from imagekin.train.batches import Batch, Feed, Plain, Step, torch_device
from imagekin.train.fresh import Fresh
from imagekin.train.kept import Kept
from imagekin.train.network import Network
from imagekin.train.pictures import Pictures
from imagekin.train.plan import Plan

__all__ = ["Batch", "Feed", "Plain", "Step", "feed", "torch_device"]

torch: Any = importlib.import_module("torch")

logger = logging.getLogger(__name__)

CACHE: Final = 3 << 30
"""Bytes that what is computed once may take."""

VIEWS: Final = {"none": 1, "flip": 2, "crop": 6, "shift": 12, "colour": 6}
"""Views of a picture that are kept, by the way it is varied: as it is, mirrored, and others at random."""


def feed(network: Network, learn: Pictures, check: Pictures, plan: Plan, step: Step | None = None) -> Feed:
    """How *network* is best fed: from what its frozen part makes of the pictures, once, where that fits into memory.

    On a graphics card pictures are varied anew each time, unless they are only mirrored.

    Args:
        network: its parameters say whether they learn.
        learn: pictures to learn from.
        check: pictures that are held out.
        plan: how they are varied, and by which seed.
        step: is told how far it is.

    Raises:
        InputError: too few of the pictures can be read.
    """
    cheap = torch_device(plan).type == "cpu" or VIEWS[plan.augment] <= VIEWS["flip"]
    halves = cut.halves(network.module, network.size) if cheap else None
    network.module.to(torch_device(plan), memory_format=torch.channels_last)
    told = step or (lambda *_: None)
    if halves is not None:
        views = min(VIEWS[plan.augment], (CACHE // (2 * halves.numbers) - len(check)) // max(1, len(learn)))
        if views >= min(2, VIEWS[plan.augment]):
            try:
                return Kept(network, (learn, check), plan, halves, views=views, step=told)
            except OverflowError:
                logger.info("the first half's numbers are too large to be kept as float16")
    return Fresh(network, (learn, check), plan, told)
