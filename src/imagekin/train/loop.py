"""The training loop: batches in, smaller losses out, and the weights that did best on pictures that were held out."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from imagekin.errors import InputError, ModelError
from imagekin.train import optimizing, sampling
from imagekin.train.feeds import Feed, torch_device
from imagekin.train.network import Network
from imagekin.train.runs import Epoch, History, Run, history_of
from imagekin.train.trials import depth, precision_of
from imagekin.types import Vectors

torch: Any = importlib.import_module("torch")

logger = logging.getLogger(__name__)

_STEEPEST: Final = 5.0
"""Length that gradients are cut down to."""

_LEAST_RATE: Final = 0.01
"""Share of the highest rate that is left at the end."""


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a training is.

    Attributes:
        epoch: that runs, from 1; 0 before the first.
        epochs: at most.
        done: batches of it.
        batches: in all of it.
        loss: the mean so far; None before the first.
        history: of the epochs before.
    """

    epoch: int
    epochs: int
    done: int
    batches: int
    loss: float | None
    history: History


Watch = Callable[[Moment], None]


def fit(
    network: Network,
    objective: Any,
    feed: Feed,
    *,
    run: Run | None = None,
    resume: bool = False,
    spent: float = 0.0,
    watch: Watch | None = None,
) -> History:
    """Train what is not frozen of a network by the plan of its feed; it is left with the weights that did best.

    AdamW (Loshchilov and Hutter, 2019) with a rate that rises at first and then falls as a cosine; it ends early where
    the held-out pictures find each other no better for some epochs.  Epoch 0 is the network as it was given.

    Args:
        network: ``unfreeze`` has said which stages learn.
        objective: a module, ``(features, codes) -> loss``; its parameters learn too.
        feed: batches of pictures, and those that are held out.
        run: keeps a checkpoint after each epoch.
        resume: go on from the run's checkpoint, if it has one.
        spent: seconds that count as its own, such as what its feed took.
        watch: is told how far it is, after each batch.

    Returns:
        What each epoch came to.  The same seed gives the same numbers on the same machine's processor.

    Raises:
        InputError: the checkpoint to go on from is damaged, or of something else; the disk is full.
        ModelError: the loss is no number, or two pictures are too many for the memory.
    """
    fitting = _Fit(network, objective, feed, run, watch)
    fitting.before = spent
    return fitting.whole(resume)


def features(module: Any, batches: Iterator[Any]) -> Vectors:
    """What a module makes of batches, ``(n, dim)``, as in an evaluation: nothing is varied and nothing learned."""
    training = module.training
    module.eval()
    with torch.inference_mode():
        found = [optimizing.answered(module, batch) for batch in batches]
    module.train(training)
    return np.concatenate(found)


