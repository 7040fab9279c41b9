"""What is asked of a training: plain data, which is kept beside what it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from imagekin.embed import devices
from imagekin.errors import InputError
from imagekin.train import losses

AUGMENTS: Final[Mapping[str, str]] = {
    "none": "pictures as they are",
    "flip": "mirrored, half of them",
    "crop": "mirrored, and cut at random places and sizes",
    "shift": "mirrored, and moved, turned and scaled a little: for what is centred, such as faces",
    "colour": "the same, in other light and colours",
}
"""Ways to vary pictures while they are learned from, each with what the one before it does."""

ORDERS: Final = ("balanced", "shuffled", "few")
FORMATS: Final = ("auto", "fp32", "bf16")

_WHOLE: Final = {"epochs": 1, "batch": 2, "patience": 1, "classes": 2, "images": 2, "seed": 0}
_SHARES: Final = ("backbone", "warmup", "decay")


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        loss: of ``losses.LOSSES``.
        options: of the loss, others than usual.
        unfreeze: how many of the network's last stages are trained; None for all.
        epochs: rounds through the pictures at most.
        batch: pictures of a step.
        lr: the highest rate of learning, of what is new: a classifier, proxies.
        backbone: that of the network's own stages, as a share of *lr*.
        decay: of weights, as AdamW has it.
        warmup: epochs in which the rate rises.
        augment: of ``AUGMENTS``.
        order: ``balanced``: every class as often as the next; ``shuffled``: every picture once; ``few``: *classes* ×
            *images* a batch, which losses by pairs need.
        classes: of a batch, with ``few``.
        images: of each class in a batch, with ``few``.
        patience: epochs without a better figure after which it stops.
        numbers: ``fp32``, ``bf16`` where that is exact enough (weights stay float32), or ``auto`` for what suits the
            device.
        seed: of everything drawn at random.
        device: as PyTorch calls it; ``auto`` for a card of NVIDIA's if there is one.
        refit: learn again at the end, from all pictures, for as many epochs as were best; what is told is of before.
        minutes: after which it comes to its end; None for no limit.

    Raises:
        InputError: a value out of range, an option that the loss lacks, or *few* with numbers that make no batch.
    """

    loss: str = losses.SOFTMAX
    options: Mapping[str, float] = field(default_factory=dict)
    unfreeze: int | None = 3
    epochs: int = 15
    batch: int = 64
    lr: float = 2e-3
    backbone: float = 0.5
    decay: float = 0.02
    warmup: float = 1.0
    augment: str = "crop"
    order: str = "balanced"
    classes: int = 16
    images: int = 4
    patience: int = 5
    numbers: str = "auto"
    seed: int = 0
    device: str = "auto"
    refit: bool = False
    minutes: float | None = None

    def __post_init__(self) -> None:
        losses.checked(self.loss, self.options)
        self._check_numbers()
        for name, known in (("augment", tuple(AUGMENTS)), ("order", ORDERS), ("numbers", FORMATS)):
            if getattr(self, name) not in known:
                raise InputError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}.")
        if not isinstance(self.refit, bool):
            raise InputError(f"refit must be True or False, not {self.refit!r}.")
        if self.order == "few":
            object.__setattr__(self, "batch", self.classes * self.images)
        elif losses.LOSSES[self.loss].by_pairs:
            raise InputError(f"the loss {self.loss} compares the pictures of a batch: it needs the order 'few'.")
        if self.device != "auto" and devices.parse(self.device).kind not in ("cpu", "cuda"):
            raise InputError(f"training runs on cpu, cuda or cuda:N, not on {self.device!r}.")

    def _check_numbers(self) -> None:
        wanted = {**_WHOLE, **({} if self.unfreeze is None else {"unfreeze": 1})}
        for name, least in wanted.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 1 << 31:
                raise InputError(f"{name} must be a whole number, {least} or more, not {value!r}.")
        limits = {"lr": self.lr, "minutes": self.minutes if self.minutes is not None else 1.0}
        for name, value in {**limits, **{share: getattr(self, share) for share in _SHARES}}.items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6
            if not number or (value == 0 and name not in _SHARES):
                least_of = "0 or more" if name in _SHARES else "above 0"
                raise InputError(f"{name} must be a number {least_of}, not {value!r}.")

    @property
    def neighbours(self) -> int:
        """That precision looks at, at most: more where a metric is learned, which soon has the nearest right."""
        return 25 if self.order == "few" else 4

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def from_dict(given: Mapping[str, Any]) -> Plan:
    """The plan that ``to_dict`` wrote; what a later version added is left out."""
    known = {each.name for each in fields(Plan)}
    return Plan(**{name: value for name, value in given.items() if name in known})
