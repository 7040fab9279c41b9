"""Feeds a training with what the network's frozen part made of pictures, once."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed import torch_network
from imagekin.embed.runtime import open_session, run
from imagekin.errors import ImageError, ModelError
from imagekin.evaluation.gallery import Positions
from imagekin.pipeline import Pipeline, batched
from imagekin.train import cut
from imagekin.train.augmentation import mirror, varied
from imagekin.train.batches import SHOWN, Batch, Feed, Plain, Step, enough, opened, torch_device
from imagekin.train.network import Network
from imagekin.train.pictures import Pictures
from imagekin.train.plan import Plan
from imagekin.types import Skipped

torch: Any = importlib.import_module("torch")

logger = logging.getLogger(__name__)

_TOGETHER: Final = 8
"""Pictures that go through the first half at once."""


class Kept(Feed):
    """What the frozen first half of the network makes of several views of each picture, computed once.

    On the processor ONNX Runtime runs that half, which takes a fraction of PyTorch's time.
    """

    def __init__(
        self,
        network: Network,
        pictures: tuple[Pictures, Pictures],
        plan: Plan,
        halves: cut.Halves,
        *,
        views: int,
        step: Step,
    ) -> None:
        super().__init__(network, plan)
        self.module, self.halves = halves.after, halves
        self._device = torch_device(plan)
        self._first, self._step = _first_half(halves, network.size, self._device), step
        self.learn, self._kept = self._made(pictures[0], views)
        self.check = self.plain(pictures[1])
        what = "one view" if views == 1 else f"{views} views"
        self.how = f"{what} of each picture went through the frozen stages once"

    def batches(self, rows: Sequence[Positions], epoch: int) -> Iterator[Batch]:
        """Rows of numbers of one of each picture's views, ``(b, numbers)``."""
        random = np.random.default_rng([self.plan.seed, epoch])
        for some in rows:
            views = random.integers(self._kept.shape[1], size=len(some))
            yield self._tensor(self._kept[some, views]), torch.from_numpy(self.learn.codes[some]).to(self._device)

    def plain(self, pictures: Pictures) -> Plain:
        """Rows of numbers of the pictures as they are."""
        readable, kept = self._made(pictures, 1)
        return Plain(readable, lambda: (self._tensor(kept[at : at + SHOWN, 0]) for at in range(0, len(kept), SHOWN)))

    def _tensor(self, numbers: NDArray[np.float16]) -> Any:
        return torch.from_numpy(numbers).to(self._device).float()

    def _made(self, given: Pictures, views: int) -> tuple[Pictures, NDArray[np.float16]]:
        found = np.empty((len(given), views, self.halves.numbers), np.float16)
        reasons: dict[int, str] = {}

        def prepared(row: int) -> list[NDArray[Any]]:
            try:
                return self._views(given.paths[row], row, views)
            except ImageError as error:
                reasons[row] = str(error)
                return []

        def through(some: list[tuple[int, list[NDArray[Any]]]]) -> list[int]:
            shown = [(row, view, pixels) for row, made in some for view, pixels in enumerate(made)]
            if shown:
                answer = self._first(np.stack([pixels for _, _, pixels in shown]))
                for (row, view, _), numbers in zip(shown, answer, strict=True):
                    found[row, view] = numbers
            return [row for row, _ in some]

        rows = [list(part) for part in batched(range(len(given)), max(1, _TOGETHER // views))]
        with Pipeline() as pipeline, np.errstate(over="ignore"):
            for done in pipeline.map(lambda part: through([(row, prepared(row)) for row in part]), rows, ahead=4):
                self._step(done[-1] + 1, len(given), "Computing what stays the same")
        kept = np.array([row for row in range(len(given)) if row not in reasons], np.int64)
        self.skipped += [Skipped(given.paths[row], reason) for row, reason in sorted(reasons.items())]
        found = found[kept] if reasons else found
        if not np.isfinite(found.max(initial=0)):
            raise OverflowError
        return enough(given.take(kept), given), found

    def _views(self, path: str, row: int, views: int) -> list[NDArray[Any]]:
        recipe, image = self.network.recipe, opened(path, self.network.recipe)
        plain = recipe.apply(image)
        made = [plain, mirror(plain)][:views]
        for view in range(2, views):
            made.append(varied(image, recipe, self.plan.augment, np.random.default_rng([self.plan.seed, row, view])))
        return made


def _first_half(halves: cut.Halves, size: tuple[int, int], device: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The first half, ready to run, by ONNX Runtime if it can."""
    before = halves.before.to(device).eval()
    if device.type == "cpu":
        try:
            data, _, _ = torch_network.export(before, size)
            session = open_session(data)
            return lambda batch: np.asarray(run(session, torch_network.INPUT, batch, torch_network.OUTPUT))
        except ModelError as error:
            logger.info("the frozen stages are run by PyTorch: %s", error)

    def answer(batch: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            return np.asarray(before(torch.from_numpy(batch).to(device)).float().cpu().numpy())

    return answer