class _Fit:
    def __init__(self, network: Network, objective: Any, feed: Feed, run: Run | None, watch: Watch | None) -> None:
        self.network, self.feed, self.plan, self.run = network, feed, feed.plan, run
        self.watch: Watch = watch or (lambda _: None)
        self.device = torch_device(self.plan)
        self.objective = objective.to(self.device)
        self.order = optimizing.order(self.plan, feed.learn)
        self.count = len(optimizing.parted(self.order(1), self.plan.batch))
        self.optimizer = optimizing.optimizer(network, self.objective, self.plan)
        self.at_once = self.plan.batch
        self.codes = feed.check.pictures.codes
        self.k = depth(self.codes, self.plan.neighbours)
        self.history: History = ()
        self.best: dict[str, Any] = {}
        self.before = 0.0
        self.started = time.perf_counter()
        self.format = optimizing.numbers(self.plan, self.device)

    def whole(self, resume: bool) -> History:
        """All epochs that are left."""
        if resume and self.run is not None and self.run.checkpoint.is_file():
            self._read(self.run)
        else:
            self._ended(Epoch(0, None, self._measured(), 0.0, self._seconds(), self.at_once, True))
        while not self._finished():
            number = self.history[-1].number + 1
            loss, rate = self._epoch(number)
            figure = self._measured()
            better = figure > max(epoch.precision for epoch in self.history)
            self._ended(Epoch(number, loss, figure, rate, self._seconds(), self.at_once, better))
        self.watch(Moment(self._number(), self.plan.epochs, 0, self.count, None, self.history))
        self.network.module.load_state_dict(self.best, strict=False)
        return self.history

    def _finished(self) -> bool:
        last, best = self.history[-1].number, max(epoch.number for epoch in self.history if epoch.best)
        late = self.plan.minutes is not None and self._seconds() >= 60 * self.plan.minutes
        return last >= self.plan.epochs or last - best >= self.plan.patience or late

    def _epoch(self, number: int) -> tuple[float, float]:
        """Its mean loss, and the rate at its end."""
        torch.manual_seed(hash((self.plan.seed, number)) & 0x7FFFFFFF)
        self._learning()
        rows = optimizing.parted(self.order(number), self.plan.batch)
        total, rate = 0.0, 0.0
        for done, (given, codes) in enumerate(self.feed.batches(rows, number), 1):
            rate = self._rate(number - 1 + done / self.count)
            loss = self._step(given, codes)
            if not math.isfinite(loss):
                raise ModelError(
                    f"the loss became {loss} in epoch {number}, and nothing can be learned from that on; try a lower "
                    f"rate than lr={self.plan.lr:g}, or numbers='fp32'."
                )
            total += loss
            self.watch(Moment(number, self.plan.epochs, done, self.count, total / done, self.history))
        return total / max(1, len(rows)), rate

    def _learning(self) -> None:
        """Set parts that behave otherwise while learning; norms of a network that is only partly trained stay."""
        self.feed.module.train()
        self.objective.train()
        if self.plan.unfreeze is not None:
            for module in self.feed.module.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _step(self, given: Any, codes: Any) -> float:
        """One change of the weights by a batch, in parts if the memory cannot hold what it takes at once."""
        while True:
            try:
                return self._tried(given, codes)
            except (RuntimeError, MemoryError) as error:
                if not optimizing.is_memory(error):
                    raise
            self._halve()

    def _halve(self) -> None:
        of_class = self.plan.images if self.plan.order == "few" else 1  # losses by pairs need two classes, and pairs
        if self.at_once <= sampling.FEWEST * of_class:
            raise ModelError(
                f"{self.network.spec} does not fit into the memory of {self.device} even with {self.at_once} "
                "pictures at once; unfreeze fewer stages, or take a smaller network or input."
            )
        self.at_once = max(sampling.FEWEST, self.at_once // 2 // of_class) * of_class
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        logger.warning("the memory of %s is full; from now on %d pictures at once", self.device, self.at_once)

    def _tried(self, given: Any, codes: Any) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for at in range(0, len(codes), self.at_once):
            some = slice(at, at + self.at_once)
            with self._shorter():
                made = self.feed.module(given[some])
            loss = self.objective(made.float(), codes[some]) * (len(codes[some]) / len(codes))
            total += float(loss.detach())
            if loss.requires_grad and math.isfinite(total):
                loss.backward()
        if math.isfinite(total):
            learning = [each for group in self.optimizer.param_groups for each in group["params"]]
            torch.nn.utils.clip_grad_norm_(learning, _STEEPEST)
            self.optimizer.step()
        return total

    def _shorter(self) -> Any:
        if self.format == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _rate(self, epochs: float) -> float:
        """Set the rates for this many epochs done; a limit of time counts as the end too."""
        plan = self.plan
        share = epochs / plan.epochs
        if plan.minutes is not None:
            share = max(share, min(1.0, self._seconds() / (60 * plan.minutes)))
        rising = min(1.0, epochs / plan.warmup) if plan.warmup else 1.0
        falling = _LEAST_RATE + (1 - _LEAST_RATE) * (1 + math.cos(math.pi * min(1.0, share))) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = group["most"] * rising * falling
        return plan.lr * rising * falling

    def _measured(self) -> float:
        """Precision@k of the held-out pictures among themselves."""
        self.watch(Moment(self._number(), self.plan.epochs, 0, self.count, None, self.history))
        with self._shorter():
            found = features(self.feed.module, self.feed.check.batches())
        if not np.isfinite(found).all():
            raise ModelError("the network's vectors are no numbers any more; try a lower rate of learning (lr).")
        return precision_of(found, self.codes, self.k)

    def _number(self) -> int:
        return self.history[-1].number if self.history else 0

    def _seconds(self) -> float:
        return self.before + time.perf_counter() - self.started

    def _ended(self, epoch: Epoch) -> None:
        """Note an epoch, and keep all that is needed to go on from here."""
        self.history = (*self.history, epoch)
        if epoch.best:
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self._own().items()}
        if self.run is None:
            return
        kept = {
            "history": [each.to_dict() for each in self.history],
            "seconds": self._seconds(),
            "best": self.best,
            "network": self._own(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        file = io.BytesIO()
        torch.save(kept, file)
        self.run.put(self.run.checkpoint.name, file.getvalue())
        self.run.tell(self.history)

    def _own(self) -> dict[str, Any]:
        """The tensors that training changes."""
        module = self.network.module
        learning = {name for name, each in module.named_parameters() if each.requires_grad}
        if self.plan.unfreeze is None:
            learning |= {name for name, _ in module.network.named_buffers(prefix="network")}
        return {name: tensor for name, tensor in module.state_dict().items() if name in learning}

    def _read(self, run: Run) -> None:
        try:
            kept = torch.load(run.checkpoint, map_location="cpu", weights_only=True)
            self.history, self.best = history_of(kept["history"]), dict(kept["best"])
            if not kept["best"].keys() == kept["network"].keys() == self._own().keys():
                raise ValueError("it is of another network")
            self.network.module.load_state_dict(kept["network"], strict=False)
            self.objective.load_state_dict(kept["objective"])
            self.optimizer.load_state_dict(kept["optimizer"])
            self.before += float(kept["seconds"])
            self.at_once = self.history[-1].batch
        except Exception as error:  # of the reader's, or whatever a damaged file leads to
            reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
            raise InputError(
                f"{run.checkpoint} cannot be gone on from ({reason}); train into another folder."
            ) from error
