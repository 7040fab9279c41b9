"""What is asked of a library of networks: which one, with whose weights, and how its answer is to be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imagekin.errors import InputError

PRETRAINED: Final = "pretrained"
RANDOM: Final = "random"

_MOST: Final = 4_096


@dataclass(frozen=True, slots=True)
class Asked:
    """Which network, and what is wanted of it.

    Attributes:
        name: its full name, with its library's, for messages.
        model: its name in its library, with its tag.
        weights: ``pretrained``, ``random``, or a file's absolute path.
        size: rows and columns of the input; None for its own.
        pooling: how places become one vector; None for its own way.
        trust: whether weights may come from a pickle.
        fetch: whether published weights may be fetched, and not only be taken from the hub's cache.
    """

    name: str
    model: str
    weights: str | Path = PRETRAINED
    size: tuple[int, int] | None = None
    pooling: str | None = None
    trust: bool = False
    fetch: bool = True


def of_weights(weights: str | Path) -> tuple[str | Path, str]:
    """The option in full, and what tells these weights from others."""
    if weights in (PRETRAINED, RANDOM):
        return str(weights), str(weights)
    from imagekin.embed.torch_weights import absolute, file_digest

    path = absolute(weights)
    return path, file_digest(path)


def of_options(name: str, options: Mapping[str, Any]) -> tuple[tuple[int, int] | None, str | None]:
    """Size and pooling; these and trust are checked."""
    known = ("size", "pooling", "trust")
    for option in options:
        if option not in known:
            raise InputError(f"{name} has no option {option!r}; it takes: {', '.join(('weights', *known))}.")
    size, pooling, trust = options.get("size"), options.get("pooling"), options.get("trust", False)
    if not isinstance(trust, bool) or not isinstance(pooling, str | None):
        raise InputError(f"trust must be True or False and pooling a word, not {trust!r} and {pooling!r}.")
    return sides(size), pooling


def sides(size: Any) -> tuple[int, int] | None:
    """Rows and columns of an option ``size``; None where it is.

    Raises:
        InputError: it is neither a whole number nor two.
    """
    both = (size, size) if isinstance(size, int) else size
    if both is None:
        return None
    if not isinstance(both, Sequence) or len(both) != 2 or not all(map(_is_side, both)):
        raise InputError(
            f"size must be one number or two (rows, columns), whole ones from 1 to {_MOST:,}, not {size!r:.60}."
        )
    return both[0], both[1]


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST
