"""Feeds a training with pictures that are read and varied anew each time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import ImageError
from imagekin.evaluation.gallery import Positions
from imagekin.pipeline import Pipeline, batched
from imagekin.train.augmentation import varied
from imagekin.train.batches import SHOWN, Batch, Feed, Plain, Step, enough, opened, torch_device
from imagekin.train.network import Network
from imagekin.train.pictures import Pictures
from imagekin.train.plan import Plan
from imagekin.types import Skipped

torch: Any = importlib.import_module("torch")


class Fresh(Feed):
    """Reads, varies and prepares pictures for every batch, on all cores, while the network computes."""

    def __init__(self, network: Network, pictures: tuple[Pictures, Pictures], plan: Plan, step: Step) -> None:
        super().__init__(network, plan)
        self.module = network.module
        self._device, self._step = torch_device(plan), step
        self.learn, self.check = self._readable(pictures[0]), self.plain(pictures[1])
        self.how = "every picture goes through the whole network each time"

    def batches(self, rows: Sequence[Positions], epoch: int) -> Iterator[Batch]:
        """Prepared bytes ``(b, rows, columns, 3)``."""
        recipe, augment, seed = self.network.recipe, self.plan.augment, self.plan.seed

        def prepared(given: tuple[int, int]) -> NDArray[Any]:
            place, row = given
            random = np.random.default_rng([seed, epoch, place])
            return varied(opened(self.learn.paths[row], recipe), recipe, augment, random)

        order = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        with Pipeline() as pipeline:
            made = pipeline.map(prepared, enumerate(order.tolist()), ahead=2 * self.plan.batch)
            for some in rows:
                batch = np.stack([next(made) for _ in some])
                codes = torch.from_numpy(self.learn.codes[some])
                yield torch.from_numpy(batch).to(self._device), codes.to(self._device)

    def plain(self, pictures: Pictures) -> Plain:
        """Prepared bytes."""
        readable, recipe = self._readable(pictures), self.network.recipe

        def batches() -> Iterator[Any]:
            with Pipeline() as pipeline:
                made = pipeline.map(lambda path: recipe.apply(opened(path, recipe)), readable.paths, ahead=4 * SHOWN)
                for some in batched(made, SHOWN):
                    yield torch.from_numpy(np.stack(some)).to(self._device)

        return Plain(readable, batches)

    def _readable(self, given: Pictures) -> Pictures:
        def failed(path: str) -> str | None:
            try:
                opened(path, self.network.recipe)
            except ImageError as error:
                return str(error)
            return None

        kept = []
        with Pipeline() as pipeline:
            for row, reason in enumerate(pipeline.map(failed, given.paths, ahead=64)):
                self._step(row + 1, len(given), "Reading")
                if reason is None:
                    kept.append(row)
                else:
                    self.skipped.append(Skipped(given.paths[row], reason))
        return enough(given.take(kept), given)
