"""Cuts a network in two where training begins, so that what never changes is computed once.

Where a network is a chain, each of its parts takes what the one before gave, and a part that does nothing can stand for
each that has been done already.  Whether a network is one is not asked but tried: the two halves in turn have to answer
as the whole does.
"""

from __future__ import annotations

import copy
import importlib
from dataclasses import dataclass
from typing import Any, Final

from imagekin.embed import probe
from imagekin.embed.torch_network import Whole

torch: Any = importlib.import_module("torch")

_SAME: Final = 1e-4
"""Share of the largest number by which the halves may be off the whole."""

_TRIED: Final = 2


class Before(torch.nn.Module):  # type: ignore[misc]
    """Bytes ``(n, rows, columns, 3)`` to what the second half takes, each picture's in a row: ``(n, numbers)``."""

    def __init__(self, whole: Whole, network: Any) -> None:
        super().__init__()
        self.whole = copy.copy(whole)
        self.whole._modules = dict(whole._modules, network=network)

    def forward(self, pictures: Any) -> Any:
        """The first half of the network."""
        return self.whole.network(self.whole.scaled(pictures)).flatten(1)


class After(torch.nn.Module):  # type: ignore[misc]
    """What `Before` gives, ``(n, numbers)``, to vectors ``(n, dim)``."""

    def __init__(self, network: Any, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.shape = network, shape

    def forward(self, given: Any) -> Any:
        """The second half of the network."""
        given = given.reshape(-1, *self.shape)
        if given.ndim == 4:  # the order in which convolutions learn in half of the time
            given = given.contiguous(memory_format=torch.channels_last)
        answer = self.network(given)
        return answer.mean((2, 3)) if answer.ndim == 4 else answer


@dataclass(frozen=True, slots=True)
class Halves:
    """A network in two.

    Attributes:
        before: bytes to rows of numbers; nothing in it learns.
        after: these to vectors; shares its parameters with the whole network.
        shape: of what is between them, for one picture.
    """

    before: Before
    after: After
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many there are between the halves for each picture."""
        return int(torch.Size(self.shape).numel())


def halves(whole: Whole, size: tuple[int, int]) -> Halves | None:
    """A network cut before the first part that learns; None if nothing is before it, or it is no chain.

    Args:
        whole: whose parameters say whether they learn.
        size: rows and columns of its input.
    """
    training = whole.training
    whole.eval()
    try:
        seen = torch.from_numpy(probe.pictures(_TRIED, size))
        with torch.no_grad():
            return _cut(whole, seen)
    except Exception:  # a network that is no chain fails in whichever way it likes
        return None
    finally:
        whole.train(training)


def _cut(whole: Whole, seen: Any) -> Halves | None:
    done, shape = _run_until(whole, seen)
    if not done or shape is None:
        return None
    network = whole.network
    every = {path for path, _ in network.named_modules() if path}
    later = {path for path in every if path not in done and not any(each.startswith(f"{path}.") for each in done)}
    after = After(_without(network, _outermost(done)), shape)
    before = Before(whole, _without(network, _outermost(later)))
    between = before(seen)
    found, wanted = after(between), whole(seen)
    exact = found.shape == wanted.shape and (found - wanted).abs().max() <= _SAME * wanted.abs().max()
    return Halves(before, after, shape) if exact else None


def _run_until(whole: Whole, seen: Any) -> tuple[set[str], tuple[int, ...] | None]:
    """Paths of the parts that are done before the first one that learns, and the shape of what that one is given."""
    done: set[str] = set()
    shapes: list[tuple[int, ...]] = []
    hooks = []

    def enter(module: Any, given: Any) -> None:
        if not shapes and any(each.requires_grad for each in module.parameters(recurse=False)):
            shapes.append(tuple(given[0].shape[1:]))

    for path, module in whole.network.named_modules():
        hooks.append(module.register_forward_pre_hook(enter))
        hooks.append(module.register_forward_hook(lambda *_, path=path: None if shapes else done.add(path)))
    try:
        whole(seen)
    finally:
        for hook in hooks:
            hook.remove()
    return done - {""}, shapes[0] if shapes else None


def _outermost(paths: set[str]) -> list[str]:
    """Those that lie in none of the others."""
    return [path for path in paths if not any(path.startswith(f"{other}.") for other in paths)]


def _without(network: Any, paths: list[str]) -> Any:
    """The network, its parameters shared, with parts that do nothing in the place of those at *paths*."""
    made = _shared(network)
    for path in paths:
        made.set_submodule(path, torch.nn.Identity())
    return made


def _shared(module: Any) -> Any:
    """A copy of the structure with the same tensors."""
    made = copy.copy(module)
    made._modules = {name: None if part is None else _shared(part) for name, part in module._modules.items()}
    return made
