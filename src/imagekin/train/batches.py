"""Batches for a training: the contract of what feeds it, and how a picture is opened for it."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from imagekin import images
from imagekin.embed.base import Recipe
from imagekin.errors import InputError
from imagekin.evaluation.gallery import Positions
from imagekin.train.network import Network
from imagekin.train.pictures import FEWEST, Pictures
from imagekin.train.plan import Plan
from imagekin.types import Skipped

torch: Any = importlib.import_module("torch")

Step = Callable[[int, int, str], None]
"""Is told what is done, of how much, and what it is."""

Batch = tuple[Any, Any]
"""What goes into the module, and the numbers of the classes."""

SHOWN: Final = 64
"""Pictures of an evaluation's batch."""


@dataclass(frozen=True)
class Plain:
    """Pictures as they are, for an evaluation.

    Attributes:
        pictures: those that could be read.
        batches: gives them in order, some at a time, as the feed's module takes them; again at each call.
    """

    pictures: Pictures
    batches: Callable[[], Iterator[Any]]


class Feed(ABC):
    """Batches for a training.

    Attributes:
        learn: what is learned from; what could not be read is left out.
        check: what is held out to see how it goes.
        module: what a batch goes through, to vectors; it shares its parameters with the network.
        skipped: what could not be read.
        how: what is kept or done anew, one sentence.
    """

    learn: Pictures
    check: Plain
    module: Any
    how: str

    def __init__(self, network: Network, plan: Plan) -> None:
        self.network, self.plan = network, plan
        self.skipped: list[Skipped] = []

    @abstractmethod
    def batches(self, rows: Sequence[Positions], epoch: int) -> Iterator[Batch]:
        """The batches of an epoch: each of *rows* of ``learn``, varied by the epoch's number."""

    @abstractmethod
    def plain(self, pictures: Pictures) -> Plain:
        """Further pictures as they are, without those that cannot be read."""


def torch_device(plan: Plan) -> Any:
    """The device that a plan names.

    Raises:
        InputError: PyTorch cannot use it.
    """
    if plan.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = torch.device(plan.device)
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise InputError(f"PyTorch finds no device {plan.device!r} here; leave it out, or install its drivers.")
    return found


def opened(path: str, recipe: Recipe) -> Image.Image:
    """A picture's pixels, as large as the recipe needs them; raises ImageError where it cannot be read."""
    return images.load(path, target=recipe.decode_side).image


def enough(left: Pictures, given: Pictures) -> Pictures:
    """*left* of the pictures that were *given*; raises InputError where they are of too few classes."""
    if len(left.classes()) < FEWEST and len(given.classes()) >= FEWEST:
        raise InputError(
            f"only {len(left):,} of {len(given):,} pictures could be read, and these are not of {FEWEST} "
            "classes; look at the files."
        )
    return left
