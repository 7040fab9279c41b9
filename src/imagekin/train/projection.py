"""A short vector from where things are: a linear layer behind a network's last map, begun in closed form.

Networks average their last map over all places, which is right for things that lie anywhere, and throws away what tells
faces or signatures apart.  Here the places stay, and a linear layer learns what to make of them.  It begins as
within-class covariance normalisation (Hatch, Kajarekar, Stolcke, 2006) along the principal directions of several views
of each picture, which a few pictures of each class suffice for.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed import torch_network
from imagekin.embed.base import Recipe
from imagekin.errors import InputError
from imagekin.reduce.scatter import Scatter
from imagekin.types import Vectors

if TYPE_CHECKING:
    from imagekin.embed.torch_network import Network
    from imagekin.train.batches import Feed

torch: Any = importlib.import_module("torch")

SHRINKAGE: Final = 0.5
"""Of what differs within classes, towards the same in every direction."""

_VIEWS: Final = 12
"""Times that each picture is looked at, where there are few of them."""

_ROWS: Final = 4_096
"""Views in all, at most: what is compared grows with their square."""

_SCALE: Final = 0.02
"""Root of the mean square of the layer's numbers, so that a step of the usual rate is a hundredth of them."""

_DIMS: Final = (2, 4_096)
_BATCH: Final = 64


class Trunk(torch.nn.Module):  # type: ignore[misc]
    """A network of timm up to its last map ``(n, channels, rows, columns)``."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, scaled: Any) -> Any:
        """Scaled pictures to the map."""
        return self.network.forward_intermediates(scaled, indices=1, intermediates_only=True)[-1]


class Flat(torch.nn.Module):  # type: ignore[misc]
    """A map as one row of numbers of length 1 for each picture."""

    def forward(self, seen: Any) -> Any:
        """Rows ``(n, channels · rows · columns)``."""
        return torch.nn.functional.normalize(seen.flatten(1), dim=1)


class Projected(torch.nn.Module):  # type: ignore[misc]
    """A network up to its last map, and a linear layer from all places of it to *dims* numbers.

    Attributes:
        bare: give what the layer is given instead.
        learned: whether its numbers come from an earlier training, and are to be gone on from.
    """

    def __init__(self, network: Any, numbers: int, dims: int) -> None:
        super().__init__()
        self.trunk, self.flat = Trunk(network), Flat()
        self.layer = torch.nn.Linear(numbers, dims)
        self.bare = self.learned = False

    def forward(self, scaled: Any) -> Any:
        """Scaled pictures to vectors ``(n, dims)``."""
        rows = self.flat(self.trunk(scaled))
        return rows if self.bare else self.layer(rows)


def projected(source: Network, dims: int, name: str) -> Network:
    """A network with such a layer behind its last map; pictures are squashed, so that no place of them is cut off.

    Raises:
        InputError: *dims* out of range, or a network whose last map cannot be had.
    """
    least, most = _DIMS
    if not isinstance(dims, int) or isinstance(dims, bool) or not least <= dims <= most:
        raise InputError(f"dims must be a whole number from {least} to {most:,}, not {dims!r}.")
    inner = source.module.module if isinstance(source.module, torch_network.Features) else source.module
    if not hasattr(inner, "forward_intermediates"):
        raise InputError(f"{name} gives no map of places for a layer of {dims} numbers; take a network of timm.")
    size = source.recipe.height, source.recipe.width
    with torch.no_grad():
        seen = Flat()(Trunk(inner.eval())(torch.zeros(1, 3, *size)))
    recipe = Recipe(*size, mode="squash", resample=source.recipe.resample)
    return replace(source, module=Projected(inner, seen.shape[1], dims), recipe=recipe)


def of(module: Any) -> Projected | None:
    """The projection in a module; None where there is none."""
    return next((part for part in module.modules() if isinstance(part, Projected)), None)


@contextlib.contextmanager
def bare(module: Any) -> Iterator[None]:
    """While the block runs, a network with a new projection gives its map as it is; others are not changed."""
    found = of(module)
    if found is None or found.learned:
        yield
        return
    found.bare = True
    try:
        yield
    finally:
        found.bare = False


def start(feed: Feed) -> None:
    """Begin the feed's projection, if it has a new one, from the pictures that are learned from.

    Raises:
        InputError: these are fewer than the numbers that it is to leave.
    """
    found = of(feed.module)
    if found is None or found.learned:
        return
    rows, codes = _seen(feed)
    weight, bias = whitened(rows, codes, found.layer.out_features)
    with torch.no_grad():
        found.layer.weight.copy_(torch.from_numpy(weight))
        found.layer.bias.copy_(torch.from_numpy(bias))


def whitened(rows: Vectors, codes: NDArray[np.int64], dims: int) -> tuple[Vectors, Vectors]:
    """A layer ``(dims, numbers)`` and ``(dims,)`` after which classes are equally wide in every direction.

    Args:
        rows: ``(n, numbers)``, n below *numbers*.
        codes: ``(n,)`` of their classes.
        dims: directions that are kept, those of most variance.

    Raises:
        InputError: fewer rows than *dims*.
    """
    if dims >= len(rows):
        raise InputError(
            f"{len(rows):,} views of the pictures span fewer than {dims:,} directions; ask for fewer dims, or give "
            "more pictures."
        )
    mean = rows.mean(axis=0, dtype=np.float64)
    gaps = (rows - mean).astype(np.float32)
    squares, turns = np.linalg.eigh(gaps.astype(np.float64) @ gaps.T.astype(np.float64))
    lengths = np.sqrt(np.maximum(squares[-dims:], 1e-12))
    axes = gaps.T @ (turns[:, -dims:] / lengths)  # (numbers, dims), at right angles
    scatter = Scatter.of((turns[:, -dims:] * lengths).astype(np.float32), codes)
    weight = scatter.whitened(SHRINKAGE, dims) @ axes.T
    weight *= _SCALE / max(float(np.sqrt(np.mean(weight**2))), 1e-12)
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)


def _seen(feed: Feed) -> tuple[Vectors, NDArray[np.int64]]:
    """What the layer is given of several views of the pictures, and their classes."""
    from imagekin.train.optimizing import answered  # which knows networks, which are made with this

    count = len(feed.learn)
    random = np.random.default_rng([feed.plan.seed, _VIEWS])
    made, codes = [], []
    feed.module.eval()
    with torch.inference_mode(), bare(feed.module):
        for view in range(max(1, min(_VIEWS, _ROWS // count))):
            chosen = random.permutation(count)[:_ROWS]
            parts = [chosen[at : at + _BATCH] for at in range(0, len(chosen), _BATCH)]
            for given, classes in feed.batches(parts, 1_000_000 + view):
                made.append(answered(feed.module, given))
                codes.append(classes.cpu().numpy())
    return np.concatenate(made), np.concatenate(codes).astype(np.int64)
