"""What a training loop is set up with: the order of pictures, an optimizer, a format of numbers."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from imagekin.errors import ModelError
from imagekin.evaluation.gallery import Positions
from imagekin.train import sampling
from imagekin.train.network import Network
from imagekin.train.pictures import Pictures
from imagekin.train.plan import Plan

torch: Any = importlib.import_module("torch")


def order(plan: Plan, pictures: Pictures) -> sampling.Order:
    """Which rows each epoch shows."""
    codes = pictures.codes
    if plan.order == "few":
        return sampling.few_per_class(
            codes, classes=plan.classes, images=plan.images, seed=plan.seed, together=pictures.families()
        )
    if plan.order == "balanced":
        return sampling.balanced(codes, seed=plan.seed)
    return lambda epoch: np.random.default_rng([plan.seed, epoch]).permutation(len(codes))


def parted(rows: Positions, batch: int) -> list[Positions]:
    """*rows* in batches; a last one of a single row, of which nothing is told apart, is left out."""
    found = [rows[at : at + batch] for at in range(0, len(rows), batch)]
    return found if len(found[-1]) >= sampling.FEWEST or len(found) == 1 else found[:-1]


def optimizer(network: Network, objective: Any, plan: Plan) -> Any:
    """AdamW over what learns; vectors of norms and biases are not made smaller."""
    groups: dict[tuple[float, float], list[Any]] = {}
    for parameters, rate in ((network.module.parameters(), plan.lr * plan.backbone), (objective.parameters(), plan.lr)):
        for each in parameters:
            if each.requires_grad:
                groups.setdefault((rate, plan.decay if each.ndim > 1 else 0.0), []).append(each)
    made = [{"params": some, "lr": rate, "most": rate, "weight_decay": decay} for (rate, decay), some in groups.items()]
    return torch.optim.AdamW(made)


def numbers(plan: Plan, device: Any) -> str:
    """The numbers that the network computes with."""
    if plan.numbers != "auto":
        return plan.numbers
    # processors take longer to learn in bf16 than in float32, even those that have it: by 1.7, as measured on a Zen 4
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def answered(module: Any, batch: Any) -> Any:
    """What a module makes of a batch, on the processor, in parts if the memory cannot hold what it takes at once.

    Raises:
        ModelError: it does not even hold what one picture takes.
    """
    try:
        return module(batch).float().cpu().numpy()
    except (RuntimeError, MemoryError) as error:
        if not is_memory(error):
            raise
        if len(batch) < 2:
            text = "the memory does not hold what the network makes of one picture; take a smaller network or input."
            raise ModelError(text) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(batch) // 2
    return np.concatenate([answered(module, batch[:half]), answered(module, batch[half:])])


def is_memory(error: Exception) -> bool:
    """Whether an error says that memory is full."""
    full = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
    text = str(error).lower()
    return isinstance(error, full | MemoryError) or "out of memory" in text or "not enough memory" in text
